/**
 * Goal: a load finds what a storage does wrong, and accuses nobody else. Method: a perfect disk in memory, and the same disk
 * with one flaw each; time is real, and the loads are short.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../base/prng.ts';
import type { Outcome, Task } from '../initiator/multipath.ts';
import { systemClock } from '../runtime/clock.ts';
import { Disk } from './disk.ts';
import { History } from './history.ts';
import { startLoad } from './load.ts';
import { Meter } from './meter.ts';
import type { Profile } from './worker.ts';

const BLOCK = 4096;
const BLOCKS = 4096;
const RUN_MS = 400;

interface Command {
  readonly kind: 'read' | 'write' | 'compareAndWrite' | 'flush';
  readonly lba: number;
  readonly blocks: number;
  readonly data: Uint8Array;
}

type Perform = (bytes: Uint8Array, command: Command, count: number) => Outcome;

const KINDS = new Map([
  [0x88, 'read'],
  [0x8a, 'write'],
  [0x89, 'compareAndWrite'],
  [0x91, 'flush'],
] as const);

function perfect(bytes: Uint8Array, { kind, lba, blocks, data }: Command): Outcome {
  const at = lba * BLOCK;
  if (kind === 'read') return { kind: 'good', data: bytes.slice(at, at + blocks * BLOCK) };
  if (kind === 'write') bytes.set(data, at);
  if (kind === 'compareAndWrite') {
    if (!data.subarray(0, BLOCK).every((byte, i) => byte === bytes[at + i])) return { kind: 'miscompare' };
    bytes.set(data.subarray(BLOCK), at);
  }
  return { kind: 'good', data: new Uint8Array(0) };
}

async function run(perform: Perform, profile: Profile = 'mixed') {
  const bytes = new Uint8Array(BLOCKS * BLOCK);
  const history = new History();
  const meter = new Meter(() => systemClock.now());
  let count = 0;
  const execute = (task: Task): void => {
    const { cdb, write = new Uint8Array(0) } = task.request();
    const view = new DataView(cdb.buffer);
    const kind = KINDS.get(cdb[0] as 0x88)!;
    const blocks = kind === 'compareAndWrite' ? 1 : view.getUint32(10);
    const command = { kind, lba: Number(view.getBigUint64(2)), blocks, data: write };
    const outcome = perform(bytes, command, ++count);
    setTimeout(() => task.done(outcome), 1);
  };
  const capacity = { blocks: BLOCKS, blockLength: BLOCK };
  const disk = new Disk({ host: { execute }, capacity, history, meter, now: () => systemClock.now() });
  meter.start();
  const load = startLoad({ disk, clock: systemClock, random: createPrng(5), profile });
  await new Promise((resolve) => setTimeout(resolve, RUN_MS));
  await load.stop();
  return { history, measured: meter.measured, bytes };
}

test('a perfect disk is accused of nothing, under either load', async () => {
  for (const profile of ['mixed', 'mail'] as const) {
    const { history, measured } = await run(perfect, profile);
    assert.equal(history.judge(), undefined);
    assert.ok(measured.commands > 10);
    assert.equal(measured.failed, 0);
  }
});

test('a write that is answered and not done is found', async () => {
  const { history } = await run((bytes, command, count) =>
    command.kind === 'write' && count % 20 === 0
      ? { kind: 'good', data: new Uint8Array(0) }
      : perfect(bytes, command),
  );
  assert.match(history.judge() ?? '', /backwardInsideForward|forwardZonesOverlap/);
});

test('a read that brings what was there before is found', async () => {
  let old = new Uint8Array(BLOCKS * BLOCK);
  const { history } = await run((bytes, command, count) => {
    if (count % 200 === 0) old = bytes.slice();
    return perfect(command.kind === 'read' && count % 3 === 0 ? old : bytes, command);
  });
  assert.notEqual(history.judge(), undefined);
});

test('a block of which half is another one is found', async () => {
  const { history } = await run((bytes, command, count) => {
    const outcome = perfect(bytes, command);
    if (outcome.kind === 'good' && command.kind === 'read' && count > 100)
      outcome.data.copyWithin(BLOCK / 2, 0, 8);
    return outcome;
  });
  assert.match(history.judge() ?? '', /unwrittenValue/);
});

test('a swap that was done and answered as a miscompare is found', async () => {
  let swaps = 0;
  const { history } = await run((bytes, command) => {
    const outcome = perfect(bytes, command);
    return command.kind === 'compareAndWrite' && ++swaps === 3 ? { kind: 'miscompare' } : outcome;
  });
  assert.match(history.judge() ?? '', /lockNotAtomic/);
});

test('copies that differ, and an acknowledged write that no copy has, are found', () => {
  const history = new History();
  const block = { block: 1, acknowledged: true };
  history.writes.push({ ...block, value: 1, invokedAt: 0, returnedAt: 1 });
  history.writes.push({ ...block, value: 2, invokedAt: 2, returnedAt: 3 });
  const copy = (node: number, value: number) => ({ node, values: [0, value] });
  assert.equal(history.judgeCopies([copy(1, 2), copy(2, 2)], 10), undefined);
  assert.match(history.judgeCopies([copy(1, 2), copy(2, 1)], 10) ?? '', /replicasDiffer/);
  assert.match(history.judgeCopies([copy(1, 1), copy(2, 1)], 10) ?? '', /acknowledgedWriteLost/);
});

test('a stall is the time in which somebody waited and nobody was answered', () => {
  let now = 0;
  const meter = new Meter(() => now);
  meter.start();
  now = 100;
  const one = meter.begun();
  now = 150;
  const two = meter.begun();
  now = 160;
  meter.ended(one, { kind: 'good' });
  now = 200;
  assert.equal(meter.measured.stallMs, 60);
  now = 300;
  meter.ended(two, { kind: 'failed', why: 'no path' });
  const { commands, failed, stallMs, stallAtMs, longestMs, failures } = meter.measured;
  assert.deepEqual(
    { commands, failed, stallMs, stallAtMs, longestMs },
    { commands: 2, failed: 1, stallMs: 140, stallAtMs: 160, longestMs: 150 },
  );
  assert.deepEqual(failures, ['no path']);
});
