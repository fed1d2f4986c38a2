/**
 * Goal: when a device changes its size, its journal still names everything that an absent partner lacks, also where maps have
 * moved on the disk, and never takes what lay there for a map. Method: a disk in memory, read again by a new journal.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Journal, journalLength, type JournalOptions } from './journal.ts';
import { CutDisk } from './testing/cut-disk.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
const PAGE_CHUNKS = 31_744;
/** A page of a map for the first, two for the second. */
const SMALL = PER_CHUNK * (PAGE_CHUNKS - 3) - 5;
const LARGE = PER_CHUNK * (PAGE_CHUNKS + 40);
const BASE = { term: 7, id: '7'.padStart(32, '0') };

function optionsOn(disk: CutDisk, blockCount: number): JournalOptions {
  const shape = { strategy: 'failure', device: 'd'.repeat(32), blockLength: BLOCK, slotCount: 16 } as const;
  return { ...shape, blockCount, partners: [2, 3], disk, offset: 4096 };
}

async function withBothAbsent(disk: CutDisk, blockCount: number): Promise<Journal> {
  const journal = new Journal(optionsOn(disk, blockCount));
  await journal.load(true);
  assert.ok((await journal.start(new Map())).ok);
  for (const partner of [2, 3]) assert.ok((await journal.partnerLeft(partner, BASE, [])).ok);
  return journal;
}

async function changed(journal: Journal, chunk: number): Promise<void> {
  assert.ok((await journal.beforeWrite(chunk * PER_CHUNK, 1)).ok);
  journal.written(chunk * PER_CHUNK, 1, 'durable');
}

/** What a journal finds that is opened for a device of this size. */
async function found(disk: CutDisk, blockCount: number, partner: number): Promise<number[] | undefined> {
  const { maps } = await new Journal(optionsOn(disk, blockCount)).load(true);
  const stored = maps.get(partner);
  if (stored?.kind !== 'readable') return undefined;
  const chunks: number[] = [];
  for (let at = stored.map.next(0); at >= 0; at = stored.map.next(at + 1)) chunks.push(at);
  return chunks;
}

test('larger: maps that have moved are read again, with what is new', async () => {
  const disk = new CutDisk(4096 + journalLength(SMALL, BLOCK, 2));
  const journal = await withBothAbsent(disk, SMALL);
  await changed(journal, 9);
  assert.ok((await journal.resize(LARGE)).ok);
  assert.equal(disk.length, 4096 + journalLength(LARGE, BLOCK, 2));
  for (const partner of [2, 3]) {
    assert.equal(await found(disk, LARGE, partner), undefined, 'nothing counts before it is begun again');
    assert.ok((await journal.partnerLeft(partner, BASE, [])).ok);
  }
  await changed(journal, PAGE_CHUNKS + 30);
  assert.ok((await journal.stop()).ok);
  for (const partner of [2, 3]) assert.deepEqual(await found(disk, LARGE, partner), [9, PAGE_CHUNKS + 30]);
});

test('smaller, for a copy that takes over the device of others: what lies behind the end is forgotten', async () => {
  const disk = new CutDisk(4096 + journalLength(LARGE, BLOCK, 2));
  const journal = await withBothAbsent(disk, LARGE);
  await changed(journal, 9);
  await changed(journal, PAGE_CHUNKS + 30);
  assert.ok((await journal.resize(SMALL)).ok);
  for (const partner of [2, 3]) assert.ok((await journal.partnerLeft(partner, BASE, [])).ok);
  assert.ok((await journal.stop()).ok);
  for (const partner of [2, 3]) assert.deepEqual(await found(disk, SMALL, partner), [9]);
});

test('a disk without room: the fault is told, and the journal is as it was', async () => {
  const disk = new CutDisk(4096 + journalLength(SMALL, BLOCK, 2));
  const journal = await withBothAbsent(disk, SMALL);
  await changed(journal, 9);
  disk.failAt = disk.calls + 1;
  const room = await journal.makeRoom(LARGE);
  assert.ok(!room.ok && room.fault.kind === 'noSpace');
  assert.ok((await journal.stop()).ok);
  assert.deepEqual(await found(disk, SMALL, 3), [9]);
});
