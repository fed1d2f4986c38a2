/**
 * Goal: partners come and go while a device is served; who stays keeps its map, and nobody is ever answered from the map of
 * another one, or of itself before it was removed. Method: a disk in memory, read again by a new journal, with the power cut at
 * every call; random histories beside a plain set of what each partner lacks.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { LOG_FILE_LENGTH } from './activity-log-file.ts';
import { mapFileLength } from './dirty-map-file.ts';
import { Journal, journalLength, type JournalOptions, SELF } from './journal.ts';
import type { JournalStrategy } from './recovery.ts';
import { CutDisk, fates } from './testing/cut-disk.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
const BLOCKS = 40 * 1024;
/** With two pages of a map each. */
const BLOCKS_MORE = PER_CHUNK * 31_800;
const OFFSET = 4096;
const PLACE = mapFileLength(BLOCKS, BLOCK);
const base = (term: number) => ({ term, id: term.toString(16).padStart(32, '0') });

interface Shape {
  readonly disk: CutDisk;
  readonly partners: readonly number[];
  readonly strategy?: JournalStrategy;
  readonly blockCount?: number;
}

function optionsOn({ disk, partners, strategy = 'failure', blockCount = BLOCKS }: Shape): JournalOptions {
  const shape = { strategy, device: 'd'.repeat(32), blockCount, blockLength: BLOCK, slotCount: 16 };
  return { ...shape, partners, disk, offset: OFFSET };
}

const diskFor = (count: number): CutDisk => new CutDisk(OFFSET + journalLength(BLOCKS, BLOCK, count));

/** A change that is on all media. */
async function changed(journal: Journal, partners: readonly number[], chunk: number): Promise<void> {
  assert.ok((await journal.beforeWrite(chunk * PER_CHUNK, 1)).ok);
  journal.written(chunk * PER_CHUNK, 1, 'durable');
  journal.sealUnflushed();
  const absent = journal.absentPartners();
  for (const node of [SELF, ...partners]) if (!absent.has(node)) journal.confirmUnflushed(node);
}

/** All of these partners are absent, each a chunk longer than the next: the map of partner n has n, n + 1, …, the last. */
async function withAbsent(shape: Shape): Promise<Journal> {
  const journal = new Journal(optionsOn(shape));
  await journal.load(true);
  assert.ok((await journal.start(new Map())).ok);
  for (const partner of shape.partners) {
    // oxlint-disable-next-line no-await-in-loop -- one event after the other
    assert.ok((await journal.partnerLeft(partner, base(partner), [])).ok);
    // oxlint-disable-next-line no-await-in-loop
    await changed(journal, shape.partners, partner);
  }
  return journal;
}

/** What a journal that is opened for these partners finds of each: the chunks, or that it cannot be told. */
async function found(shape: Shape): Promise<Record<number, readonly number[] | 'unreadable'>> {
  const { maps } = await new Journal(optionsOn(shape)).load(true);
  const all: Record<number, readonly number[] | 'unreadable'> = {};
  for (const [partner, stored] of maps) {
    const chunks: number[] = [];
    for (let at = stored.map.next(0); at >= 0; at = stored.map.next(at + 1)) chunks.push(at);
    all[partner] = stored.kind === 'readable' ? chunks : 'unreadable';
    if (stored.kind === 'unreadable') assert.equal(chunks.length, stored.map.chunkCount);
  }
  return all;
}

/** The partners that the directories on disk name, by place. */
function named(disk: CutDisk): number[] {
  const places = Math.floor((disk.length - OFFSET - LOG_FILE_LENGTH) / PLACE);
  const view = new DataView(disk.bytes.buffer);
  return Array.from({ length: places }, (_, place) => {
    const at = OFFSET + LOG_FILE_LENGTH + place * PLACE;
    const copies = [at, at + 4096].map((copy) => ({
      sequence: view.getBigUint64(copy + 48),
      partner: view.getUint16(copy + 6),
    }));
    return copies[0]!.sequence > copies[1]!.sequence ? copies[0]!.partner : copies[1]!.partner;
  });
}

