/**
 * Goal: a device with memory has a cache above its store, in the mode that it is to have; one without has none; and before
 * the medium is opened anew nothing is left in memory. Method: a file, and a disk in memory that fails where it is told.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import { copyOf } from '../base/segments.ts';
import type { WriteCache } from '../ports/block-device.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { MemoryDisk } from '../../test/contract/memory-disk.ts';
import { type CachedStore, openCachedStore } from './cached-store.ts';

const BLOCK = 512;
const MEMORY = 2 ** 20;

function opened(writeCache: WriteCache, cacheMemory: number) {
  const disk = new MemoryDisk(2 ** 20);
  const clock = new ManualClock();
  const store = openCachedStore({ disk, blockLength: BLOCK, writeCache, cacheMemory, clock });
  assert.ok(store.ok);
  return { disk, clock, store: store.value };
}

async function done<T, F>(answer: MaybeAsync<Result<T, F>>): Promise<T> {
  const result = isAsync(answer) ? await answer : answer;
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

async function firstByte({ device }: CachedStore, lba: number): Promise<number> {
  const loan = await done(device.read(lba, 1));
  const [byte] = copyOf(loan.segments);
  loan.release();
  return byte!;
}

const block = (value: number): Uint8Array[] => [new Uint8Array(BLOCK).fill(value)];

test('without memory the store answers for itself, in its own mode', async () => {
  for (const mode of ['through', 'back'] as const) {
    const { disk, store } = opened(mode, 0);
    assert.deepEqual([store.cache.mode, store.device.writeCache], ['none', mode]);
    await done(store.device.write(0, block(1), 'cached'));
    assert.equal(disk.durable[0], mode === 'through' ? 1 : 0);
    await store.letGo();
  }
});

test('with memory reads find what was there before, and writes are answered as the mode says', async () => {
  const through = opened('through', MEMORY);
  assert.equal(through.store.device.writeCache, 'through');
  await done(through.store.device.write(0, block(1), 'cached'));
  assert.equal(through.disk.durable[0], 1);
  const { reads } = through.disk;
  assert.equal(await firstByte(through.store, 0), 1);
  assert.equal(through.disk.reads, reads);

  const back = opened('back', MEMORY);
  await done(back.store.device.write(0, block(1), 'cached'));
  assert.deepEqual([back.disk.bytes[0], await firstByte(back.store, 0)], [0, 1]);
  await done(back.store.device.write(8, block(2), 'durable'));
  assert.equal(back.disk.durable[8 * BLOCK], 2);
  await done(back.store.device.setWriteCache('through'));
  assert.deepEqual([back.store.device.writeCache, back.disk.durable[0]], ['through', 1]);
});

test('what is wrong with the medium is told, with a cache as without', () => {
  for (const cacheMemory of [0, MEMORY]) {
    const disk = new MemoryDisk(1000);
    const clock = new ManualClock();
    const store = openCachedStore({ disk, blockLength: BLOCK, writeCache: 'back', cacheMemory, clock });
    assert.equal(store.ok ? undefined : store.fault.kind, 'notWholeBlocks');
  }
});

test('before a medium is opened anew it gets what only memory had, as far as it takes it, and the rest is forgotten', async () => {
  const { disk, store } = opened('back', MEMORY);
  await done(store.device.write(0, block(1), 'cached'));
  await done(store.device.write(80, block(2), 'cached'));
  disk.badWrite.add(80 * BLOCK);
  await store.letGo();
  assert.deepEqual([disk.bytes[0], disk.bytes[80 * BLOCK]], [1, 0]);
  disk.badWrite.clear();
  disk.bytes.fill(7);
  assert.deepEqual([await firstByte(store, 0), await firstByte(store, 80)], [7, 7]);
  await done(store.device.write(80, block(3), 'cached'));
  await done(store.device.flush());
  assert.deepEqual([disk.durable[80 * BLOCK], store.cache.statistics.dirtyPages], [3, 0]);
});

test('without a power supply that lasts memory never holds a write back, whoever asks for it', async () => {
  const disk = new MemoryDisk(2 ** 20);
  const common = { disk, blockLength: BLOCK, clock: new ManualClock(), isPowerProtected: false } as const;
  const { cache } = await done(openCachedStore({ ...common, writeCache: 'through', cacheMemory: MEMORY }));
  assert.equal((await cache.setWriteCache('back')).ok, false);
  assert.equal(cache.writeCache, 'through');
  await done(cache.resize(0));
  // What the store holds back is its own affair.
  await done(cache.setWriteCache('back'));
  assert.equal((await cache.resize(MEMORY)).ok, false);
  assert.deepEqual([cache.mode, cache.writeCache], ['none', 'back']);
});
