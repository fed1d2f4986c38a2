/**
 * Goal: a read shows what is everywhere, asked by a node that may serve at the moment the data is fetched, or nothing; and
 * what one medium cannot read another one does. Method: replicas of which a test decides, between any two steps of a read,
 * who may serve, what arrives and what the stores answer.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { filled, turns } from './testing/held-store.ts';
import { type Node, ReplicaSet } from './testing/replica-set.ts';

/** All nodes hold this in block 0. */
function holding(set: ReplicaSet, value: number): ReplicaSet {
  for (const { store } of set.nodes.values()) store.blocks[0] = value;
  return set;
}

async function setServing(node: Node, mayServe: boolean): Promise<void> {
  node.mayServe = mayServe;
  node.replica.wake();
  await turns();
}

test('a read is local and free', () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  assert.deepEqual([set.read(1, 0), set.sent], [['5'], []]);
  assert.equal(set.of(1).store.loans, 0);
});

test('a read of a change that is not everywhere waits for its fate, on every node', async () => {
  const set = holding(new ReplicaSet(3).install(1), 5);
  set.write(1, 0, 6);
  await set.deliver((_kind, _from, to) => to === 2);
  const reads = [set.read(1, 0), set.read(2, 0)];
  const beside = set.read(2, 1);
  await turns();
  assert.deepEqual([reads, beside], [[[], []], ['0']]);
  // The third has not heard of it, and nobody can have seen it.
  assert.deepEqual(set.read(3, 0), ['5']);
  await set.deliverAll();
  assert.deepEqual(reads, [['6'], ['6']]);
});

test('while a node may not serve its reads wait, and are refused when it is out', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.mayServe = false;
  const first = set.read(1, 0);
  assert.deepEqual([first, node.store.calls], [[], []]);
  await setServing(node, true);
  assert.deepEqual(first, ['5']);
  node.mayServe = false;
  const second = set.read(1, 0);
  node.replica.refuseAll('test');
  assert.deepEqual(second, ['unavailable']);
});

test('a lease that ends while the data is being fetched: what was fetched is not answered, but read again', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.hold();
  const answers = set.read(1, 0);
  node.mayServe = false;
  await node.store.letAll();
  assert.deepEqual([answers, node.store.loans], [[], 0]);
  node.store.blocks[0] = 6;
  await setServing(node, true);
  assert.deepEqual(answers, ['6']);
});

test('a configuration that ends while the data is being fetched, too, though the next one serves already', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.hold();
  const answers = set.read(1, 0);
  node.replica.seal();
  await node.replica.quiesce();
  set.install(2);
  node.store.blocks[0] = 6;
  // Its bytes are of a moment that the term of the next one knows nothing of.
  await node.store.letOne();
  assert.deepEqual([answers, node.store.held], [[], ['read 0+1']]);
  await node.store.letAll();
  assert.deepEqual([answers, node.store.loans], [['6'], 0]);
});

test('a change that is answered while a read waits for its turn at the store is what that read shows', async () => {
  const set = holding(new ReplicaSet(2).install(1, { policy: 'back' }), 5);
  const node = set.of(2);
  node.store.hold((call) => call.startsWith('write'));
  const content = { kind: 'write', lba: 0, blocks: 1, data: filled(5) } as const;
  const repaired = Promise.resolve(node.replica.copy.overwrite(content, () => [content]));
  const seen = [set.read(2, 0), [] as string[]] as const;
  const looked = node.replica.reads.current(0, 1).then((result) => {
    seen[1].push(result.ok ? `${result.value.segments[0]![0]}` : 'fault');
  });
  const written = set.write(1, 0, 7);
  await set.deliverAll();
  assert.deepEqual([written, seen], [['done'], [[], []]]);
  await node.store.letAll();
  await Promise.all([repaired, looked]);
  assert.deepEqual(seen, [['7'], ['7']]);
});

test('the node’s own look at blocks ends when the configuration does', async () => {
  const set = new ReplicaSet(2).install(1);
  set.write(1, 0, 6);
  const looked = set.of(1).replica.reads.current(0, 1);
  set.of(1).replica.seal();
  await set.of(1).replica.quiesce();
  const result = await looked;
  assert.ok(!result.ok && result.fault.kind === 'unavailable');
});

