// Goal: the disk loses what it may lose and nothing else, and lies only when told to. Method: one fault at a time over
// many seeds; sectors are numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../src/base/prng.ts';
import type { DiskOperation, DiskOutcome, SimulatedDisk } from './disk.ts';
import { createDisk, healthyDisk } from './disk.ts';
import { createHost } from './host.ts';
import type { Scheduler } from './scheduler.ts';
import { createScheduler } from './scheduler.ts';
import { createTrace } from './trace.ts';

interface Rig {
  readonly scheduler: Scheduler;
  readonly disk: SimulatedDisk<number>;
  readonly outcomes: Map<number, DiskOutcome<number>>;
  /** Submits and runs to the end. */
  readonly ask: (operation: DiskOperation<number>) => DiskOutcome<number>;
  readonly crash: (how: 'process' | 'power') => void;
  readonly content: () => number[];
}

const SECTORS = 16;

function createRig(seed = 1): Rig {
  const scheduler = createScheduler();
  const random = createPrng(seed);
  const host = createHost({ id: 0, scheduler, random, drift: 0 });
  const outcomes = new Map<number, DiskOutcome<number>>();
  const disk = createDisk<number>({
    source: 1,
    host,
    scheduler,
    random,
    trace: createTrace(() => scheduler.now()),
    sectorCount: SECTORS,
    latencyMs: { read: 1, write: 1, flush: 2 },
    corrupt: (value) => -value,
    onCompletion: (token, outcome) => outcomes.set(token, outcome),
  });
  return {
    scheduler,
    disk,
    outcomes,
    ask(operation) {
      disk.submit(operation, -1);
      scheduler.run(scheduler.now() + 1000);
      return outcomes.get(-1)!;
    },
    crash(how) {
      host.crash();
      disk.crash(how);
      host.restart();
    },
    content: () => Array.from({ length: SECTORS }, (_, sector) => disk.medium.read(sector) ?? 0),
  };
}

const write = (sector: number, ...values: number[]): DiskOperation<number> => ({
  kind: 'write',
  sector,
  values,
});
const FLUSH = { kind: 'flush' } as const;

test('what was flushed survives a loss of power; of the rest any part may be lost, sector by sector', () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    const { ask, crash, content } = createRig(seed);
    ask(write(0, 1, 1, 1, 1));
    ask(FLUSH);
    ask(write(2, 2, 2));
    ask(write(3, 3, 3));
    crash('power');
    const [a, b, c, d, e] = content();
    assert.deepEqual([a, b], [1, 1]);
    assert.ok([1, 2].includes(c!) && [1, 2, 3].includes(d!) && [0, 3].includes(e!));
    found.add([c, d, e].join());
  }
  for (const torn of ['1,1,0', '2,3,3', '2,2,0', '2,1,0', '1,3,3', '1,2,3']) assert.ok(found.has(torn), torn);
});

test('a crash of the process loses only what was in flight', () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    const { ask, crash, content, disk, scheduler, outcomes } = createRig(seed);
    ask(write(0, 1, 1));
    disk.submit(write(0, 2, 2), 7);
    crash('process');
    scheduler.run(scheduler.now() + 1000);
    assert.equal(outcomes.has(7), false);
    found.add(content().slice(0, 2).join());
  }
  assert.deepEqual([...found].sort(), ['1,1', '1,2', '2,1', '2,2']);
});

test('a flush covers what had completed before it was submitted', () => {
  let lost = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const { crash, content, disk, scheduler } = createRig(seed);
    disk.submit(write(0, 1), 1);
    disk.submit(FLUSH, 2);
    scheduler.run(1000);
    crash('power');
    if (content()[0] === 0) lost++;
  }
  assert.ok(lost > 10);
});

test('after a failed flush reads may show what no later flush will write', () => {
  let [shown, lost] = [0, 0];
  for (let seed = 1; seed <= 100; seed++) {
    const { ask, crash, content, disk } = createRig(seed);
    ask(write(0, 1));
    disk.conditions.flushError = 1;
    assert.deepEqual(ask(FLUSH), { ok: false, fault: 'ioError', sector: 0 });
    disk.conditions.flushError = 0;
    if (content()[0] === 1) shown++;
    assert.equal(ask(FLUSH).ok, true);
    crash('power');
    if (content()[0] === 0) lost++;
  }
  assert.ok(lost > 25 && shown > 100 - lost, `${lost} lost, ${shown} shown`);
});

test('errors are reported; a failed write may have been done in part; a full disk takes what overwrites', () => {
  const { ask, disk, content } = createRig();
  ask(write(0, 1, 1));
  disk.conditions.readError = 1;
  assert.equal(ask({ kind: 'read', sector: 0, count: 1 }).ok, false);
  disk.conditions.writeError = 1;
  assert.equal(ask(write(4, 1, 1)).ok, false);
  Object.assign(disk.conditions, healthyDisk(), { noSpace: true });
  assert.deepEqual(ask(write(1, 2, 2)), { ok: false, fault: 'noSpace', sector: 2 });
  assert.equal(ask(write(0, 2, 2)).ok, true);
  assert.deepEqual(content().slice(0, 2), [2, 2]);
});

test('a hung disk answers when it is released, a slow one late', () => {
  const { scheduler, disk, outcomes } = createRig();
  disk.conditions.hung = true;
  disk.submit(write(0, 1), 1);
  scheduler.run(10_000);
  assert.equal(outcomes.size, 0);
  assert.equal(disk.inFlight, 1);
  disk.conditions.hung = false;
  disk.release();
  scheduler.run(10_100);
  assert.equal(outcomes.get(1)?.ok, true);
  disk.conditions.slowness = 1000;
  disk.submit(write(0, 2), 2);
  scheduler.run(10_110);
  assert.equal(outcomes.has(2), false);
  scheduler.run(100_000);
  assert.equal(outcomes.get(2)?.ok, true);
});

test('lost and misdirected writes are answered all the same', () => {
  const { ask, disk, content } = createRig(2);
  disk.conditions.lostWrite = 1;
  assert.equal(ask(write(0, 1)).ok, true);
  assert.ok(content().every((value) => value === 0));
  Object.assign(disk.conditions, { lostWrite: 0, misdirectedWrite: 1 });
  assert.equal(ask(write(0, 1)).ok, true);
  assert.equal(content().filter((value) => value === 1).length, 1);
});

test('a punched sector is a hole, and a replaced disk holds what the other one held', () => {
  const { ask, disk, content } = createRig();
  ask(write(0, 1, 2, 3));
  ask(FLUSH);
  disk.keepCopy();
  ask({ kind: 'punch', sector: 1, count: 1 });
  assert.deepEqual(ask({ kind: 'read', sector: 0, count: 3 }), { ok: true, values: [1, undefined, 3] });
  disk.medium.replace(disk.keptCopy);
  assert.deepEqual(content().slice(0, 3), [1, 2, 3]);
  disk.medium.replace(new Map());
  assert.ok(content().every((value) => value === 0));
});

test('a disk that is opened anew shows what it holds, whatever a failed flush has left behind', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const { ask, crash, content, disk } = createRig(seed);
    ask(write(0, 1));
    disk.conditions.flushError = 1;
    ask(FLUSH);
    disk.conditions.flushError = 0;
    disk.reopen();
    const shown = content()[0];
    crash('power');
    assert.equal(content()[0], shown);
  }
});
