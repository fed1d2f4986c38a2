// Goal: order is decided by time and by nothing else; processes see time as their clock tells it. Method: small scripts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../src/base/prng.ts';
import { createHost } from './host.ts';
import { createScheduler } from './scheduler.ts';
import { createTrace } from './trace.ts';

test('events run by time, and in the order of scheduling at the same time', () => {
  const scheduler = createScheduler();
  const random = createPrng(1);
  const seen: number[][] = [];
  for (let i = 0; i < 2000; i++) {
    const at = random.integer(0, 50);
    scheduler.after(at, () => seen.push([at, i]));
  }
  scheduler.run(20);
  assert.equal(scheduler.now(), 20);
  assert.ok(seen.every(([at]) => at! <= 20));
  scheduler.run(100);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a[0]! - b[0]! || a[1]! - b[1]!),
  );
  assert.equal(seen.length, 2000);
});

test('cancelled events never run, and do not pile up', () => {
  const scheduler = createScheduler();
  let ran = 0;
  const keep = Array.from({ length: 10 }, (_, i) => scheduler.after(1000 + i, () => ran++));
  for (let i = 0; i < 10_000; i++) scheduler.after(5000, () => ran++).cancel();
  assert.ok(scheduler.size < 600, `${scheduler.size} in the heap`);
  keep[3]!.cancel();
  scheduler.run(10_000);
  keep[4]!.cancel();
  assert.equal(ran, 9);
});

test('between two events promises settle, however long their chains, whether made or only settled by an event', async () => {
  const scheduler = createScheduler();
  const seen: string[] = [];
  const chain = async (name: string, length: number): Promise<void> => {
    for (let i = 0; i < length; i++) await Promise.resolve();
    seen.push(name);
  };
  const { promise, resolve } = Promise.withResolvers<void>();
  scheduler.after(1, () => void chain('made', 1000));
  scheduler.after(1, () => seen.push('next'));
  scheduler.after(1, resolve);
  scheduler.after(1, () => seen.push('last'));
  void chain('before', 5);
  void promise.then(() => chain('settled', 1000));
  await scheduler.runSettled(2);
  assert.deepEqual(seen, ['before', 'made', 'next', 'settled', 'last']);
});

test('what an event throws comes out of the run', async () => {
  const scheduler = createScheduler();
  scheduler.after(1, () => assert.fail('thrown'));
  await assert.rejects(scheduler.runSettled(2), /thrown/);
});

test('the trace tells apart what is not the same', () => {
  const hashOf = (...notes: [string, number][]): string => {
    const trace = createTrace(() => 1, 2);
    for (const [event, a] of notes) trace.note(event, a);
    assert.ok(trace.lines.length <= 2);
    return trace.hash;
  };
  assert.equal(hashOf(['x', 1], ['y', 2]), hashOf(['x', 1], ['y', 2]));
  assert.notEqual(hashOf(['x', 1], ['y', 2]), hashOf(['y', 2], ['x', 1]));
  assert.notEqual(hashOf(['x', 1]), hashOf(['x', 1.001]));
});

const create = (drift = 0) => {
  const scheduler = createScheduler();
  return { scheduler, host: createHost({ id: 0, scheduler, random: createPrng(5), drift }) };
};

test('a drifting clock runs slow or fast, and its timers with it, never early by its own time', () => {
  for (const drift of [-0.005, 0.005]) {
    const { scheduler, host } = create(drift);
    const begin = host.clock.now();
    let [firedAt, local] = [0, 0];
    host.clock.after(1000, () => ([firedAt, local] = [scheduler.now(), host.clock.now()]));
    scheduler.run(2000);
    assert.ok(Math.abs(firedAt - 1000 / (1 + drift)) < 0.01, `${firedAt}`);
    assert.ok(local - begin >= 1000);
  }
});

test('in a frozen process nothing runs while its clock goes on; then everything does, in order by source', () => {
  const { scheduler, host } = create();
  const seen: string[] = [];
  const begin = host.clock.now();
  host.clock.after(10, () => seen.push('timer'));
  host.freeze();
  for (let i = 0; i < 5; i++)
    for (const source of [1, 2]) host.deliver(source, () => seen.push(`${source}.${i}`));
  scheduler.run(500);
  assert.equal(seen.length, 0);
  host.resume();
  assert.equal(host.clock.now() - begin, 500);
  assert.equal(seen.length, 11);
  for (const source of ['1', '2'])
    assert.deepEqual(
      seen.filter((s) => s.startsWith(source)),
      [0, 1, 2, 3, 4].map((i) => `${source}.${i}`),
    );
});

test('a paused machine loses the time that passed', () => {
  const { scheduler, host } = create();
  const begin = host.clock.now();
  let firedAt = 0;
  host.clock.after(100, () => {
    firedAt = scheduler.now();
  });
  scheduler.run(40);
  host.pauseVm();
  scheduler.run(1040);
  host.resume();
  assert.equal(host.clock.now() - begin, 40);
  scheduler.run(3000);
  assert.ok(Math.abs(firedAt - 1100) < 0.01, `${firedAt}`);
});

test('nothing of a crashed process runs in its successor', () => {
  const { scheduler, host } = create();
  let ran = 0;
  host.clock.after(10, () => ran++);
  host.freeze();
  host.deliver(1, () => ran++);
  host.crash();
  host.deliver(1, () => ran++);
  host.restart();
  scheduler.run(100);
  assert.equal(ran, 0);
  assert.equal(host.incarnation, 2);
});