test('confirmed: a read is answered when all members have said that the term stands', async () => {
  const set = holding(new ReplicaSet(3).install(1, { confirmsReads: true }), 5);
  const answers = set.read(1, 0);
  await set.deliver();
  assert.deepEqual([answers, set.waiting], [[], ['confirmed 2>1', 'confirmed 3>1']]);
  await set.deliver((_kind, from) => from === 2);
  assert.deepEqual(answers, []);
  await set.deliver();
  assert.deepEqual(answers, ['5']);
});

test('confirmed: reads that are fetched during a round wait for the next one, all for one', async () => {
  const set = holding(new ReplicaSet(2).install(1, { confirmsReads: true }), 5);
  const first = set.read(1, 0);
  const [second, third] = [set.read(1, 0), set.read(1, 1)];
  assert.deepEqual(set.waiting, ['confirm 1>2']);
  await set.deliver();
  await set.deliver();
  assert.deepEqual([first, second, third, set.waiting], [['5'], [], [], ['confirm 1>2']]);
  await set.deliverAll();
  assert.deepEqual([second, third, set.waiting], [['5'], ['0'], []]);
  set.read(1, 0);
  assert.deepEqual(set.waiting, ['confirm 1>2'], 'and the next one begins a round at once');
});

test('confirmed: who is alone has nobody to ask', () => {
  const set = holding(new ReplicaSet(2).install(1, { confirmsReads: true, members: [1] }), 5);
  assert.deepEqual(set.read(1, 0), ['5']);
});

test('confirmed by members of another term only: nothing is answered before the next configuration', async () => {
  const set = holding(new ReplicaSet(2).install(1, { confirmsReads: true }), 5);
  const answers = set.read(1, 0);
  set.of(2).replica.seal();
  await set.deliverAll();
  assert.deepEqual(answers, []);
  set.of(1).replica.seal();
  await turns();
  assert.deepEqual([answers, set.of(1).store.loans], [[], 0]);
  set.of(1).store.blocks[0] = 6;
  set.install(2, { confirmsReads: true });
  await set.deliverAll();
  assert.deepEqual(answers, ['6']);
});

test('confirmed, but the lease has ended meanwhile: read again', async () => {
  const set = holding(new ReplicaSet(2).install(1, { confirmsReads: true }), 5);
  const node = set.of(1);
  const answers = set.read(1, 0);
  node.mayServe = false;
  await set.deliverAll();
  assert.deepEqual([answers, node.store.loans], [[], 0]);
  await setServing(node, true);
  await set.deliverAll();
  assert.deepEqual(answers, ['5']);
});

test('what this medium cannot read another member does, and it is written again here', async () => {
  const set = holding(new ReplicaSet(3).install(1), 5);
  const node = set.of(1);
  node.store.unreadable.add(0);
  node.store.blocks[0] = 0;
  const answers = set.read(1, 0, 2);
  await set.deliverAll();
  assert.deepEqual([answers, node.traced], [['5,0'], ['mirror.read.repaired']]);
  assert.equal(node.store.calls.at(-1), 'write 0+2 durable');
  assert.equal(node.store.blocks[0], 5);
  assert.equal(set.of(2).store.loans, 0, 'what was sent was given back');
});

test('a decision rests on what another member reads, where this medium cannot', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const { store, replica } = set.of(1);
  store.unreadable.add(0);
  store.blocks[0] = 0;
  const found = replica.reads.decisive(0, 1);
  await turns();
  await set.deliverAll();
  const result = await found;
  assert.ok(result.ok);
  assert.deepEqual(result.value.segments, filled(5));
  set.of(2).store.unreadable.add(0);
  const nowhere = replica.reads.decisive(0, 1);
  await turns();
  await set.deliverAll();
  const fault = await nowhere;
  assert.ok(!fault.ok && fault.fault.kind === 'mediumError');
});

test('a decision ends when the configuration does, while another member is asked', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const { store, replica } = set.of(1);
  store.unreadable.add(0);
  const found = replica.reads.decisive(0, 1);
  await turns();
  replica.seal();
  const result = await found;
  assert.ok(!result.ok && result.fault.kind === 'unavailable');
});

