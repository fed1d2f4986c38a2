/**
 * Goal: a map read from disk never lacks a chunk that was durable; what cannot be read is all ones. Method: power cut
 * and failure at every call with every fate, every byte flipped, foreign and outdated records.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPrng } from '../base/prng.ts';
import { DirtyMap } from './dirty-map.ts';
import { DirtyMapFile, mapFileLength } from './dirty-map-file.ts';
import { CutDisk, fates } from './testing/cut-disk.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
const PER_PAGE = 31_744;
const CHUNKS = 3 * PER_PAGE + 77;
const SHAPE = { blockCount: CHUNKS * PER_CHUNK, blockLength: BLOCK };
const DEVICE = 'a1'.repeat(16);
const IDENTITY = { device: DEVICE, partner: 5, baseTerm: 12, baseId: 'b2'.repeat(16), recorded: 77 };
const PAGE = 4096;

const newDisk = (): CutDisk => new CutDisk(mapFileLength(SHAPE.blockCount, BLOCK));
const newMap = (): DirtyMap => new DirtyMap(SHAPE.blockCount, BLOCK);
const fileOn = (disk: CutDisk): DirtyMapFile => new DirtyMapFile({ ...SHAPE, disk, offset: 0 });
const loadFrom = (disk: CutDisk) => fileOn(disk).load(DEVICE, 5);

async function written(chunks: readonly number[]): Promise<CutDisk> {
  const disk = newDisk();
  const file = fileOn(disk);
  await file.load(DEVICE, 5);
  const map = newMap();
  await file.begin(IDENTITY, map);
  for (const chunk of chunks) {
    map.markChunks(chunk, chunk);
    // oxlint-disable-next-line no-await-in-loop -- several directories
    await file.commit(map);
  }
  return disk;
}

function lacks(map: DirtyMap, chunks: Iterable<number>): number[] {
  return [...chunks].filter((chunk) => !map.has(chunk));
}

test('what was committed is read again, exactly, with its base', async () => {
  const stored = await loadFrom(await written([0, 77, PER_PAGE, CHUNKS - 1]));
  assert.ok(stored.kind === 'readable');
  assert.equal(stored.map.count, 4);
  assert.deepEqual(lacks(stored.map, [0, 77, PER_PAGE, CHUNKS - 1]), []);
  const { baseTerm, baseId, recorded } = stored.base;
  assert.deepEqual([baseTerm, baseId, recorded, stored.damaged], [12, IDENTITY.baseId, 77, 0]);
  assert.ok(stored.map.isWritten);
});

test('a power cut at any call loses nothing that was committed, and invents no clean map', async () => {
  for (let cutAt = 1; cutAt <= 30; cutAt++) {
    const random = createPrng(cutAt);
    const disk = newDisk();
    disk.cutAt = cutAt;
    const file = fileOn(disk);
    await file.load(DEVICE, 5);
    const map = newMap();
    const begun = (await Promise.race([file.begin(IDENTITY, map), disk.cut])) !== 'cut';
    const durable = new Set<number>();
    for (let step = 0; begun && step < 12; step++) {
      const chunks = Array.from({ length: 3 }, () => random.integer(0, CHUNKS - 1));
      for (const chunk of chunks) map.markChunks(chunk, chunk);
      if ((await Promise.race([file.commit(map), disk.cut])) === 'cut') break;
      for (const chunk of chunks) durable.add(chunk);
      const cleared = [...durable][0]!;
      map.clear(cleared);
      durable.delete(cleared);
      if ((await Promise.race([file.tidy(map), disk.cut])) === 'cut') break;
    }
    for (const fate of fates(() => random.chance(0.5))) {
      const stored = await loadFrom(disk.afterCut(fate));
      assert.deepEqual(lacks(stored.map, durable), [], `cut ${cutAt}`);
      if (begun) assert.equal(stored.kind, 'readable');
      else if (stored.kind === 'unreadable') assert.equal(stored.map.count, CHUNKS);
    }
  }
});

test('any flipped byte makes more chunks dirty, never fewer', async () => {
  const chunks = [3, PER_PAGE + 9, 3 * PER_PAGE];
  const disk = await written(chunks);
  let damaged = 0;
  for (let at = 0; at < disk.length; at += 3) {
    disk.bytes[at]! ^= 0x21;
    const stored = await loadFrom(disk);
    assert.deepEqual(lacks(stored.map, chunks), [], `byte ${at}`);
    if (stored.kind === 'readable' && stored.damaged > 0) damaged += 1;
    disk.bytes[at]! ^= 0x21;
  }
  assert.ok(damaged > 3000, 'three pages are in use');
});

test('a page that cannot be read is all ones, and only that page', async () => {
  const disk = await written([3, PER_PAGE + 9]);
  disk.unreadable.add(3 * PAGE + 512);
  const stored = await loadFrom(disk);
  assert.ok(stored.kind === 'readable' && stored.damaged === 1);
  assert.equal(stored.map.count, 1 + PER_PAGE);
});

test('without a directory, or with one of another device, partner or size, everything is dirty', async () => {
  const disk = await written([3]);
  const everything = async (look: Promise<{ kind: string; map: DirtyMap }>): Promise<void> => {
    const { kind, map } = await look;
    assert.deepEqual([kind, map.count], ['unreadable', map.chunkCount]);
  };
  await everything(fileOn(disk).load('c3'.repeat(16), 5));
  await everything(fileOn(disk).load(DEVICE, 6));
  const smaller = { ...SHAPE, blockCount: SHAPE.blockCount - PER_CHUNK, disk, offset: 0 };
  await everything(new DirtyMapFile(smaller).load(DEVICE, 5));
  disk.bytes.fill(0, 0, 2 * PAGE);
  await everything(loadFrom(disk));
  await everything(loadFrom(newDisk()));
});

test('pages of a map before this one do not count, and a lost directory is noticed by its pages', async () => {
  const disk = await written([3, 4]);
  const former = disk.bytes.slice(0, 2 * PAGE);
  const file = fileOn(disk);
  await file.load(DEVICE, 5);
  const map = newMap();
  await file.begin({ ...IDENTITY, baseTerm: 30 }, map);
  const empty = await loadFrom(disk);
  assert.deepEqual([empty.kind, empty.map.count], ['readable', 0]);
  map.markChunks(9, 9);
  await file.commit(map);
  const stored = await loadFrom(disk);
  assert.deepEqual([stored.kind, stored.map.count, stored.map.has(9)], ['readable', 1, true]);
  disk.bytes.set(former);
  assert.equal((await loadFrom(disk)).kind, 'unreadable');
});

test('after a failed call nothing is promised any more', async () => {
  for (const failing of [1, 2, 3]) {
    const disk = newDisk();
    const file = fileOn(disk);
    await file.load(DEVICE, 5);
    const map = newMap();
    await file.begin(IDENTITY, map);
    map.markChunks(1, 1);
    disk.failAt = disk.calls + failing;
    assert.equal((await file.commit(map)).ok, false);
    map.markChunks(2, 2);
    assert.equal((await file.commit(map)).ok, false);
    assert.equal((await file.begin(IDENTITY, map)).ok, false);
  }
});

test('a power cut or a failure while a map is begun anew leaves out nothing that the former one or this one has', async () => {
  const chunks = [3, PER_PAGE + 9, 3 * PER_PAGE];
  for (const isFailure of [false, true])
    for (let call = 1; call <= 8; call++)
      for (const fate of fates(() => call % 2 === 0)) {
        const disk = await written(chunks);
        const file = fileOn(disk);
        const before = await file.load(DEVICE, 5);
        if (isFailure) disk.failAt = disk.calls + call;
        else disk.cutAt = disk.calls + call;
        const map = newMap();
        map.union(before.map);
        map.markChunks(77, 77);
        await Promise.race([file.begin({ ...IDENTITY, baseTerm: 30 }, map), disk.cut]);
        const stored = await loadFrom(disk.afterCut(fate));
        assert.deepEqual(lacks(stored.map, chunks), [], `call ${call}`);
        const isNew = stored.kind === 'readable' && stored.base.baseTerm === 30;
        if (isNew) assert.deepEqual(lacks(stored.map, [77]), [], `call ${call}`);
      }
});
