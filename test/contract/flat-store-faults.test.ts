// Goal: a flat store names the block a fault concerns, lives on, and promises durability only when it is true. Method:
// a disk in memory with bad bytes, little room, failing flushes and a memory of what was flushed.

import assert from 'node:assert/strict';
import test from 'node:test';
import { fail } from '../../src/base/result.ts';
import type { BlockDevice, WriteCache } from '../../src/ports/block-device.ts';
import { openFlatStore } from '../../src/store/flat-store.ts';
import { expectFault, expectOk, readAll } from './block-device.ts';
import { GRANULE, MemoryDisk } from './memory-disk.ts';

const BLOCK = 512;

async function open(disk: MemoryDisk, writeCache: WriteCache = 'back', thin = true): Promise<BlockDevice> {
  return await expectOk(openFlatStore({ disk, blockLength: BLOCK, writeCache, thin }));
}

const blocks = (count: number, value: number): Uint8Array => new Uint8Array(count * BLOCK).fill(value);

test('a disk that is no whole number of blocks is refused by name', async () => {
  const fault = await expectFault(
    openFlatStore({ disk: new MemoryDisk(10_001), blockLength: BLOCK, writeCache: 'back' }),
  );
  assert.equal(fault.kind, 'notWholeBlocks');
  assert.match(fault.message, /memory has 10001 bytes, 273 more than whole blocks of 512/);
  const empty = openFlatStore({ disk: new MemoryDisk(100), blockLength: BLOCK, writeCache: 'back' });
  assert.equal((await expectFault(empty)).kind, 'tooSmall');
});

test('a medium error names the first block that fails, wherever it is, with few reads', async () => {
  for (const bad of [0, 1, 17, 62, 63]) {
    const disk = new MemoryDisk(64 * BLOCK);
    const device = await open(disk);
    disk.badRead.add(bad * BLOCK + 5).add(63 * BLOCK);
    disk.badWrite.add(bad * BLOCK + 5).add(63 * BLOCK);
    const expected = { kind: 'mediumError', lba: bad } as const;
    assert.deepEqual(await expectFault(device.read(0, 64)), {
      ...expected,
      operation: 'read',
      cause: 'read: EIO',
    });
    assert.ok(disk.reads <= 7);
    assert.deepEqual(await expectFault(device.write(0, [blocks(64, 1)], 'cached')), {
      ...expected,
      operation: 'write',
      cause: 'write: EIO',
    });
    if (bad > 0) await readAll(device, 0, bad);
    await device.close();
  }
});

test('no space names its block, and the device lives on', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  const device = await open(disk);
  disk.room = 2;
  assert.deepEqual(await expectFault(device.write(3, [blocks(40, 1)], 'durable')), {
    kind: 'noSpace',
    lba: 16,
  });
  await expectOk(device.write(3, [blocks(10, 2)], 'durable'));
  assert.deepEqual(await readAll(device, 3, 10), blocks(10, 2));
  await expectOk(device.unmap([{ lba: 0, blocks: 64 }], 'durable'));
  await expectOk(device.write(40, [blocks(8, 3)], 'durable'));
  await device.close();
});

test('what was answered durable survives a power loss at once', async () => {
  for (const mode of ['back', 'through'] as const) {
    const disk = new MemoryDisk(64 * BLOCK);
    let turns = 0;
    disk.delay = () => (turns = (turns * 5 + 3) % 7);
    const device = await open(disk, mode);
    const durability = mode === 'back' ? 'durable' : 'cached';
    const writes = Array.from({ length: 40 }, async (_, lba) => {
      await expectOk(device.write(lba, [blocks(1, lba + 1)], durability));
      assert.equal(disk.durable[lba * BLOCK], lba + 1);
      assert.equal(disk.durable[(lba + 1) * BLOCK - 1], lba + 1);
    });
    await Promise.all(writes);
    await expectOk(device.unmap([{ lba: 0, blocks: 11 }], durability));
    assert.ok(disk.durable.subarray(0, 11 * BLOCK).every((byte) => byte === 0));
    await device.close();
  }
});

test('durable writes of one moment share flushes, and a clean device is not flushed', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  const device = await open(disk);
  await Promise.all(
    Array.from({ length: 32 }, async (_, lba) => expectOk(device.write(lba, [blocks(1, 1)], 'durable'))),
  );
  assert.ok(disk.flushes <= 3, `${disk.flushes} flushes`);
  const before = disk.flushes;
  await expectOk(device.flush());
  assert.equal(disk.flushes, before);
  await device.close();
});

test('a failed flush fails every durable write that waited for it, not the device', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  const device = await open(disk);
  disk.flushFails = true;
  const faults = await Promise.all(
    [5, 6, 7].map(async (lba) => expectFault(device.write(lba, [blocks(1, 1)], 'durable'))),
  );
  assert.deepEqual(
    faults.map((fault) => fault.kind === 'mediumError' && fault.lba),
    [5, 6, 7],
  );
  await expectFault(device.setWriteCache('through'));
  assert.equal(device.writeCache, 'back');
  await expectOk(device.write(8, [blocks(1, 9)], 'cached'));
  assert.deepEqual(await readAll(device, 8, 1), blocks(1, 9));
  await device.close();
});

test('a read-only disk refuses every change and reads', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  disk.readOnly = true;
  const device = await open(disk);
  assert.equal(device.geometry.readOnly, true);
  const refused = fail({ kind: 'writeProtected' });
  assert.deepEqual(await device.write(0, [blocks(1, 1)], 'cached'), refused);
  assert.deepEqual(await device.writeSame(0, 1, blocks(1, 0), 'cached'), refused);
  assert.deepEqual(await device.writeSame(0, 1, blocks(1, 1), 'cached'), refused);
  assert.deepEqual(await device.unmap([{ lba: 0, blocks: 1 }], 'cached'), refused);
  assert.deepEqual(await device.compareAndWrite(0, [blocks(1, 0)], [blocks(1, 1)], 'cached'), refused);
  await expectOk(device.flush());
  await readAll(device, 0, 64);
  await device.close();
});

test('a device that is not thin keeps its space and is mapped all over', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  const device = await open(disk, 'back', false);
  await expectOk(device.write(0, [blocks(64, 1)], 'cached'));
  await expectOk(device.unmap([{ lba: 0, blocks: 64 }], 'cached'));
  assert.deepEqual(await readAll(device, 0, 64), blocks(64, 0));
  assert.ok(disk.present.every((granule) => granule));
  assert.deepEqual(await expectOk(device.mapping(0, 64, 9)), [{ lba: 0, blocks: 64, mapped: true }]);
  await device.close();
});

test('the geometry tells of the medium beneath', async () => {
  const device = await open(new MemoryDisk(64 * BLOCK));
  const { physicalBlockExponent, unmapGranularity, blockCount } = device.geometry;
  assert.deepEqual([physicalBlockExponent, unmapGranularity, blockCount], [3, GRANULE / BLOCK, 64]);
  await device.close();
});

test('close waits for what runs and makes it durable', async () => {
  const disk = new MemoryDisk(64 * BLOCK);
  disk.delay = () => 5;
  const device = await open(disk);
  const written = device.write(0, [blocks(8, 4)], 'cached');
  await device.close();
  await expectOk(written);
  assert.equal(disk.durable[8 * BLOCK - 1], 4);
});
