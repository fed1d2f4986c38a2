/**
 * Goal: what a node has said that it accepts is on its disk, and who goes on alone keeps nothing in memory only. Method: one
 * node over RAM, and another one of which a test says what it says; what a next process would find on the disk.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Control } from '../../cluster/messages.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { journalLength } from '../../journal/journal.ts';
import { CutDisk } from '../../journal/testing/cut-disk.ts';
import { stampOf } from '../../replication/operation.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import { turns } from '../../replication/testing/held-store.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { createRamStore } from '../../store/ram-store.ts';
import { CopyRecords } from './copy-records.ts';
import type { Handover } from './handover.ts';
import { MirrorNode } from './mirror-node.ts';

const SIZE = { blockCount: 256, blockLength: 4096 } as const;
const LEFT_IN_DOCUMENTS = 500;
const of = (term: number, members: readonly number[] = [1, 2]) => ({
  term,
  id: `${term}`.padStart(32, '0'),
  members,
  learners: [],
});

/** Node 1 of two, which were stopped in order and have left a document. */
async function opened(policy: WritePolicy) {
  const clock = new ManualClock();
  const device = { device: 'd'.repeat(32), node: 1, copy: 'c'.repeat(32), ...SIZE };
  const identity = { ...device, writePolicy: policy, journal: 'ram' } as const;
  const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH + journalLength(SIZE.blockCount, SIZE.blockLength, 1));
  const load = async (): Promise<CopyRecords> => {
    const records = new CopyRecords(disk, 0, identity, clock);
    assert.ok(await records.load());
    return records;
  };
  const records = await load();
  const revision = stampOf(LEFT_IN_DOCUMENTS, 2);
  records.setDocument({ name: 'reservations', revision, bytes: new Uint8Array(1) });
  assert.ok((await records.create(of(1))).ok);
  const sent: Control<Handover>[] = [];
  const failures: string[] = [];
  const store = createRamStore(SIZE);
  const flush = store.flush.bind(store);
  let flushes = 0;
  store.flush = () => {
    flushes += 1;
    return flush();
  };
  const node = await MirrorNode.open({
    self: 1,
    device: identity.device,
    site: { nodes: [1, 2], strategy: { kind: 'majority', witness: undefined } },
    incarnation: 1,
    policy,
    journal: 'ram',
    slotCount: 16,
    confirmsReads: false,
    store,
    records: disk,
    copyId: identity.copy,
    ports: {
      clock,
      trace: () => undefined,
      random: () => 0.5,
      newId: () => 'e'.repeat(32),
      digest: () => '',
      sendBeat: () => undefined,
      sendControl: (_to, message) => void sent.push(message),
      sendReplica: () => undefined,
      isCongested: () => false,
      dropSessions: () => undefined,
      onFailed: (reason) => void failures.push(reason),
      onChanged: () => undefined,
      onDocument: () => undefined,
    },
  });
  assert.ok(node !== undefined);
  return { node, sent, failures, disk, load, flushes: () => flushes };
}

/** Node 2 says this; what it leads to has happened. */
async function hear(node: MirrorNode, message: Control<Handover>): Promise<void> {
  node.onControl(2, message);
  for (let round = 0; round < 10; round++) await turns(); // oxlint-disable-line no-await-in-loop -- in turn
}

const prepare = (term: number): Control<Handover> => ({
  kind: 'prepare',
  term,
  excluded: [],
  withHandover: true,
});

function accept(term: number, members?: readonly number[]): Control<Handover> {
  const handover: Handover = {
    lamport: term,
    history: [],
    pending: [],
    sequence: 0,
    copyTerm: 0,
    documents: [],
    differences: new Map(),
    suspects: undefined,
  };
  return { kind: 'accept', proposal: { configuration: of(term, members), handover, diverged: [] } };
}

/** Has accepted a configuration of both. */
async function accepted(policy: WritePolicy = 'through') {
  const bench = await opened(policy);
  await hear(bench.node, prepare(18));
  await hear(bench.node, accept(18));
  assert.deepEqual([bench.sent.at(-1), bench.failures], [{ kind: 'accepted', term: 18 }, []]);
  return bench;
}

test('what is said to be accepted is in the records', async () => {
  const { load } = await accepted();
  const { standing, copyTerm } = await load();
  assert.deepEqual([standing.accepted, standing.promised, copyTerm], [of(18), 18, 18]);
});

test('a node that cannot write its records has accepted nothing', async () => {
  const { node, sent, failures, disk } = await accepted();
  await hear(node, prepare(34));
  disk.failAt = disk.calls + 1;
  await hear(node, accept(34));
  assert.deepEqual([failures, sent.at(-1)?.kind], [['its superblock could not be written'], 'promise']);
});

test('who goes on alone has written out its cache before, and writes through from then on', async () => {
  const { node, sent, flushes } = await accepted('back');
  assert.equal(node.replica.copy.policy, 'back');
  await hear(node, prepare(34));
  const before = flushes();
  await hear(node, accept(34, [1]));
  assert.deepEqual(sent.at(-1), { kind: 'accepted', term: 34 });
  assert.deepEqual([node.replica.copy.policy, flushes() - before], ['through', 1]);
});

test('counting goes on after a restart where documents were left: what is newer looks newer', async () => {
  const { node } = await opened('through');
  assert.equal(node.replica.lamport, LEFT_IN_DOCUMENTS);
});
