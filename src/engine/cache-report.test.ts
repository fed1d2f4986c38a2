/** Goal: what caches tell is so. Method: a cache over a disk in memory that fails where it is told. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { MemoryDisk } from '../../test/contract/memory-disk.ts';
import { expectOk } from '../../test/contract/block-device.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { cacheStatistics, reportWriteOut } from './cache-report.ts';
import { openCachedStore } from './cached-store.ts';

const BLOCK = 512;
const MEMORY = 2 ** 20;

async function opened() {
  const disk = new MemoryDisk(2 ** 20);
  const clock = new ManualClock();
  const { device, cache } = await expectOk(
    openCachedStore({ disk, blockLength: BLOCK, writeCache: 'back', cacheMemory: MEMORY, clock }),
  );
  return { disk, clock, device, cache };
}

const block = (value: number): Uint8Array[] => [new Uint8Array(BLOCK).fill(value)];

test('statistics of a cache tell bytes, and why it cannot be written out', async () => {
  const { disk, device, cache } = await opened();
  await expectOk(device.write(0, block(1), 'cached'));
  for (const lba of [0, 100]) (await expectOk(device.read(lba, 1))).release();
  const { mode, memory, used, dirty, hits, misses, destaged, fault } = cacheStatistics(cache, 'back');
  assert.ok(memory > MEMORY * 0.7 && memory <= MEMORY);
  assert.deepEqual(
    [mode, used, dirty, hits, misses, destaged, fault],
    ['back', 8192, 4096, 1, 1, 0, undefined],
  );
  disk.badWrite.add(0);
  assert.equal((await device.flush()).ok, false);
  assert.match(cacheStatistics(cache, 'back').fault!, /block 0 could not be written/);
});

test('what is left to write out is told while it becomes less, and what was not written when it is over', async () => {
  const { clock, disk, device, cache } = await opened();
  const told: number[] = [];
  const events: string[] = [];
  for (const lba of [0, 80, 160]) await expectOk(device.write(lba, block(1), 'cached'));
  const report = () =>
    reportWriteOut({
      caches: new Map([['disk1', cache]]),
      clock,
      trace: (_level, event, fields) => events.push(`${event} ${String(fields?.['bytes'])}`),
      tell: (bytes) => told.push(bytes),
    });
  const end = report();
  assert.deepEqual([told, events], [[12_288], ['cache.writingOut 12288']]);
  await expectOk(device.flush());
  clock.advance(1000);
  end();
  clock.advance(1000);
  assert.deepEqual([told, events.length], [[12_288], 1]);

  await expectOk(device.write(0, block(2), 'cached'));
  disk.badWrite.add(0);
  const endBadly = report();
  assert.equal((await device.flush()).ok, false);
  endBadly();
  assert.equal(events.at(-1), 'cache.notWrittenOut 4096');
});
