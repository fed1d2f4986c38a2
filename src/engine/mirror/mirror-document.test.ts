/**
 * Goal: whoever is answered that a document has changed, or what it says, can rely on that at every node. Method: two
 * replicas whose messages wait for the test.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ok } from '../../base/result.ts';
import type { SharedDocument } from '../../ports/shared-document.ts';
import { documentLba, documentOperation } from '../../replication/operation.ts';
import { turns } from '../../replication/testing/held-store.ts';
import { ReplicaSet } from '../../replication/testing/replica-set.ts';
import { mirrorDocument } from './mirror-document.ts';

const BYTES = new Uint8Array([7]);
const LBA = documentLba('reservations');

/** The document at a node, as MirrorNode changes it. */
function documentAt(set: ReplicaSet, node: number): SharedDocument {
  const { replica } = set.of(node);
  const mirror: ReturnType<Parameters<typeof mirrorDocument>[0]> = {
    replica,
    isDocumentSettled: () => replica.log.unreadable(LBA, 1) === undefined,
    changeDocument(ticket, name, decide, done) {
      const change = () => {
        const after = decide(undefined);
        return ok(after === undefined ? undefined : documentOperation(name, after));
      };
      replica.modify(ticket, [{ lba: LBA, blocks: 1 }], change, done);
    },
  };
  return mirrorDocument(() => mirror, 'reservations');
}

function answers(promise: Promise<{ readonly ok: boolean }>): boolean[] {
  const found: boolean[] = [];
  void promise.then((result) => found.push(result.ok));
  return found;
}

async function changing() {
  const set = new ReplicaSet(2).install(1);
  const found = answers(documentAt(set, 1).change(set.ticket(), () => BYTES));
  await set.deliverAll((kind) => kind !== 'valid' && kind !== 'confirm');
  assert.equal(set.of(1).told.length, 1);
  return { set, found };
}

test('a change is answered when every member has been told, not before', async () => {
  const { set, found } = await changing();
  assert.deepEqual([set.of(2).told, found], [[], []]);
  await set.deliver((kind) => kind === 'valid');
  assert.equal(set.of(2).told.length, 1);
  assert.deepEqual(found, []);
  await set.deliverAll();
  assert.deepEqual(found, [true]);
});

test('a change that outlives its configuration is answered when the node serves again', async () => {
  const { set, found } = await changing();
  for (const node of [1, 2]) set.of(node).replica.seal();
  await turns();
  assert.deepEqual(found, []);
  set.sent = [];
  set.install(2);
  await set.deliverAll();
  assert.deepEqual(found, [true]);
});

test('… or when it does not: the change stands', async () => {
  const { set, found } = await changing();
  set.of(1).replica.seal();
  set.of(1).replica.refuseAll('others go on without this node');
  await turns();
  assert.deepEqual(found, [true]);
});

test('what is not changed is answered at once', async () => {
  const set = new ReplicaSet(2).install(1);
  const found = answers(documentAt(set, 1).change(set.ticket(), () => undefined));
  await set.deliverAll((kind) => kind !== 'confirm');
  assert.deepEqual(found, [true]);
});

test('a look waits for a change that is on its way, and for the others where clocks may stand still', async () => {
  const { set } = await changing();
  for (const node of [1, 2])
    set.of(node).replica.installed = { ...set.of(node).replica.installed!, confirmsReads: true };
  let looks = 0;
  const found = answers(documentAt(set, 2).current(set.ticket(), () => void (looks += 1)));
  await turns();
  assert.equal(looks, 0);
  await set.deliver((kind) => kind === 'valid');
  assert.deepEqual([looks, found], [1, []]);
  await set.deliverAll();
  assert.deepEqual(found, [true]);
});

test('a look whose configuration ends is no answer', async () => {
  const set = new ReplicaSet(2).install(1, { confirmsReads: true });
  const found = answers(documentAt(set, 2).current(set.ticket(), () => undefined));
  await turns();
  set.of(2).replica.seal();
  await turns();
  assert.deepEqual(found, [false]);
});

test('without a node there is no answer', async () => {
  const document = mirrorDocument(() => undefined, 'reservations');
  const ticket = { arrivedAt: 0, isAlive: () => true };
  assert.equal((await document.change(ticket, () => BYTES)).ok, false);
  assert.equal((await document.current(ticket, () => undefined)).ok, false);
});
