/**
 * Goal: a copy never knows less of a difference than there may be: of partners, and of itself. Method: lives with partners
 * that stay, leave and return, over a real journal and real records, told while the process runs and after it has ended in
 * each way.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Configuration } from '../../cluster/configuration.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { LOG_FILE_LENGTH } from '../../journal/activity-log-file.ts';
import type { DirtyMap } from '../../journal/dirty-map.ts';
import { Journal, journalLength, type JournalOptions, SELF } from '../../journal/journal.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import { CutDisk } from '../../journal/testing/cut-disk.ts';
import { Mutation } from '../../replication/mutation.ts';
import { documentOperation, stampOf } from '../../replication/operation.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { ReplicaSet } from '../../replication/testing/replica-set.ts';
import { CopyKnowledge } from './copy-knowledge.ts';
import { CopyRecords } from './copy-records.ts';
import { tellJournal } from './tell-journal.ts';

const BLOCK = 4096;
const PER_CHUNK = 16;
/** 20 MiB: five extents of the log, 320 chunks. */
const BLOCKS = 320 * PER_CHUNK;
const CHUNKS = 320;
const PER_EXTENT = 64;
const id = (number: number): string => number.toString(16).padStart(32, '0');
const at = (term: number) => ({ term, id: id(term) });
const of = (term: number, members: readonly number[], learners: readonly number[] = []): Configuration => ({
  ...at(term),
  members,
  learners,
});

function chunksOf(map: DirtyMap): number[] {
  const chunks: number[] = [];
  for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) chunks.push(chunk);
  return chunks;
}

/** The copy of node 1, of three. */
class Copy {
  readonly disk: CutDisk;
  readonly records: CopyRecords;
  readonly journal: Journal;
  readonly replica = new ReplicaSet(1).of(1).replica;
  readonly knowledge: CopyKnowledge;
  hasStarted = false;
  #lamport = 0;

  static async open(strategy: JournalStrategy, content?: CutDisk): Promise<Copy> {
    const disk = content ?? new CutDisk(SUPERBLOCK_FILE_LENGTH + journalLength(BLOCKS, BLOCK, 2));
    const identity = {
      device: 'd'.repeat(32),
      node: 1,
      copy: 'c'.repeat(32),
      blockLength: BLOCK,
      blockCount: BLOCKS,
      writePolicy: 'through',
      journal: strategy,
    } as const;
    const records = new CopyRecords(disk, 0, identity, new ManualClock());
    assert.ok(await records.load());
    const journalOptions: JournalOptions = {
      strategy,
      device: identity.device,
      blockCount: BLOCKS,
      blockLength: BLOCK,
      slotCount: 16,
      partners: [2, 3],
      disk,
      offset: SUPERBLOCK_FILE_LENGTH,
    };
    const journal = new Journal(journalOptions);
    const found = await journal.load(true);
    const knowledge = new CopyKnowledge({
      self: 1,
      replicas: () => [1, 2, 3],
      records,
      journal,
      found,
      journalOptions,
    });
    return new Copy(disk, records, journal, knowledge);
  }

  private constructor(disk: CutDisk, records: CopyRecords, journal: Journal, knowledge: CopyKnowledge) {
    this.disk = disk;
    this.records = records;
    this.journal = journal;
    this.knowledge = knowledge;
  }

  /** The first configuration of a process, with everybody in it. */
  async start(configuration = of(10, [1, 2, 3])): Promise<this> {
    assert.ok((await this.journal.start(new Map())).ok);
    this.hasStarted = true;
    await this.accept(configuration);
    return this;
  }

  async accept(accepted: Configuration): Promise<void> {
    this.records.standing = { ...this.records.standing, promised: accepted.term, accepted };
    this.records.isBlank = false;
    this.records.copyTerm = accepted.term;
    this.records.acceptEpoch(accepted);
    assert.ok((await this.records.save()).ok);
  }

  /** A write of the first block of a chunk that everybody who is there holds. */
  async write(chunk: number): Promise<void> {
    assert.ok((await this.journal.beforeWrite(chunk * PER_CHUNK, 1)).ok);
    this.journal.written(chunk * PER_CHUNK, 1, 'durable');
  }

