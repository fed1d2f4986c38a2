/**
 * Goal: the cache of a device becomes larger, smaller, none and again one while it is served, and nothing is lost; what cannot be
 * is refused with the reason. Method: a cached store over a disk in memory that fails where it is told.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { expectOk } from '../../test/contract/block-device.ts';
import { MemoryDisk } from '../../test/contract/memory-disk.ts';
import { copyOf } from '../base/segments.ts';
import type { WriteCache } from '../ports/block-device.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { openCachedStore } from './cached-store.ts';
import { setCache } from './device-cache.ts';
import type { OpenDevice } from './devices.ts';

const BLOCK = 512;
const PAGE = 8;
const MIB = 2 ** 20;

interface Choice {
  readonly writeCache?: WriteCache;
  readonly cacheMemory?: number;
  readonly isPowerProtected?: boolean;
  readonly kind?: 'file' | 'mirror';
}

async function opened({
  writeCache = 'back',
  cacheMemory = 0,
  isPowerProtected = true,
  kind = 'file',
}: Choice) {
  const disk = new MemoryDisk(2 * MIB);
  const clock = new ManualClock();
  const { device, cache } = await expectOk(
    openCachedStore({ disk, blockLength: BLOCK, writeCache, cacheMemory, clock, isPowerProtected }),
  );
  const spec = { kind, name: 'disk1', isPowerProtected } as unknown as OpenDevice['spec'];
  return { disk, device, cache, resize: (bytes: number) => setCache({ spec, cache }, bytes) };
}

const block = (value: number): Uint8Array[] => [new Uint8Array(BLOCK).fill(value)];

test('a device gets a cache and gives it up again while it is written, and counts go on', async () => {
  const { disk, device, cache, resize } = await opened({});
  await expectOk(device.write(0, block(1), 'cached'));
  assert.equal(disk.bytes[0], 1);
  await expectOk(resize(MIB));
  await expectOk(device.write(0, block(2), 'cached'));
  assert.equal(disk.bytes[0], 1);
  for (let page = 1; page < 100; page++) await expectOk(device.write(page * PAGE, block(page + 2), 'cached'));
  (await expectOk(device.read(0, 1))).release();
  assert.equal(cache.statistics.hits, 1);

  // Fewer frames than pages that are dirty: they are written out first.
  await expectOk(resize(272 * 1024));
  assert.ok(cache.statistics.memory <= 272 * 1024);
  for (let page = 0; page < 100; page++) {
    const loan = await expectOk(device.read(page * PAGE, 1));
    assert.equal(copyOf(loan.segments)[0], page + 2);
    loan.release();
  }
  await expectOk(device.write(0, block(200), 'cached'));
  await expectOk(resize(0));
  assert.deepEqual([disk.durable[0], cache.mode, cache.statistics.memory], [200, 'none', 0]);
  assert.ok(cache.statistics.hits > 0 && cache.statistics.destagedBytes > 0);
  await expectOk(device.write(0, block(201), 'cached'));
  assert.equal(disk.bytes[0], 201);
});

test('what cannot be written out keeps its cache', async () => {
  const { disk, device, cache, resize } = await opened({ cacheMemory: MIB });
  await expectOk(device.write(0, block(1), 'cached'));
  disk.badWrite.add(0);
  for (const bytes of [0, 272 * 1024]) {
    const refused = await resize(bytes);
    assert.match(
      refused.ok ? '' : refused.fault,
      /^The cache of device disk1 was not changed: block 0 could not be written: .*\.$/,
    );
  }
  assert.deepEqual([cache.mode, cache.statistics.dirtyPages], ['back', 1]);
  disk.badWrite.clear();
  await expectOk(resize(0));
  assert.equal(disk.durable[0], 1);
});

test('a cache that would hold writes back wants a power supply that was confirmed', async () => {
  const unsafe = await opened({ isPowerProtected: false });
  const refused = await unsafe.resize(MIB);
  assert.match(refused.ok ? '' : refused.fault, /power_protected = true in the configuration/);
  assert.equal(unsafe.cache.mode, 'none');
  const through = await opened({ isPowerProtected: false, writeCache: 'through' });
  await expectOk(through.resize(MIB));
  assert.equal(through.cache.mode, 'through');
});

test('sizes that are none are refused, and so is a cache of a disk in memory', async () => {
  const { resize } = await opened({});
  for (const bytes of [1, -1, 1.5, Number.NaN, 2 ** 60])
    assert.match(JSON.stringify(await resize(bytes)), /no size for a cache/);
  const spec = { kind: 'ram', name: 'disk1' } as unknown as OpenDevice['spec'];
  assert.match(JSON.stringify(await setCache({ spec, cache: undefined }, MIB)), /disk in memory/);
});
