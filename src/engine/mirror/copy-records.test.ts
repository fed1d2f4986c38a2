/**
 * Goal: what a copy has promised and kept is found again after a restart, whatever moment the power went; a save holds what
 * was changed until then; and what cannot be read is never taken for nothing. Method: a disk whose power goes at any call,
 * with every fate of the sectors; saves asked for while one is under way.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { SUPERBLOCK_LENGTH } from '../../cluster/superblock-format.ts';
import { SUPERBLOCK_FILE_LENGTH, SuperblockFile } from '../../cluster/superblock.ts';
import { CutDisk, fates } from '../../journal/testing/cut-disk.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { type CopyIdentity, CopyRecords } from './copy-records.ts';
import { sizeDocument, sizeIn } from './size.ts';

const IDENTITY: CopyIdentity = {
  device: 'd'.repeat(32),
  node: 1,
  copy: 'c'.repeat(32),
  blockLength: 4096,
  blockCount: 1000,
  writePolicy: 'back',
  journal: 'failure',
};
const id = (number: number): string => number.toString(16).padStart(32, '0');
const configuration = (term: number, members = [1, 2]) => ({ term, id: id(term), members, learners: [3] });
const document = (revision: number) => ({
  name: 'settings' as const,
  revision,
  bytes: new Uint8Array(revision).fill(revision),
});

const newDisk = (): CutDisk => new CutDisk(SUPERBLOCK_FILE_LENGTH);

async function opened(disk: CutDisk, identity = IDENTITY, clock = new ManualClock()): Promise<CopyRecords> {
  const records = new CopyRecords(disk, 0, identity, clock);
  assert.ok(await records.load());
  return records;
}

/** All that comes back. */
const kept = (records: CopyRecords) => ({
  standing: records.standing,
  history: records.history,
  // How large the device is, is told by the record of one that never grew, too.
  documents: records.documents.filter(({ name }) => name !== 'size'),
  installedTerm: records.installedTerm,
  copyTerm: records.copyTerm,
  isBlank: records.isBlank,
});

/** As after the configuration of this term was accepted and installed. */
function go(records: CopyRecords, term: number, members = [1, 2]): void {
  records.standing = {
    promised: term,
    accepted: configuration(term, members),
    bound: [1, 2],
    isOut: false,
    isDiverged: false,
  };
  records.isBlank = false;
  records.copyTerm = term;
  records.acceptEpoch(configuration(term, members));
  records.install(false);
  records.setDocument(document(term));
}

test('a disk without records is blank, and has promised nothing', async () => {
  const records = await opened(newDisk());
  assert.deepEqual(
    [records.isBlank, records.wasStopped, records.standing.promised, records.sequence, records.history],
    [true, false, 0, 0, []],
  );
});

test('a new copy is equal to those of all others, as if all had been stopped in order', async () => {
  const disk = newDisk();
  const created = await opened(disk);
  assert.ok((await created.create(configuration(1))).ok);
  const records = await opened(disk.afterCut(() => false));
  assert.deepEqual(
    [
      records.isBlank,
      records.wasStopped,
      records.copyTerm,
      records.standing.accepted,
      records.standing.bound,
    ],
    [false, true, 1, configuration(1), [1, 2]],
  );
});

test('how large the device is comes back, and is a document of its own, whatever the next process is told', async () => {
  const disk = newDisk();
  const created = await opened(disk);
  assert.ok((await created.create(configuration(1))).ok);
  const first = await opened(disk, { ...IDENTITY, blockCount: 7 });
  assert.deepEqual([first.blockCount, sizeIn(first.documents)], [IDENTITY.blockCount, IDENTITY.blockCount]);
  const grown = 3 * IDENTITY.blockCount;
  first.blockCount = grown;
  first.documents = [sizeDocument(grown, 500)];
  assert.ok((await first.save()).ok);
  const second = await opened(disk);
  assert.deepEqual([second.blockCount, second.documents], [grown, [sizeDocument(grown, 500)]]);
});

