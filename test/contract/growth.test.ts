// Goal: what can become larger does, with zeros behind its former end, and what was there stays. Method: every store, over
// memory, a file and a cache; the file disk also with a file that somebody else cuts short, and a full file system.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { createCache, MEMORY_MIN } from '../../src/cache/cache.ts';
import type { GrowableDevice } from '../../src/ports/block-device.ts';
import type { Disk } from '../../src/ports/disk.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openFileDisk } from '../../src/runtime/file-disk.ts';
import { openFlatStore } from '../../src/store/flat-store.ts';
import { createRamStore } from '../../src/store/ram-store.ts';
import { expectFault, expectOk, readAll } from './block-device.ts';
import { readBytes } from './disk.ts';
import { MemoryDisk } from './memory-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-growth-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `${(files += 1)}.img`);

const BLOCK = 512;
/** Ends within a page of caches and within a granule. */
const BLOCKS = 163;

function fileDisk(path: string, allocation: 'sparse' | 'thick' = 'sparse'): Promise<Disk> {
  return expectOk(openFileDisk(path, { readOnly: false, create: { length: BLOCKS * BLOCK, allocation } }));
}

function flat(disk: Disk, thin = true): Promise<GrowableDevice> {
  return expectOk(openFlatStore({ disk, blockLength: BLOCK, writeCache: 'back', thin }));
}

const stores: Readonly<Record<string, () => Promise<GrowableDevice>>> = {
  RAM: () => Promise.resolve(createRamStore({ blockLength: BLOCK, blockCount: BLOCKS })),
  'flat over memory': () => flat(new MemoryDisk(BLOCKS * BLOCK)),
  'flat over a sparse file': async () => flat(await fileDisk(newPath())),
  'flat over a thick file': async () => flat(await fileDisk(newPath(), 'thick'), false),
  'cache over flat': async () => {
    const below = await flat(await fileDisk(newPath()));
    return createCache({ below, clock: systemClock, mode: 'back', memory: MEMORY_MIN });
  },
};

const filled = (blocks: number, value: number): Uint8Array => new Uint8Array(blocks * BLOCK).fill(value);

for (const [name, open] of Object.entries(stores)) {
  test(`${name}: what is new reads as zeros, and what was there stays`, async () => {
    const device = await open();
    const before = device.geometry;
    await expectOk(device.write(BLOCKS - 9, [filled(9, 7)], 'cached'));
    await expectOk(device.grow(BLOCKS + 200));
    assert.notEqual(device.geometry, before, 'whoever remembers the geometry sees that it is another one');
    assert.deepEqual(device.geometry, { ...before, blockCount: BLOCKS + 200 });
    assert.deepEqual(await readAll(device, BLOCKS - 9, 9), filled(9, 7));
    assert.deepEqual(await readAll(device, BLOCKS, 200), filled(200, 0));
    await expectOk(device.write(BLOCKS - 1, [filled(30, 8)], 'durable'));
    assert.deepEqual(
      await readAll(device, BLOCKS - 2, 33),
      Uint8Array.from([...filled(1, 7), ...filled(30, 8), ...filled(2, 0)]),
    );
    await device.close();
  });

  test(`${name}: what lies behind the end that counts is given up, on disk and in memory`, async () => {
    const device = await open();
    await expectOk(device.write(90, [filled(70, 7)], 'cached'));
    await expectOk(device.grow(120, 101));
    assert.deepEqual(await readAll(device, 90, 11), filled(11, 7));
    assert.deepEqual(await readAll(device, 101, BLOCKS - 101), filled(BLOCKS - 101, 0));
    await expectOk(device.flush());
    assert.deepEqual(await readAll(device, 101, BLOCKS - 101), filled(BLOCKS - 101, 0));
    assert.equal(device.geometry.blockCount, BLOCKS, 'it is not made shorter');
    await device.close();
  });
}

test('calls at the same time: each begins where the last has ended', async () => {
  const device = await stores['flat over a thick file']!();
  const first = device.grow(BLOCKS + 100);
  const others = [device.grow(BLOCKS + 40), device.grow(BLOCKS + 300)];
  await expectOk(first);
  await expectOk(device.write(BLOCKS + 90, [filled(10, 9)], 'durable'));
  for (const other of others) await expectOk(other);
  assert.equal(device.geometry.blockCount, BLOCKS + 300);
  assert.deepEqual(await readAll(device, BLOCKS + 90, 10), filled(10, 9));
  await device.close();
});

