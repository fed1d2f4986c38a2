/**
 * Goal: a write is answered when every member and learner holds it, as long as its configuration stands, and at most
 * once. Method: two or three replicas whose messages, journals and stores answer when a test says so.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fail } from '../base/result.ts';
import { documentOperation, lamportOf } from './operation.ts';
import { turns } from './testing/held-store.ts';
import { BLOCKS, ReplicaSet } from './testing/replica-set.ts';

test('a write is answered when all members and learners hold it, in whatever order they do', async () => {
  for (const order of [
    [2, 3],
    [3, 2],
  ]) {
    const set = new ReplicaSet(3).install(1, { members: [1, 2], learners: [3] });
    const answers = set.write(1, 5, 9);
    assert.deepEqual(set.waiting, ['mutate 1>2', 'mutate 1>3']);
    await set.deliver((kind) => kind === 'mutate');
    for (const from of order) {
      assert.deepEqual(answers, []);
      await set.deliver((kind, of) => kind === 'held' && of === from);
    }
    assert.deepEqual(answers, ['done']);
    assert.deepEqual(set.waiting, ['valid 1>2', 'valid 1>3']);
    for (const { store } of set.nodes.values()) assert.equal(store.blocks[5], 9);
  }
});

test('a document is told when it is everywhere, before its change is answered, and on the others when they hear so', async () => {
  const set = new ReplicaSet(2).install(1);
  const [one, two] = [set.of(1), set.of(2)];
  const seen: string[][] = [];
  one.replica.mutate(set.ticket(), documentOperation('reset', new Uint8Array([7])), () => {
    seen.push([...one.told]);
  });
  await set.deliver((kind) => kind === 'mutate');
  assert.deepEqual([one.told, two.told], [[], []]);
  await set.deliver((kind) => kind === 'held');
  assert.deepEqual([seen, two.told], [[['reset 7 17']], []]);
  await set.deliverAll();
  assert.deepEqual(two.told, ['reset 7 17']);
});

test('who has answered twice has not answered for another', async () => {
  const set = new ReplicaSet(3).install(1);
  const answers = set.write(1, 0, 1);
  const { stamp } = set.of(1).replica.log.all()[0]!;
  set.of(1).replica.writes.onHeld(2, stamp);
  set.of(1).replica.writes.onHeld(2, stamp);
  await turns();
  assert.deepEqual(answers, []);
});

test('without a log nothing is on this medium before the others hold it', async () => {
  const set = new ReplicaSet(2).install(1);
  set.write(1, 0, 1);
  await turns();
  assert.deepEqual(set.of(1).store.calls, []);
  await set.deliverAll();
  assert.deepEqual(set.of(1).store.calls, ['write 0+1 durable']);
});

test('with a log the own copy does not wait for the others, and the answer waits for it', async () => {
  const set = new ReplicaSet(2).install(1);
  const { store, journal } = set.of(1);
  journal.hasLog = true;
  store.hold();
  const answers = set.write(1, 0, 1);
  assert.deepEqual(store.held, ['write 0+1 durable']);
  await set.deliverAll();
  assert.deepEqual(answers, []);
  await store.letAll();
  assert.deepEqual(answers, ['done']);
});

test('write-back: answered from memory, and at the store only when all hold it', async () => {
  const set = new ReplicaSet(2).install(1, { policy: 'back' });
  set.of(1).store.hold();
  const answers = set.write(1, 0, 1);
  await set.deliver();
  assert.deepEqual(set.of(2).store.calls, []);
  await set.deliver();
  assert.deepEqual([answers, set.of(1).store.held], [['done'], ['write 0+1 cached']]);
  await set.deliver();
  assert.deepEqual(set.of(2).store.calls, ['write 0+1 cached']);
});

test('the journal of the own copy has to have it, too', async () => {
  const set = new ReplicaSet(2).install(1);
  let journaled: (() => void) | undefined;
  set.of(1).journal.before = () =>
    new Promise((resolve) => (journaled = () => resolve({ ok: true, value: undefined })));
  const answers = set.write(1, 0, 1);
  await set.deliverAll();
  assert.deepEqual([answers, set.of(1).store.calls], [[], []]);
  journaled!();
  await turns();
  assert.deepEqual(answers, ['done']);
});

test('own writes that overlap follow each other; others do not wait', async () => {
  const set = new ReplicaSet(2).install(1);
  const [first, second, beside] = [set.write(1, 0, 1, 4), set.write(1, 3, 2, 2), set.write(1, 4, 3)];
  assert.deepEqual(set.waiting, ['mutate 1>2', 'mutate 1>2']);
  await set.deliver();
  await set.deliver();
  assert.deepEqual([first, second, beside], [['done'], [], ['done']]);
  await set.deliverAll();
  assert.deepEqual(second, ['done']);
  for (const { store } of set.nodes.values())
    assert.deepEqual([...store.blocks.subarray(2, 6)], [1, 2, 2, 0]);
});

test('stamps grow, also past those of others that were heard of', async () => {
  const set = new ReplicaSet(2).install(1);
  set.of(2).replica.lamport = 100;
  set.write(2, 0, 1);
  await set.deliverAll();
  set.write(1, 0, 2);
  set.write(1, 1, 2);
  const stamps = set
    .of(1)
    .replica.log.all()
    .map(({ stamp }) => stamp);
  assert.deepEqual(
    stamps,
    stamps.toSorted((a, b) => a - b),
  );
  assert.ok(lamportOf(stamps.at(-2)!) > 101);
  await set.deliverAll();
  assert.deepEqual([set.of(1).store.blocks[0], set.of(2).store.blocks[0]], [2, 2]);
});

test('whatever another node says tells its clock: what begins here later is newer than what it had begun', async () => {
  const set = new ReplicaSet(2).install(1);
  set.of(2).replica.lamport = 100;
  set.post(2, 1, { kind: 'clock' });
  await set.deliverAll();
  set.write(1, 0, 2);
  const [mutation] = set.of(1).replica.log.all();
  assert.ok(lamportOf(mutation!.stamp) > 100);
});

test('of two nodes that write the same blocks at once both are answered, and all end with the same', async () => {
  for (const first of [1, 2]) {
    const set = new ReplicaSet(2).install(1);
    const answers = [set.write(1, 0, 1, 3), set.write(2, 1, 2, 3)];
    await set.deliver((_kind, from) => from === first);
    await set.deliverAll();
    assert.deepEqual(answers, [['done'], ['done']]);
    const [one, two] = [set.of(1), set.of(2)].map(({ store }) => [...store.blocks.subarray(0, 5)]);
    assert.deepEqual(one, two);
    assert.deepEqual(one, [1, 2, 2, 2, 0]);
  }
});

test('a seal lets nothing be answered any more; the next configuration answers what it has finished', async () => {
  const set = new ReplicaSet(2).install(1);
  const answers = set.write(1, 0, 7);
  await set.deliver();
  const held = set.sent;
  for (const { replica } of set.nodes.values()) replica.seal();
  for (const { from, to, message } of held) set.of(to).replica.onMessage(from, message);
  await turns();
  assert.deepEqual(answers, []);
  const pending = set.of(2).replica.pending();
  assert.equal(pending.length, 1);
  for (const { replica } of set.nodes.values()) {
    await replica.quiesce();
    assert.ok((await replica.accept(2, pending)).ok);
  }
  assert.deepEqual(answers, []);
  set.install(2);
  assert.deepEqual(answers, ['done']);
  assert.deepEqual([set.of(1).store.blocks[0], set.of(2).store.blocks[0]], [7, 7]);
});

test('what the own copy finishes after a seal answers nothing', async () => {
  const set = new ReplicaSet(2).install(1);
  const { store, journal, replica } = set.of(1);
  journal.hasLog = true;
  store.hold();
  const answers = set.write(1, 0, 7);
  await set.deliverAll();
  replica.seal();
  await store.letAll();
  assert.deepEqual([answers, replica.pending().length, set.waiting], [[], 1, []]);
});

test('who is not a member any more gives up what it had begun', async () => {
  const set = new ReplicaSet(2).install(1);
  const answers = set.write(1, 0, 7);
  for (const { replica } of set.nodes.values()) {
    replica.seal();
    await replica.quiesce();
    await replica.accept(2, []);
  }
  set.install(2, { members: [2], learners: [1] });
  assert.deepEqual(answers, ['unavailable']);
});

test('when the own copy fails among others the node leaves, and the write is not answered', async () => {
  const set = new ReplicaSet(2).install(1);
  set.of(1).store.unwritable.add(0);
  const answers = set.write(1, 0, 7);
  await set.deliverAll();
  assert.deepEqual([answers, set.of(1).failures.length], [[], 1]);
  assert.ok(!set.waiting.some((kind) => kind.startsWith('valid')));
});

test('when a member cannot take it that member leaves, and the write waits', async () => {
  const set = new ReplicaSet(2).install(1);
  set.of(2).store.unwritable.add(0);
  const answers = set.write(1, 0, 7);
  await set.deliverAll();
  assert.deepEqual([answers, set.of(2).failures.length, set.of(1).failures.length], [[], 1, 0]);
});

test('alone, a write that fails fails, and the device lives on', async () => {
  const set = new ReplicaSet(1).install(1);
  const node = set.of(1);
  node.store.unwritable.add(0);
  assert.deepEqual(set.write(1, 0, 7), ['mediumError']);
  assert.deepEqual([node.failures, node.replica.log.size, node.replica.writes.inFlight], [[], 0, 0]);
  assert.deepEqual(node.journal.calls, ['before 0+1', 'written 0+1 durable']);
  node.store.unwritable.clear();
  assert.deepEqual([set.write(1, 0, 8), set.read(1, 0)], [['done'], ['8']]);
});

test('alone, what a failed write has left is flushed before anyone can read it, and a copy that cannot has failed', async () => {
  const set = new ReplicaSet(1).install(1);
  const node = set.of(1);
  node.store.unwritable.add(0);
  node.store.hold((call) => call === 'flush');
  const answers = set.write(1, 0, 7);
  const read = set.read(1, 0);
  await turns();
  assert.deepEqual([answers, read, node.store.held], [[], [], ['flush']]);
  await node.store.letAll();
  assert.deepEqual([answers, read], [['mediumError'], ['0']]);
  node.store.canFlush = false;
  const next = set.write(1, 0, 7);
  await turns();
  assert.deepEqual([next, node.failures.length], [[], 1]);
});

test('alone, a write that fails while its configuration ends is answered by the next one, and once', async () => {
  const set = new ReplicaSet(1).install(1);
  const { store, replica, failures } = set.of(1);
  store.unwritable.add(0);
  store.hold((call) => call === 'flush');
  const answers = set.write(1, 0, 7);
  await turns();
  replica.seal();
  const pending = replica.pending();
  await replica.quiesce();
  await store.letAll();
  assert.deepEqual([answers, pending.length], [[], 1]);
  store.unwritable.clear();
  assert.ok((await replica.accept(2, pending)).ok);
  set.install(2);
  assert.deepEqual([answers, failures, store.blocks[0], replica.writes.inFlight], [['done'], [], 7, 0]);
});

test('the data under way is bounded, too, and room comes back with each answer', async () => {
  const set = new ReplicaSet(2).install(1);
  const { writes } = set.of(1).replica;
  // 16 MiB each; what the store makes of them is not the point.
  const large = (lba: number): string[] => set.write(1, lba * BLOCKS, lba, 4096);
  large(100);
  assert.ok(writes.hasRoom);
  large(300);
  assert.ok(!writes.hasRoom);
  const waiting = set.write(1, 0, 1);
  assert.deepEqual([set.waiting, waiting], [['mutate 1>2', 'mutate 1>2'], []]);
  await set.deliverAll();
  assert.deepEqual([writes.hasRoom, waiting], [true, ['done']]);
});

test('a fault of the journal alone is one of the command, too', () => {
  const set = new ReplicaSet(1).install(1);
  set.of(1).journal.before = () => fail({ kind: 'ioError', operation: 'write', offset: 0, cause: 'EIO' });
  assert.deepEqual(set.write(1, 0, 7), ['mediumError']);
});

test('who keeps a write waiting for too long is named', async () => {
  const set = new ReplicaSet(3).install(1);
  const begun = set.clock.now();
  set.write(1, 0, 1);
  set.clock.advance(50);
  set.write(1, 1, 1);
  const { writes } = set.of(1).replica;
  assert.deepEqual([...writes.slowPeers(begun)], [2, 3]);
  assert.deepEqual([...writes.slowPeers(begun - 1)], []);
  await set.deliver((_kind, _from, to) => to === 2);
  await set.deliver((kind, from) => kind === 'held' && from === 2);
  assert.deepEqual([...writes.slowPeers(begun + 50)], [3]);
});

test('at most so many own writes are under way; the others wait, and nothing begins on a congested link', async () => {
  const set = new ReplicaSet(2).install(1);
  const node = set.of(1);
  const all = Array.from({ length: 300 }, (_, at) =>
    set.mutate(1, { kind: 'unmap', lba: at * BLOCKS, blocks: 1 }),
  );
  assert.equal(node.replica.writes.inFlight, 256);
  assert.equal(node.replica.queue.length, 44);
  assert.equal(all.flat().length, 0);
  const other = set.of(2);
  other.isCongested = true;
  const waiting = set.write(2, 1, 1);
  assert.equal(other.replica.writes.inFlight, 0);
  other.isCongested = false;
  other.replica.tick();
  await set.deliverAll((kind, from, to) => kind !== 'clock' && (from === 2 || to === 2));
  assert.deepEqual(waiting, ['done']);
});

test('what is remembered stays bounded however many writes one heartbeat sees, alone and with others', async () => {
  for (const count of [1, 2, 3]) {
    const set = new ReplicaSet(count).install(1);
    let highest = 0;
    for (let round = 0; round < 150; round++) {
      for (let lba = 0; lba < 40; lba++) set.mutate(1, { kind: 'unmap', lba, blocks: 1 });
      // oxlint-disable-next-line no-await-in-loop -- one round after the other
      await set.deliverAll();
      for (const { replica } of set.nodes.values()) highest = Math.max(highest, replica.log.size);
    }
    assert.ok(highest <= 1100, `${count} replicas: ${highest} changes remembered`);
  }
});

test('write-back: a flush waits for what a member holds and has not given to its store yet', async () => {
  const set = new ReplicaSet(3).install(1, { policy: 'back' });
  const written = set.write(2, 0, 6);
  const isLate = (kind: string, _from: number, to: number): boolean => kind === 'valid' && to === 1;
  await set.deliverAll((...sent) => !isLate(...sent));
  const flushed: boolean[] = [];
  const { replica } = set.of(3);
  replica.flush(set.ticket(), ({ ok }) => flushed.push(ok));
  await set.deliverAll((...sent) => !isLate(...sent));
  assert.deepEqual([written, flushed], [['done'], []]);
  await set.deliverAll();
  assert.deepEqual([flushed, set.of(1).store.calls], [[true], ['write 0+1 cached', 'flush']]);
});

test('write-back: what is everywhere and waits for its store is pending when the configuration ends', async () => {
  const set = new ReplicaSet(2).install(1, { policy: 'back' });
  const { replica, store } = set.of(1);
  store.hold((call) => call.startsWith('read'));
  set.read(1, 0);
  const written = set.write(2, 0, 6);
  await set.deliverAll();
  assert.deepEqual([written, store.held], [['done'], ['read 0+1']]);
  for (const { replica: each } of set.nodes.values()) each.seal();
  const pending = replica.pending();
  assert.equal(pending.length, 1);
  await store.letAll();
  for (const { replica: each } of set.nodes.values()) {
    await each.quiesce();
    assert.ok((await each.accept(2, pending)).ok);
  }
  assert.deepEqual([store.blocks[0], set.of(2).store.blocks[0]], [6, 6]);
});

test('what a configuration finishes is pending until that is installed: the next one may have to finish it', async () => {
  const set = new ReplicaSet(2).install(1);
  set.write(1, 0, 6);
  const { replica } = set.of(1);
  replica.seal();
  const pending = replica.pending();
  assert.equal(pending.length, 1);
  await replica.quiesce();
  assert.ok((await replica.accept(2, pending)).ok);
  assert.deepEqual(replica.pending(), pending);
  set.install(2, { members: [1] });
  assert.deepEqual(replica.pending(), []);
});