  /** A change that is not known to be everywhere. */
  pending(chunk: number): void {
    const operation = { kind: 'unmap', lba: chunk * PER_CHUNK, blocks: 1 } as const;
    this.replica.log.add(new Mutation(stampOf((this.#lamport += 1), 1), operation, 1));
  }

  /** These partners, and this copy itself, confirm a flush. */
  flushed(...partners: number[]): void {
    this.journal.sealUnflushed();
    for (const partner of [SELF, ...partners]) this.journal.confirmUnflushed(partner);
  }

  /** The power goes and comes back. */
  afterOutage(strategy: JournalStrategy): Promise<Copy> {
    return Copy.open(
      strategy,
      this.disk.afterCut(() => false),
    );
  }

  get handover() {
    return this.knowledge.handover(this.replica, this.hasStarted);
  }

  /** What it knows of a partner, in short. */
  of(partner: number) {
    const { base, map, full } = this.handover.differences.get(partner)!;
    return { base: base.term, chunks: full === undefined ? chunksOf(map) : full };
  }

  get suspects() {
    const { base, map, full } = this.handover.suspects!;
    return { base: base.term, chunks: full ?? chunksOf(map) };
  }
}

// ── While the process runs ──

test('of a partner that is there it knows what that one may not have on its medium', async () => {
  const copy = await (await Copy.open('ram')).start();
  await copy.write(3);
  assert.deepEqual(copy.of(2), { base: 10, chunks: [3] });
  copy.flushed(2, 3);
  await copy.write(5);
  assert.deepEqual([copy.of(2).chunks, copy.of(3).chunks], [[5], [5]]);
  assert.deepEqual(copy.suspects, { base: 10, chunks: [] });
  assert.deepEqual([...copy.handover.differences.keys()], [2, 3]);
});

test('of an absent one it knows everything since that one left, and when that was', async () => {
  const copy = await (await Copy.open('ram')).start();
  await copy.write(3);
  await copy.journal.partnerLeft(2, at(10), [{ lba: 9 * PER_CHUNK, blocks: 1 }]);
  await copy.accept(of(26, [1, 3]));
  await copy.write(4);
  assert.deepEqual(copy.of(2), { base: 10, chunks: [3, 4, 9] });
  assert.deepEqual(copy.of(3), { base: 26, chunks: [3, 4] });
  assert.deepEqual(copy.suspects, { base: 26, chunks: [3, 4, 9] }, 'changed without node 2');
});

test('of one that learns it knows what is still to be sent, and what that one may not have on its medium', async () => {
  const copy = await (await Copy.open('ram')).start();
  await copy.journal.partnerLeft(2, at(10), [{ lba: 9 * PER_CHUNK, blocks: 1 }]);
  copy.journal.partnerLearns(2);
  await copy.accept(of(26, [1, 3], [2]));
  await copy.write(4);
  assert.deepEqual(copy.of(2), { base: 26, chunks: [4, 9] });
});

test('who has accepted that others go on without it knows no newer moment in which it was with anyone', async () => {
  const copy = await (await Copy.open('ram')).start();
  await copy.journal.partnerLeft(2, at(10), []);
  await copy.accept(of(26, [1, 3]));
  await copy.write(4);
  await copy.accept(of(42, [2, 3]));
  assert.deepEqual(copy.of(2), { base: 10, chunks: [4] });
  assert.deepEqual(copy.suspects.chunks, [4], 'also where node 3 may not have it');
});

test('what is pending may be here alone; documents lie on no block', async () => {
  const copy = await (await Copy.open('ram')).start();
  copy.pending(7);
  const document = documentOperation('settings', new Uint8Array(1));
  copy.replica.log.add(new Mutation(stampOf(99, 1), document, 1));
  assert.equal(copy.handover.pending.length, 2);
  assert.deepEqual(copy.suspects, { base: 10, chunks: [7] });
});

test('records are told as they are by now, and those of others as they last said', async () => {
  const copy = await (await Copy.open('ram')).start();
  copy.replica.recorded.set(3, 77);
  copy.replica.lamport = 12;
  const { sequence, copyTerm, lamport, differences } = copy.handover;
  assert.deepEqual([sequence, copyTerm, lamport], [copy.records.sequence, 10, 12]);
  assert.deepEqual([differences.get(2)!.sequence, differences.get(3)!.sequence], [0, 77]);
});

test('after a split brain all that it changed without anyone is suspect', async () => {
  const copy = await (await Copy.open('ram')).start();
  await copy.journal.partnerLeft(2, at(10), []);
  await copy.accept(of(26, [1, 3]));
  await copy.write(4);
  copy.flushed(3);
  await copy.write(6);
  copy.records.standing = { ...copy.records.standing, isDiverged: true };
  assert.deepEqual(copy.suspects.chunks, [4, 6]);
  assert.deepEqual(chunksOf(copy.knowledge.divergence(copy.replica, true).map), [4, 6]);
});

// ── After a restart ──

/** Wrote chunk 3 with all, then 70 without node 2. */
async function lived(strategy: JournalStrategy): Promise<Copy> {
  const copy = await (await Copy.open(strategy)).start();
  await copy.write(3);
  copy.flushed(2, 3);
  await copy.journal.partnerLeft(2, at(10), []);
  await copy.accept(of(26, [1, 3]));
  await copy.write(70);
  return copy;
}

const all = (extents: readonly number[], ...chunks: number[]): number[] =>
  [
    ...extents.flatMap((extent) => Array.from({ length: PER_EXTENT }, (_, in_) => extent * PER_EXTENT + in_)),
    ...chunks,
  ].toSorted((a, b) => a - b); // prettier-ignore

test('after an outage each journal tells what it proves, and nothing where it proves nothing', async () => {
  const told = async (strategy: JournalStrategy) => {
    const copy = await (await lived(strategy)).afterOutage(strategy);
    return [copy.of(2), copy.of(3), copy.suspects.chunks];
  };
  assert.deepEqual(await told('ram'), [
    { base: 26, chunks: 'mapWasInMemory' },
    { base: 26, chunks: 'mapWasInMemory' },
    [],
  ]);
  assert.deepEqual(await told('failure'), [
    { base: 10, chunks: all([1]) },
    { base: 26, chunks: 'logWasOff' },
    [],
  ]);
  const [away, together, suspects] = await told('continuous');
  assert.deepEqual(
    [away, together],
    [
      { base: 10, chunks: all([0, 1]) },
      { base: 26, chunks: all([0, 1]) },
    ],
  );
  assert.deepEqual(suspects, all([0, 1]), 'what was under way in hot areas may be here alone');
});

test('after an orderly stop only what changed without a partner differs, and nothing is suspect', async () => {
  for (const strategy of ['ram', 'failure', 'continuous'] as const) {
    const copy = await lived(strategy);
    assert.ok((await copy.journal.stop()).ok && (await copy.records.stop()).ok);
    const again = await copy.afterOutage(strategy);
    assert.deepEqual(
      [again.of(2), again.of(3)],
      [
        { base: 10, chunks: [70] },
        { base: 26, chunks: [] },
      ],
    );
    assert.deepEqual(again.suspects, { base: 26, chunks: [] });
    const { differences } = again.handover;
    // That nothing differs is true only if the other one was stopped in order, too.
    assert.deepEqual([differences.get(2)!.ifStopped, differences.get(3)!.ifStopped], [false, true]);
  }
});

test('a log that cannot be read makes everything suspect, but for a copy that was stopped in order', async () => {
  const copy = await lived('continuous');
  const spoiled = (): Promise<Copy> => {
    const disk = copy.disk.afterCut(() => false);
    disk.bytes.fill(0xa5, SUPERBLOCK_FILE_LENGTH, SUPERBLOCK_FILE_LENGTH + LOG_FILE_LENGTH);
    return Copy.open('continuous', disk);
  };
  const crashed = await spoiled();
  assert.equal(crashed.suspects.chunks, 'logUnreadable');
  assert.equal(crashed.of(3).chunks, 'logUnreadable');
  assert.equal(crashed.handover.differences.get(3)!.map.count, CHUNKS);
  assert.ok((await copy.journal.stop()).ok && (await copy.records.stop()).ok);
  const stopped = await spoiled();
  assert.deepEqual([stopped.suspects.chunks, stopped.of(3).chunks, stopped.of(2).chunks], [[], [], [70]]);
});

for (const strategy of ['ram', 'failure', 'continuous'] as const)
  test(`${strategy}: what an absent partner told of its records outlives this process: its disk may be an old one`, async () => {
    const told = ({ handover }: Copy): number => handover.differences.get(2)!.sequence;
    const leave = async (copy: Copy, term: number): Promise<void> => {
      const { handover, hasStarted } = copy;
      const configuration = of(term, [1, 3]);
      const news = { self: 1, nodes: [1, 2, 3], hasStarted, configuration, handover };
      assert.ok(await tellJournal(copy.journal, news));
      copy.hasStarted = true;
      await copy.accept(configuration);
    };
    const copy = await (await Copy.open(strategy)).start();
    copy.replica.recorded.set(2, 77);
    await leave(copy, 26);
    copy.replica.recorded.clear();
    assert.equal(told(copy), 77);
    assert.ok((await copy.journal.stop()).ok && (await copy.records.stop()).ok);
    const again = await copy.afterOutage(strategy);
    assert.equal(told(again), 77);
    await leave(again, 42);
    assert.equal(told(again), 77);
  });

test('a map of another epoch proves nothing', async () => {
  const copy = await lived('failure');
  // It learned and was a member again; nobody has written its map since.
  copy.journal.partnerReturned(2);
  await copy.accept(of(42, [1, 2, 3]));
  assert.equal((await copy.afterOutage('failure')).of(2).chunks, 'logWasOff');
});

test('before its first configuration a copy shows the records that it found, not what was saved since', async () => {
  const again = await (await lived('failure')).afterOutage('failure');
  const { sequence } = again.handover;
  await again.records.save();
  assert.ok(sequence > 0);
  assert.deepEqual([again.handover.sequence, again.records.sequence], [sequence, sequence + 1]);
  await again.accept(of(50, [1, 2, 3]));
  assert.equal(again.handover.sequence, sequence + 2);
});

test('a side of a split brain suspects after a restart whatever its records say, or everything', async () => {
  const copy = await lived('failure');
  copy.records.standing = { ...copy.records.standing, isDiverged: true };
  await copy.records.save();
  const again = await copy.afterOutage('failure');
  assert.equal(again.suspects.chunks, 'logWasOff');
});