test('partners that never change lie in the order of their numbers', async () => {
  const disk = diskFor(3);
  await withAbsent({ disk, partners: [2, 3, 4] });
  assert.deepEqual(named(disk), [2, 3, 4]);
});

test('who stays keeps its place and map; who comes gets the place of one that went, and nothing of its map', async () => {
  const disk = diskFor(3);
  const journal = await withAbsent({ disk, partners: [2, 3, 4] });
  assert.ok((await journal.setPartners([2, 4])).ok);
  assert.deepEqual([...journal.absentPartners().keys()], [2, 4]);
  await changed(journal, [2, 4], 8);
  assert.ok((await journal.setPartners([2, 4, 5])).ok);
  const shape = { disk, partners: [2, 4, 5] };
  assert.equal(journal.mapOf(5), undefined);
  assert.ok((await journal.partnerLeft(5, base(9), [])).ok);
  await changed(journal, shape.partners, 9);
  assert.ok((await journal.stop()).ok);
  assert.deepEqual(named(disk), [2, 5, 4]);
  assert.deepEqual(await found(shape), { 2: [2, 3, 4, 8, 9], 4: [4, 8, 9], 5: [9] });
});

test('a partner that was removed and is added again is not answered from its former map', async () => {
  const disk = diskFor(2);
  const journal = await withAbsent({ disk, partners: [2, 3] });
  assert.ok((await journal.stop()).ok);
  assert.ok((await journal.setPartners([])).ok);
  assert.deepEqual(await found({ disk, partners: [2, 3] }), { 2: 'unreadable', 3: 'unreadable' });
  assert.ok((await journal.setPartners([3])).ok);
  assert.deepEqual(await found({ disk, partners: [3] }), { 3: 'unreadable' });
  assert.ok((await journal.partnerLeft(3, base(8), [])).ok);
  assert.deepEqual(await found({ disk, partners: [3] }), { 3: [] });
});

test('what was acknowledged while it was only added is not taken for what a partner had in its cache before', async () => {
  const journal = new Journal(optionsOn({ disk: diskFor(1), partners: [2], strategy: 'ram' }));
  await journal.load(true);
  await journal.start(new Map());
  assert.ok((await journal.beforeWrite(7 * PER_CHUNK, 1)).ok);
  journal.written(7 * PER_CHUNK, 1, 'cached');
  const unflushed = (): number => {
    const map = journal.emptyMap();
    journal.unflushedOf(2, map);
    return map.count;
  };
  assert.ok((await journal.setPartners([2])).ok);
  assert.equal(unflushed(), 1, 'nothing has changed');
  assert.ok((await journal.setPartners([])).ok);
  assert.ok((await journal.setPartners([2])).ok);
  assert.equal(unflushed(), 0);
});

test('room is made for the places that are used, and a disk without it leaves the journal as it was', async () => {
  const disk = diskFor(1);
  const journal = await withAbsent({ disk, partners: [2] });
  disk.failAt = disk.calls + 1;
  const full = await journal.setPartners([3, 4]);
  assert.ok(!full.ok && full.fault.kind === 'noSpace');
  assert.deepEqual([...journal.absentPartners().keys()], [2]);
  await changed(journal, [2], 5);
  assert.ok((await journal.setPartners([2, 3, 4])).ok);
  assert.equal(disk.length, OFFSET + journalLength(BLOCKS, BLOCK, 3));
  const { calls } = disk;
  assert.ok((await journal.setPartners([4, 3, 2])).ok);
  assert.equal(disk.calls, calls, 'nothing changes, nothing is written');
  assert.ok((await journal.setPartners([4])).ok);
  assert.ok((await journal.makeRoom(BLOCKS_MORE)).ok);
  assert.equal(disk.length, OFFSET + journalLength(BLOCKS_MORE, BLOCK, 3), 'the highest place is still used');
});