test('a thick file has the space of what is new', async () => {
  const path = newPath();
  const disk = await fileDisk(path, 'thick');
  await expectOk(disk.grow(BLOCKS * BLOCK, 4 * 1024 * 1024, true));
  assert.ok(statSync(path).blocks * 512 >= 4 * 1024 * 1024);
  assert.equal(disk.length, 4 * 1024 * 1024);
  await expectOk(disk.write(4 * 1024 * 1024 - 512, [filled(1, 3)]));
  await disk.close();
});

test('a file that somebody has cut short does not grow over what it has lost', async () => {
  const path = newPath();
  const disk = await fileDisk(path);
  await expectOk(disk.write(0, [filled(BLOCKS, 3)]));
  truncateSync(path, 20 * BLOCK);
  const fault = await expectFault(disk.grow(BLOCKS * BLOCK, 2 * BLOCKS * BLOCK, false));
  assert.equal(fault.kind, 'ioError');
  assert.equal(statSync(path).size, 20 * BLOCK);
  await disk.close();
});

test('a cache whose medium cannot be flushed says that what was written before may be lost, too', async () => {
  const disk = new MemoryDisk(BLOCKS * BLOCK);
  const below = await flat(disk);
  const device = createCache({ below, clock: systemClock, mode: 'back', memory: MEMORY_MIN });
  await expectOk(device.write(110, [filled(1, 7)], 'cached'));
  disk.flushFails = true;
  assert.equal((await expectFault(device.grow(2 * BLOCKS, 100))).kind, 'flushFailed');
  disk.flushFails = false;
  await expectOk(device.grow(2 * BLOCKS, 100));
  assert.deepEqual(await readAll(device, 110, 1), filled(1, 0));
  await device.close();
});

test('a read-only store stays as it is, and says so', async () => {
  const disk = new MemoryDisk(BLOCKS * BLOCK);
  disk.readOnly = true;
  const device = await flat(disk);
  assert.deepEqual(await expectFault(device.grow(2 * BLOCKS)), {
    kind: 'readOnly',
    message: 'memory is read-only',
  });
});

test('a full file system: the store says so, keeps its length and lives on; nothing stays reserved', async (t) => {
  const mount = join(folder, 'full');
  mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', mount], { stdio: 'ignore' });
  } catch {
    return t.skip('mount is not possible here');
  }
  try {
    const path = join(mount, 'disk.img');
    const device = await flat(await fileDisk(path, 'thick'), false);
    await expectOk(device.write(0, [filled(BLOCKS, 5)], 'durable'));
    const fault = await expectFault(device.grow(8192));
    assert.deepEqual(fault, {
      kind: 'noSpace',
      message: `there is no room for 4194304 bytes where ${path} lies`,
    });
    assert.equal(device.geometry.blockCount, BLOCKS);
    assert.equal(statSync(path).size, BLOCKS * BLOCK);
    await expectOk(device.write(BLOCKS - 1, [filled(1, 6)], 'durable'));
    await expectOk(device.grow(1024));
    assert.deepEqual(
      await readAll(device, BLOCKS - 2, 3),
      Uint8Array.from([...filled(1, 5), ...filled(1, 6), ...filled(1, 0)]),
    );
    await device.close();
  } finally {
    execFileSync('umount', [mount]);
  }
});

test('a block device grows to what it has been given, and says when that is not enough', async (t) => {
  const path = newPath();
  const file = await fileDisk(path);
  await expectOk(file.grow(BLOCKS * BLOCK, 1024 * 1024, false));
  await file.close();
  let loop: string;
  try {
    loop = execFileSync('losetup', ['--find', '--show', path], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return t.skip('losetup is not possible here');
  }
  try {
    const disk = await expectOk(openFileDisk(loop, { readOnly: false }));
    const device = await flat(disk);
    assert.deepEqual(await expectFault(device.grow(4096)), {
      kind: 'mediumEnds',
      message: `${loop} has 1048576 bytes, and 2097152 are wanted: enlarge it first`,
    });
    await expectOk(device.write(2047, [filled(1, 4)], 'durable'));
    truncateSync(path, 2 * 1024 * 1024);
    execFileSync('losetup', ['--set-capacity', loop]);
    await expectOk(device.grow(4096));
    assert.equal(device.geometry.blockCount, 4096);
    assert.deepEqual(
      await readBytes(disk, 2047 * BLOCK, 2 * BLOCK),
      Uint8Array.from([...filled(1, 4), ...filled(1, 0)]),
    );
    await device.close();
  } finally {
    execFileSync('losetup', ['--detach', loop]);
  }
});
