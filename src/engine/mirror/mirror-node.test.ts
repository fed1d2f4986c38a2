/**
 * Goal: what one node of a mirror does between its parts, where each of them is right and the order is not. Method: a node
 * over RAM, and another one of which a test says what it says; all steps of both are microtasks.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Control } from '../../cluster/messages.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { DirtyMap } from '../../journal/dirty-map.ts';
import { journalLength } from '../../journal/journal.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import { CutDisk } from '../../journal/testing/cut-disk.ts';
import { type Operation, stampOf } from '../../replication/operation.ts';
import { turns } from '../../replication/testing/held-store.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { createRamStore } from '../../store/ram-store.ts';
import { CopyRecords } from './copy-records.ts';
import type { Difference, Handover } from './handover.ts';
import { MirrorNode } from './mirror-node.ts';

const BLOCKS = 256;
const BLOCK = 4096;
const DEVICE = 'd'.repeat(32);
const of = (term: number) => ({ term, id: `${term}`.padStart(32, '0'), members: [1, 2], learners: [] });

/** Node 1 of two, which were stopped in order; what it sends is kept. `before`: on the disk of an earlier process. */
async function opened(journal: JournalStrategy = 'ram', before?: CutDisk) {
  const clock = new ManualClock();
  const identity = {
    device: DEVICE,
    node: 1,
    copy: 'c'.repeat(32),
    blockLength: BLOCK,
    blockCount: BLOCKS,
    writePolicy: 'through',
    journal,
  } as const;
  const disk = before ?? new CutDisk(SUPERBLOCK_FILE_LENGTH + journalLength(BLOCKS, BLOCK, 1));
  const records = new CopyRecords(disk, 0, identity, clock);
  assert.ok(await records.load());
  if (before === undefined) assert.ok((await records.create(of(1))).ok);
  const sent: Control<Handover>[] = [];
  const failed: string[] = [];
  const told: string[] = [];
  const store = createRamStore({ blockCount: BLOCKS, blockLength: BLOCK });
  const node = await MirrorNode.open({
    self: 1,
    device: DEVICE,
    site: { nodes: [1, 2], strategy: { kind: 'majority', witness: undefined } },
    incarnation: 1,
    policy: 'through',
    journal,
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
      onFailed: (reason) => void failed.push(reason),
      onChanged: () => undefined,
      onDocument: (name, bytes) => void told.push(`${name} ${bytes?.join() ?? 'none'}`),
    },
  });
  assert.ok(node !== undefined);
  return { node, sent, store, disk, failed, told };
}

/** The other node has chosen a configuration that finishes these changes. */
function acceptOf(
  term: number,
  operations: readonly Operation[],
  alone?: ReadonlyMap<number, Difference>,
): Control<Handover> {
  const handover: Handover = {
    lamport: term,
    history: [],
    pending: operations.map((operation, at) => ({ stamp: stampOf(term + at, 0), operation })),
    sequence: 0,
    copyTerm: 0,
    documents: [],
    differences: alone ?? new Map(),
    suspects: undefined,
  };
  const configuration = alone === undefined ? of(term) : { ...of(term), members: [1] };
  return { kind: 'accept', proposal: { configuration, handover, diverged: [] } };
}

const UNMAP: Operation = { kind: 'unmap', lba: 3, blocks: 1 };

/** Node 2 asks for a promise, and gets it. */
async function promised(node: Bench['node'], term: number): Promise<void> {
  node.onControl(2, { kind: 'prepare', term, excluded: [], withHandover: true });
  for (let round = 0; round < 10; round++) await turns(); // oxlint-disable-line no-await-in-loop -- in turn
}

type Bench = Awaited<ReturnType<typeof opened>>;

async function accepted(): ReturnType<typeof opened> {
  const bench = await opened();
  await promised(bench.node, 18);
  bench.node.onControl(2, acceptOf(18, []));
  for (let round = 0; round < 10; round++) await turns(); // oxlint-disable-line no-await-in-loop -- in turn
  assert.deepEqual(bench.sent.at(-1), { kind: 'accepted', term: 18 });
  assert.deepEqual(bench.failed, []);
  return bench;
}

test('a node that has nothing to finish stops in order', async () => {
  const { node } = await accepted();
  assert.equal(await node.stop(), true);
});

test('a stop waits for the configuration that is being accepted, and is none in order with changes to be finished', async () => {
  const { node, sent } = await accepted();
  await promised(node, 34);
  node.onControl(2, acceptOf(34, [UNMAP]));
  assert.equal(await node.stop(), false);
  assert.deepEqual(sent.at(-1), { kind: 'accepted', term: 34 });
});

test('what a configuration that is being accepted has begun on the disks has ended when a node is still', async () => {
  const { node } = await accepted();
  await promised(node, 34);
  node.onControl(2, acceptOf(34, [UNMAP]));
  await node.settled();
  assert.equal(node.replica.pending().length, 0, 'the log is empty: nothing begins any more');
});

test('a configuration that another process of this node has promised is refused', async () => {
  const { node, sent } = await opened();
  node.onControl(2, acceptOf(18, []));
  for (let round = 0; round < 10; round++) await turns(); // oxlint-disable-line no-await-in-loop -- in turn
  assert.equal(sent.at(-1)?.kind, 'refuse');
});

/** What node 1 knows of node 2, as it tells it with its last promise. */
function differenceIn(sent: readonly Control<Handover>[]): Difference {
  const promise = sent.findLast(({ kind }) => kind === 'promise');
  assert.ok(promise?.kind === 'promise');
  return promise.report.handover!.differences.get(2)!;
}

for (const journal of ['failure', 'continuous'] as const)
  test(`'${journal}': what an absent copy lacks is known though a start fails anywhere`, async () => {
    const map = new DirtyMap(BLOCKS, BLOCK);
    map.mark(3, 1);
    const base = of(1);
    const alone = new Map([[2, { base, map, sequence: 0, full: undefined, ifStopped: false }]]);
    const bench = await opened(journal);
    await promised(bench.node, 18);
    bench.node.onControl(2, acceptOf(18, [], alone));
    for (let round = 0; round < 10; round++) await turns(); // oxlint-disable-line no-await-in-loop -- in turn
    assert.equal(await bench.node.stop(), true);
    const reasons = new Set<string | undefined>();
    for (let call = 1; call < 16; call++) {
      const left = new CutDisk(bench.disk.bytes);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const failing = await opened(journal, left);
      await promised(failing.node, 34); // oxlint-disable-line no-await-in-loop
      assert.equal(differenceIn(failing.sent).full, undefined, 'it was stopped in order');
      left.failAt = left.calls + call;
      failing.node.onControl(2, acceptOf(34, [], alone));
      for (let round = 0; round < 20; round++) await turns(); // oxlint-disable-line no-await-in-loop
      const again = await opened(journal, new CutDisk(left.bytes)); // oxlint-disable-line no-await-in-loop
      await promised(again.node, 50); // oxlint-disable-line no-await-in-loop
      const found = differenceIn(again.sent);
      assert.ok(found.map.has(0), `call ${call}`);
      reasons.add(found.full);
    }
    assert.deepEqual(reasons, new Set(['recordsNotTrusted', undefined]));
  });