test('a cut of power at any call while partners change: who stays has its map, nobody has that of another', async () => {
  const lists = { before: [2, 3, 4], after: [5, 3, 6] };
  for (const room of [3, 2]) {
    const before = lists.before.slice(0, room);
    let isThrough = false;
    for (let cutAt = 1; !isThrough; cutAt++) {
      const disk = diskFor(room);
      // oxlint-disable-next-line no-await-in-loop
      const journal = await withAbsent({ disk, partners: before });
      // oxlint-disable-next-line no-await-in-loop
      assert.ok((await journal.stop()).ok);
      disk.cutAt = disk.calls + cutAt;
      // oxlint-disable-next-line no-await-in-loop
      isThrough = (await Promise.race([journal.setPartners(lists.after), disk.cut])) !== 'cut';
      for (const fate of fates(() => false).slice(0, 6)) {
        const left = disk.afterCut(fate);
        // oxlint-disable-next-line no-await-in-loop
        const then = await found({ disk: left, partners: before });
        const stayed = before.slice(1);
        assert.deepEqual(then[3], stayed, `cut ${cutAt}`);
        if (then[2] !== 'unreadable') assert.deepEqual(then[2], before, `cut ${cutAt}`);
        if (then[4] !== undefined && then[4] !== 'unreadable') assert.deepEqual(then[4], [4], `cut ${cutAt}`);
        const now = { 3: stayed, 5: 'unreadable', 6: 'unreadable' };
        // oxlint-disable-next-line no-await-in-loop
        assert.deepEqual(await found({ disk: left, partners: lists.after }), now, `cut ${cutAt}`);
        const again = new Journal(optionsOn({ disk: left, partners: before }));
        // oxlint-disable-next-line no-await-in-loop
        await again.load(true);
        // oxlint-disable-next-line no-await-in-loop
        assert.ok((await again.setPartners(lists.after)).ok);
        // oxlint-disable-next-line no-await-in-loop
        assert.deepEqual(await found({ disk: left, partners: before }), {
          3: stayed,
          2: 'unreadable',
          ...(room === 3 && { 4: 'unreadable' }),
        });
      }
    }
  }
});

test('a place that cannot be read is left to others, and what it says later does not count', async () => {
  const disk = diskFor(3);
  const journal = await withAbsent({ disk, partners: [2, 3] });
  assert.ok((await journal.stop()).ok);
  const directories = [0, 4096].map((copy) => OFFSET + LOG_FILE_LENGTH + copy);
  for (const at of directories) disk.unreadable.add(at);
  const former = disk.bytes.slice(directories[0], directories[0]! + PLACE);
  assert.deepEqual(await found({ disk, partners: [2, 3] }), { 2: 'unreadable', 3: [3] });
  assert.deepEqual(named(disk), [2, 3, 0]);
  await withAbsent({ disk, partners: [2, 3] });
  assert.deepEqual(named(disk), [0, 3, 2]);
  disk.unreadable.clear();
  assert.deepEqual((await found({ disk, partners: [2, 3] }))[2], []);
  disk.bytes.set(former, directories[0]);
  assert.deepEqual((await found({ disk, partners: [2, 3] }))[2], 'unreadable', 'which one is older?');
});

for (const order of ['partners first', 'size first'] as const)
  test(`other partners and another size, ${order}: maps are begun again where they lie now`, async () => {
    const disk = diskFor(2);
    const journal = await withAbsent({ disk, partners: [2, 3] });
    if (order === 'size first') assert.ok((await journal.resize(BLOCKS_MORE)).ok);
    assert.ok((await journal.setPartners([3, 4, 5])).ok);
    if (order === 'partners first') assert.ok((await journal.resize(BLOCKS_MORE)).ok);
    assert.equal(disk.length, OFFSET + journalLength(BLOCKS_MORE, BLOCK, 3));
    const shape = { disk, partners: [3, 4, 5], blockCount: BLOCKS_MORE };
    assert.deepEqual(await found(shape), { 3: 'unreadable', 4: 'unreadable', 5: 'unreadable' });
    // oxlint-disable-next-line no-await-in-loop -- one event after the other
    for (const partner of [3, 4, 5]) assert.ok((await journal.partnerLeft(partner, base(9), [])).ok);
    await changed(journal, shape.partners, 31_799);
    assert.ok((await journal.stop()).ok);
    assert.deepEqual(await found(shape), { 3: [3, 31_799], 4: [31_799], 5: [31_799] });
  });