test('everything that was saved comes back, and shows that the copy was not stopped', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  assert.ok(records.noteWritten());
  assert.ok((await records.save()).ok);
  const again = await opened(disk);
  assert.deepEqual(kept(again), kept(records));
  assert.deepEqual([again.wasStopped, again.copySequence, again.sequence], [false, 1, 1]);
});

test('data gets no younger by what processes save that are never part of a configuration', async () => {
  const disk = newDisk();
  const sequences = ({ copySequence, sequence }: CopyRecords) => [copySequence, sequence];
  const lived = await opened(disk);
  go(lived, 20);
  assert.ok((await lived.save()).ok);
  for (const sequence of [1, 2]) {
    // oxlint-disable-next-line no-await-in-loop -- one process after the other
    const waits = await opened(disk);
    assert.deepEqual(sequences(waits), [1, sequence]);
    waits.standing = { ...waits.standing, promised: 20 + sequence };
    assert.ok((await waits.save()).ok); // oxlint-disable-line no-await-in-loop -- likewise
    assert.deepEqual(sequences(waits), [1, sequence + 1]);
  }
  const learns = await opened(disk);
  go(learns, 30);
  assert.ok((await learns.save()).ok);
  assert.deepEqual(sequences(learns), [4, 4]);
  assert.deepEqual(sequences(await opened(disk)), [4, 4]);
});

test('an earlier program did not say how old the data is: as old as its record', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  assert.ok((await records.save()).ok);
  const file = new SuperblockFile(disk, 0);
  const loaded = await file.load();
  assert.ok(loaded.kind === 'found');
  const { superblock, reservations } = loaded.state;
  assert.ok((await file.save({ superblock: { ...superblock, copySequence: 0 }, reservations })).ok);
  assert.equal((await opened(disk)).copySequence, 2);
});

for (const [what, change] of [
  ['stood back', { isOut: true }],
  ['gone another way', { isDiverged: true }],
] as const)
  test(`that a copy has ${what} comes back`, async () => {
    const disk = newDisk();
    const records = await opened(disk);
    go(records, 20);
    records.standing = { ...records.standing, promised: 33, ...change };
    await records.save();
    assert.deepEqual((await opened(disk)).standing, records.standing);
  });

test('a promise without a copy is only that: the records stay blank', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  records.standing = { ...records.standing, promised: 7 };
  await records.save();
  const again = await opened(disk);
  assert.deepEqual([again.isBlank, again.standing.promised], [true, 7]);
});

test('a stop is the last word until a configuration is accepted, whatever is saved meanwhile', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  await records.stop();
  const again = await opened(disk);
  assert.ok(again.wasStopped);
  // A promise changes nothing of the copy.
  await again.save();
  const third = await opened(disk);
  assert.ok(third.wasStopped);
  third.shutdown = 'none';
  await third.save();
  assert.ok(!(await opened(disk)).wasStopped);
});

test('records of another device, or with documents that are none, are as good as blank', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  await records.save();
  assert.ok((await opened(disk, { ...IDENTITY, device: id(5) })).isBlank);
  const other = newDisk();
  const broken = await opened(other);
  go(broken, 20);
  broken.documents = [{ ...document(3), name: 'nothing' as 'settings' }];
  await broken.save();
  const found = await opened(other);
  assert.deepEqual([found.isBlank, found.standing.promised], [true, 0]);
});

test('what cannot be read may say anything: nothing is opened', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  await records.save();
  disk.unreadable.add(SUPERBLOCK_LENGTH - 512);
  assert.ok(!(await new CopyRecords(disk, 0, IDENTITY, new ManualClock()).load()));
});

test('a power cut at any call leaves what was saved before, or what was being saved', async () => {
  for (let cutAt = 1; cutAt <= 8; cutAt++) {
    const disk = newDisk();
    disk.cutAt = cutAt;
    const records = await opened(disk);
    const saved = [kept(records)];
    for (let term = 10; term <= 13; term++) {
      go(records, term);
      saved.push(kept(records));
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      if ((await Promise.race([records.save(), disk.cut])) === 'cut') break;
    }
    const [before, being] = saved.slice(-2);
    for (const fate of fates(() => cutAt % 3 === 0)) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const found = kept(await opened(disk.afterCut(fate)));
      const term = found.standing.promised;
      assert.deepEqual(found, term === being!.standing.promised ? being : before, `cut ${cutAt}`);
    }
  }
});

