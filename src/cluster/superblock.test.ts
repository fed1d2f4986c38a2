/**
 * Goal: of two copies one always counts, whatever becomes of the other. Method: power cut and failure at every call of
 * a row of saves with every fate of the sectors; every byte of each copy flipped; every field there and back.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../base/crc32c.ts';
import { CutDisk, fates } from '../journal/testing/cut-disk.ts';
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  SUPERBLOCK_LENGTH,
} from './superblock-format.ts';
import { type SavedState, SUPERBLOCK_FILE_LENGTH, SuperblockFile } from './superblock.ts';

const id = (number: number): string => number.toString(16).padStart(32, '0');

function stateOf(term: number): SavedState {
  const reservations = new Uint8Array(term * 700).fill(term);
  return { superblock: superblockOf(term), reservations };
}

function superblockOf(term: number): Superblock {
  const epoch = (of: number) => ({ term: of, id: id(of), members: [1, 2], wroteData: of % 2 === 0 });
  return {
    device: id(99),
    node: 7,
    copy: id(98),
    promisedTerm: term + 1,
    accepted: { term, id: id(term), members: [1, 7], learners: [3] },
    bound: [1, 2, 7],
    installedTerm: term,
    copyTerm: 0,
    copySequence: 0,
    dataState: 'inSync',
    hasCopy: true,
    shutdown: 'none',
    writePolicy: 'back',
    journal: { strategy: 'continuous', isTrusted: true },
    blockLength: 512,
    blockCount: 2 ** 41 + 3,
    history: Array.from({ length: Math.min(term, 32) }, (_, at) => epoch(at + 1)),
  };
}

async function opened(disk: CutDisk) {
  const file = new SuperblockFile(disk, 0);
  return { file, loaded: await file.load() };
}

const ids = fc.bigInt(1n, 2n ** 128n - 1n).map((number) => number.toString(16).padStart(32, '0'));
const term = fc.nat(Number.MAX_SAFE_INTEGER);
const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 });
const superblocks = fc.record({
  device: ids,
  node: fc.integer({ min: 1, max: 65_535 }),
  copy: ids,
  promisedTerm: term,
  accepted: fc.record({ term, id: ids, members: nodes, learners: nodes }),
  bound: nodes,
  installedTerm: term,
  copyTerm: term,
  copySequence: term,
  dataState: fc.constantFrom('inSync' as const, 'stale' as const, 'inconsistent' as const),
  hasCopy: fc.boolean(),
  shutdown: fc.constantFrom('none' as const, 'inOrder' as const, 'writtenOut' as const),
  writePolicy: fc.constantFrom('through' as const, 'back' as const),
  journal: fc.record({
    strategy: fc.constantFrom('ram' as const, 'failure' as const, 'continuous' as const),
    isTrusted: fc.boolean(),
  }),
  blockLength: fc.constantFrom(512, 4096),
  blockCount: term,
  history: fc.array(fc.record({ term, id: ids, members: nodes, wroteData: fc.boolean() }), { maxLength: 32 }),
});

test('every field comes back', () => {
  fc.assert(
    fc.property(
      superblocks,
      fc.nat(),
      fc.nat(250_000),
      fc.nat(),
      (superblock, sequence, length, checksum) => {
        const page = structuredClone({
          superblock,
          sequence,
          attachmentLength: length,
          attachmentChecksum: checksum,
        });
        assert.deepEqual(decodeSuperblock(encodeSuperblock(page)), { ok: true, value: page });
      },
    ),
  );
});

test('a flipped bit anywhere in the page is noticed', () => {
  const page = { superblock: superblockOf(32), sequence: 5, attachmentLength: 0, attachmentChecksum: 0 };
  const bytes = encodeSuperblock(page);
  for (let bit = 0; bit < 8 * bytes.length; bit += 3) {
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    assert.deepEqual(decodeSuperblock(bytes), { ok: false, fault: { kind: 'damaged' } }, `bit ${bit}`);
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
  }
});

test('a later version is left alone', async () => {
  const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
  const { file } = await opened(disk);
  await file.save(stateOf(1));
  const view = new DataView(disk.bytes.buffer);
  view.setUint16(4, 9);
  view.setUint32(SUPERBLOCK_LENGTH - 4, crc32c(disk.bytes.subarray(0, SUPERBLOCK_LENGTH - 4), 0));
  assert.deepEqual((await opened(disk)).loaded, { kind: 'newerVersion', version: 9 });
});

test('a power cut at any call leaves the state before or the state being saved', async () => {
  for (let cutAt = 1; cutAt <= 12; cutAt++) {
    const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
    disk.cutAt = cutAt;
    const { file } = await opened(disk);
    let saved = 0;
    while (saved < 6 && (await Promise.race([file.save(stateOf(saved + 1)), disk.cut])) !== 'cut') saved += 1;
    for (const fate of fates(() => (cutAt * 7 + saved) % 3 === 0)) {
      const { loaded, file: next } = await opened(disk.afterCut(fate));
      if (loaded.kind === 'found') {
        const term = loaded.state.superblock.installedTerm;
        assert.ok(term === saved || term === saved + 1, `cut ${cutAt}: found ${term} after ${saved}`);
        assert.deepEqual(loaded.state, stateOf(term));
      } else assert.equal(saved, 0);
      assert.ok((await next.save(stateOf(20))).ok, 'and the next save goes well');
    }
  }
});

test('a power cut in the first save after a restart leaves the last state before it, or the new one', async () => {
  for (const calls of [1, 2]) {
    const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
    const { file } = await opened(disk);
    for (const term of [1, 2, 3]) assert.ok((await file.save(stateOf(term))).ok); // oxlint-disable-line no-await-in-loop -- in turn
    const { file: next } = await opened(disk);
    disk.cutAt = disk.calls + calls;
    assert.equal(await Promise.race([next.save(stateOf(4)), disk.cut]), 'cut');
    for (const fate of fates(() => calls === 1)) {
      const { loaded } = await opened(disk.afterCut(fate));
      assert.ok(loaded.kind === 'found' && loaded.state.superblock.installedTerm >= 3);
    }
  }
});

test('a failed call fails the save, and every one after it; what was saved before counts', async () => {
  for (let failAt = 3; failAt <= 4; failAt++) {
    const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
    disk.failAt = failAt;
    const { file } = await opened(disk);
    assert.ok((await file.save(stateOf(1))).ok);
    assert.ok(!(await file.save(stateOf(2))).ok);
    assert.ok(!(await file.save(stateOf(3))).ok);
    const { loaded } = await opened(disk.afterCut(() => false));
    assert.deepEqual(loaded.kind === 'found' && loaded.state, stateOf(1));
  }
});

test('while either copy cannot be read nothing is known: it may be the newer one', async () => {
  const half = SUPERBLOCK_FILE_LENGTH / 2;
  for (const slot of [0, half]) {
    const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
    const { file } = await opened(disk);
    await file.save(stateOf(3));
    await file.save(stateOf(4));
    disk.unreadable.add(slot);
    assert.equal((await opened(disk)).loaded.kind, 'unreadable');
    disk.unreadable.clear();
    const { loaded } = await opened(disk);
    assert.deepEqual(loaded.kind === 'found' && loaded.state, stateOf(4));
  }
});

test('any byte of either copy may go bad: the other one counts; both: never taken for a new disk', async () => {
  const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH);
  const { file } = await opened(disk);
  assert.deepEqual((await opened(disk)).loaded, { kind: 'blank' });
  await file.save(stateOf(3));
  await file.save(stateOf(4));
  const half = SUPERBLOCK_FILE_LENGTH / 2;
  for (const [slot, other, length] of [
    [0, 4, SUPERBLOCK_LENGTH + 2100],
    [half, 3, SUPERBLOCK_LENGTH + 2800],
  ] as const)
    for (let at = 0; at < length; at += 5) {
      disk.bytes[slot + at]! ^= 0x10;
      const { loaded } = await opened(disk);
      assert.deepEqual(loaded.kind === 'found' && loaded.state, stateOf(other), `byte ${slot + at}`);
      assert.equal(loaded.kind === 'found' && loaded.otherCopy, 'damaged');
      disk.bytes[slot + at]! ^= 0x10;
    }
  disk.bytes[9]! ^= 1;
  disk.bytes[half + 9]! ^= 1;
  assert.deepEqual((await opened(disk)).loaded, { kind: 'damaged' });
});
