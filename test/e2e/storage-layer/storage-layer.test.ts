/**
 * Goal: the layer below the stores of other tests does to them what disks do. Method: files through it, with every kind of
 * fault, and losses of power with many seeds: what was flushed is there, the rest is there in part.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { punchHole, seekData, seekHole } from '../../../src/runtime/libc.ts';
import { compileLayer, layerLacks, StorageLayer } from './storage-layer.ts';

const SECTOR = 512;
const BLOCK = 4096;
const BLOCKS = 64;
const lack = layerLacks();

interface Bench extends AsyncDisposable {
  readonly layer: StorageLayer;
  readonly mounted: string;
  readonly folder: string;
}

async function bench(seed: number, isVolatile: boolean): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-layer-'));
  const program = await compileLayer(directory);
  const [folder, mounted] = [join(directory, 'disk'), join(directory, 'mounted')];
  const layer = new StorageLayer({ program, folder, mountPoint: mounted, seed, isVolatile });
  await layer.start();
  return {
    layer,
    mounted,
    folder,
    async [Symbol.asyncDispose]() {
      await layer[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

function blockOf(value: number): Uint8Array {
  return new Uint8Array(BLOCK).fill(value);
}

async function writeBlocks(file: FileHandle, value: number): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- a disk is written to in this order
  for (let at = 0; at < BLOCKS; at++) await file.write(blockOf(value), 0, BLOCK, at * BLOCK);
}

describe('a disk below a test', { concurrency: 1 }, () => {
  test('keeps what was flushed, and loses some of the rest in sectors', async (t) => {
    if (lack !== undefined) return t.skip(lack);
    const found = { lost: 0, kept: 0, torn: 0 };
    await using b = await bench(1, true);
    for (let turn = 0; turn < 5; turn++) {
      const path = join(b.mounted, `file${turn}`);
      // oxlint-disable no-await-in-loop -- one loss of power after the other
      const file = await open(path, 'w+');
      await writeBlocks(file, 1);
      await file.datasync();
      await writeBlocks(file, 2);
      assert.deepEqual(new Set(await readFile(path)), new Set([2]));
      await b.layer.powerOff();
      await file.close().catch(() => {});
      await b.layer.start();
      const after = await readFile(path);
      // oxlint-enable no-await-in-loop
      assert.equal(after.length, BLOCKS * BLOCK);
      for (let at = 0; at < BLOCKS; at++) {
        const sectors = new Set<number>();
        for (let sector = 0; sector < BLOCK; sector += SECTOR) {
          const values = new Set(after.subarray(at * BLOCK + sector, at * BLOCK + sector + SECTOR));
          assert.equal(values.size, 1, 'sectors are whole');
          for (const value of values) sectors.add(value);
        }
        if (sectors.size > 1) found.torn++;
        else if (sectors.has(1)) found.lost++;
        else found.kept++;
        assert.ok(!sectors.has(0), 'what was flushed is there');
      }
    }
    t.diagnostic(JSON.stringify(found));
    for (const count of Object.values(found)) assert.ok(count > 10, JSON.stringify(found));
  });

  test('has holes where none is, after a loss of power, unless they were flushed', async (t) => {
    if (lack !== undefined) return t.skip(lack);
    await using b = await bench(2, true);
    const path = join(b.mounted, 'file');
    const file = await open(path, 'w+');
    await file.truncate(2 * BLOCKS * BLOCK);
    await writeBlocks(file, 7);
    assert.equal(await seekHole(file.fd, 0), BLOCKS * BLOCK);
    await file.datasync();
    assert.equal(await punchHole(file.fd, 0, BLOCK), 0);
    await file.datasync();
    assert.equal(await seekData(file.fd, 0), BLOCK);
    assert.equal(await punchHole(file.fd, BLOCK, (BLOCKS - 2) * BLOCK), 0);
    assert.deepEqual(new Set((await readFile(path)).subarray(0, (BLOCKS - 1) * BLOCK)), new Set([0]));
    await b.layer.powerOff();
    await file.close().catch(() => {});
    await b.layer.start();
    const after = await readFile(path);
    assert.deepEqual(new Set(after.subarray(0, BLOCK)), new Set([0]));
    assert.deepEqual(new Set(after.subarray((BLOCKS - 1) * BLOCK, BLOCKS * BLOCK)), new Set([7]));
    assert.ok(after.includes(7, BLOCK));
  });

  test('refuses, fills up, slows down and hangs, for the files that are named', async (t) => {
    if (lack !== undefined) return t.skip(lack);
    await using b = await bench(3, false);
    const [image, other] = [
      await open(join(b.mounted, 'a.img'), 'w+'),
      await open(join(b.mounted, 'b'), 'w+'),
    ];
    await image.truncate(4 * BLOCK);
    await image.write(blockOf(1), 0, BLOCK, 0);
    const files = '/*.img';
    const codeOf = (work: Promise<unknown>): Promise<unknown> =>
      work.then(
        () => 'done',
        (error: NodeJS.ErrnoException) => error.code,
      );
    const write = (at: number): Promise<unknown> => codeOf(image.write(blockOf(2), 0, BLOCK, at * BLOCK));
    const read = (): Promise<unknown> => codeOf(image.read(blockOf(0), 0, BLOCK, 0));

    await b.layer.set({ files, operation: 'write', effect: 'eio' });
    assert.deepEqual([await write(0), await read(), await codeOf(image.datasync())], ['EIO', 'done', 'done']);
    assert.equal(await codeOf(other.write('x')), 'done');
    assert.equal(await b.layer.clear(), 1);
    await b.layer.set({ files, operation: 'read', effect: 'eio' });
    await b.layer.set({ files, operation: 'flush', effect: 'eio' });
    assert.deepEqual([await write(0), await read(), await codeOf(image.datasync())], ['done', 'EIO', 'EIO']);
    await b.layer.clear();
    await b.layer.set({ files, operation: 'write', effect: 'full' });
    assert.deepEqual([await write(0), await write(2)], ['done', 'ENOSPC']);
    await b.layer.clear();
    await b.layer.set({ files, operation: 'write', effect: 'slow:100' });
    const began = performance.now();
    assert.equal(await write(1), 'done');
    assert.ok(performance.now() - began >= 100);
    await b.layer.clear();
    await b.layer.set({ files, operation: 'write', effect: 'hang' });
    const hanging = write(2);
    assert.equal(await read(), 'done');
    assert.equal(await Promise.race([hanging, new Promise((end) => setTimeout(end, 300, 'hangs'))]), 'hangs');
    await b.layer.clear();
    assert.equal(await hanging, 'done');
    await Promise.all([image.close(), other.close()]);
  });
});
