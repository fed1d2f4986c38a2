/** Goal: what comes before its configuration is installed waits, up to a limit; beyond it the copy leaves and nothing is
 * mixed up. Method: messages of the next term, by hand. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReplicaMessage } from './messages.ts';
import { stampOf } from './operation.ts';
import { turns } from './testing/held-store.ts';
import { ReplicaSet } from './testing/replica-set.ts';

const MIB = new Uint8Array(1024 * 1024);

const change = (number: number): ReplicaMessage => {
  const operation = { kind: 'write', lba: number % 64, blocks: 1, data: [MIB] } as const;
  return { kind: 'mutate', term: 2, lamport: number, stamp: stampOf(number, 2), operation };
};

async function accepting(messages: number) {
  const set = new ReplicaSet(2).install(1);
  for (const { replica } of set.nodes.values()) replica.seal();
  const node = set.of(1);
  await node.replica.quiesce();
  assert.ok((await node.replica.accept(2, [])).ok);
  for (let number = 1; number <= messages; number++) node.replica.onMessage(2, change(number));
  set.install(2);
  await turns();
  return node;
}

test('what comes early is taken when the configuration is installed', async () => {
  const { replica, failures } = await accepting(128);
  assert.deepEqual([replica.log.size, failures], [128, []]);
});

test('a copy for which too much came early cannot follow', async () => {
  const { replica, failures } = await accepting(129);
  assert.equal(failures.length, 1);
  assert.equal(replica.log.size, 0);
});