test('who asks while a save is under way gets the next one, with everything changed until then, for all of them', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  const first = records.save();
  records.setDocument(document(30));
  const second = records.save();
  records.setDocument(document(40));
  const third = records.save();
  assert.ok((await first).ok);
  assert.equal(records.sequence, 1);
  assert.ok((await second).ok && (await third).ok);
  assert.deepEqual([records.sequence, disk.calls], [2, 4], 'two saves for three');
  assert.deepEqual(kept(await opened(disk.afterCut(() => false))).documents, [document(40)]);
  const fourth = records.save();
  records.setDocument(document(50));
  assert.ok((await records.save()).ok && (await fourth).ok);
  assert.deepEqual(kept(await opened(disk.afterCut(() => false))).documents, [document(50)]);
});

test('it is known since when a save is under way, and when none is', async () => {
  const clock = new ManualClock();
  const records = await opened(newDisk(), IDENTITY, clock);
  assert.equal(records.savingSince, undefined);
  const begun = clock.now();
  const [first, second] = [records.save(), records.save()];
  clock.advance(5);
  assert.equal(records.savingSince, begun);
  await records.settled();
  assert.deepEqual([records.savingSince, records.sequence], [undefined, 2]);
  await Promise.all([first, second]);
});

test('a save that fails says so, and so does every later one', async () => {
  const disk = newDisk();
  const records = await opened(disk);
  go(records, 20);
  await records.save();
  disk.failAt = disk.calls + 1;
  go(records, 30);
  const [first, second] = [records.save(), records.save()];
  assert.deepEqual([(await first).ok, (await second).ok, (await records.save()).ok], [false, false, false]);
  assert.equal((await opened(disk.afterCut(() => true))).standing.promised, 20);
});

// ── Epochs ──

test('an epoch is known when it is accepted, once, by members and learners alike', async () => {
  const records = await opened(newDisk());
  records.acceptEpoch(configuration(20));
  records.acceptEpoch(configuration(20));
  records.acceptEpoch(configuration(30, [2]));
  assert.deepEqual(
    records.history.map(({ term, wroteData }) => [term, wroteData]),
    [
      [20, false],
      [30, false],
    ],
  );
});

test('the first write of an installed epoch has to be noted, and no other', async () => {
  const records = await opened(newDisk());
  assert.ok(!records.noteWritten(), 'there is no epoch');
  go(records, 20);
  assert.deepEqual([records.noteWritten(), records.noteWritten()], [true, false]);
  const next = { ...records.standing, promised: 36, accepted: configuration(36) };
  records.acceptEpoch(configuration(36));
  records.standing = next;
  assert.ok(!records.noteWritten(), 'it is not installed: a change of before is not one of it');
  records.install(false);
  assert.ok(records.noteWritten());
  assert.deepEqual(
    records.history.map(({ term, wroteData }) => [term, wroteData]),
    [
      [20, true],
      [36, true],
    ],
  );
});

test('who was only told of an epoch writes in none', async () => {
  const records = await opened(newDisk());
  go(records, 20);
  records.standing = { ...records.standing, promised: 36, accepted: configuration(36, [2]) };
  records.install(false);
  assert.ok(!records.noteWritten());
  assert.equal(records.history.at(-1)!.wroteData, false);
});

test('an epoch that finishes changes of the one before was written in from its beginning', async () => {
  const records = await opened(newDisk());
  records.standing = { ...records.standing, promised: 20, accepted: configuration(20) };
  records.acceptEpoch(configuration(20));
  records.install(true);
  assert.equal(records.history.at(-1)!.wroteData, true);
  assert.ok(!records.noteWritten());
});

test('a document replaces the one of its name', async () => {
  const records = await opened(newDisk());
  const reservations = { name: 'reservations' as const, revision: 1, bytes: new Uint8Array(1) };
  records.setDocument(document(2));
  records.setDocument(reservations);
  records.setDocument(document(3));
  assert.deepEqual(records.documents, [reservations, document(3)]);
});