test('members are asked one after the other, and when none can read it either the fault is the answer', async () => {
  const set = new ReplicaSet(3).install(1);
  for (const { store } of set.nodes.values()) store.unreadable.add(0);
  const answers = set.read(1, 0);
  await turns();
  assert.deepEqual(set.waiting, ['fetch 1>2']);
  await set.deliver();
  await set.deliver();
  assert.deepEqual(set.waiting, ['fetch 1>3']);
  await set.deliverAll();
  assert.deepEqual([answers, set.of(1).failures], [['mediumError'], []]);
});

test('a member that answers with too little, or too much, is passed over', async () => {
  const set = holding(new ReplicaSet(3).install(1), 5);
  set.of(1).store.unreadable.add(0);
  const answers = set.read(1, 0);
  await turns();
  set.sent = [];
  set.of(1).replica.reads.onFetched(1, filled(9, 2));
  await turns();
  assert.deepEqual([answers, set.waiting], [[], ['fetch 1>3']]);
  await set.deliverAll();
  assert.deepEqual(answers, ['5']);
});

test('a member that does not answer is passed over after a while', async () => {
  const set = holding(new ReplicaSet(3).install(1), 5);
  set.of(1).store.unreadable.add(0);
  const answers = set.read(1, 0);
  await turns();
  set.sent = [];
  set.clock.advance(3000);
  set.of(1).replica.reads.tick();
  await turns();
  assert.deepEqual(set.waiting, []);
  set.clock.advance(1);
  set.of(1).replica.reads.tick();
  await turns();
  assert.deepEqual(set.waiting, ['fetch 1>3']);
  await set.deliverAll();
  assert.deepEqual(answers, ['5']);
});

test('a copy that cannot write what another one has read has failed; the read is answered all the same', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.unreadable.add(0);
  node.store.unwritable.add(0);
  const answers = set.read(1, 0);
  await set.deliverAll();
  assert.deepEqual([answers, node.failures.length], [['5'], 1]);
});

test('a configuration that ends while a repair is written: the read begins anew in the next one', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.unreadable.add(0);
  node.store.hold((call) => call.startsWith('write'));
  const answers = set.read(1, 0);
  await set.deliverAll();
  assert.deepEqual(node.store.held, ['write 0+1 durable']);
  node.replica.seal();
  set.install(2);
  node.store.unreadable.clear();
  await node.store.letAll();
  assert.deepEqual(answers, ['5']);
  assert.equal(node.store.calls.at(-1), 'read 0+1');
});

test('a repair leaves alone what has been changed since the block was asked for', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.unreadable.add(0);
  const answers = set.read(1, 0, 2);
  await turns();
  await set.deliver();
  set.write(2, 0, 6);
  await set.deliver((kind) => kind === 'mutate');
  await set.deliverAll((kind) => kind !== 'fetched');
  node.store.unreadable.clear();
  await set.deliverAll();
  assert.deepEqual(answers, ['5,0'], 'as it was when the read began');
  assert.equal(node.store.blocks[0], 6);
  assert.equal(node.store.calls.at(-1), 'write 1+1 durable');
});

test('the end of a configuration ends the asking of others; the read begins anew', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  const node = set.of(1);
  node.store.unreadable.add(0);
  const answers = set.read(1, 0);
  await turns();
  node.replica.seal();
  await turns();
  assert.deepEqual([answers, node.replica.queue.length], [[], 1]);
  node.store.unreadable.clear();
  set.install(2);
  assert.deepEqual(answers, ['5']);
});

test('nobody tells what it has not everywhere: a fetch waits for the change of those blocks', async () => {
  const set = holding(new ReplicaSet(2).install(1), 5);
  set.write(2, 0, 6);
  set.post(1, 2, { kind: 'fetch', id: 9, lba: 0, blocks: 1 });
  await set.deliver((kind) => kind === 'fetch');
  assert.ok(!set.waiting.includes('fetched 2>1'));
  await set.deliverAll((kind) => kind !== 'fetched');
  const fetched = set.sent.find(({ message }) => message.kind === 'fetched')!.message;
  assert.deepEqual(fetched.kind === 'fetched' && fetched.data?.[0]![0], filled(6)[0]![0]);
});
