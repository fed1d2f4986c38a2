/**
 * Goal: a learner ends with what the members have, whatever is changed meanwhile, and never counts as equal before it has
 * all of it on its medium. Method: a source and a learner whose messages and stores answer when a test says so; random
 * writes, by any node, between any two steps.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CHUNK_LENGTH, DirtyMap } from '../journal/dirty-map.ts';
import { BLOCK, turns } from './testing/held-store.ts';
import { BLOCKS, ReplicaSet } from './testing/replica-set.ts';

const PER_CHUNK = CHUNK_LENGTH / BLOCK;
const CHUNKS = BLOCKS / PER_CHUNK;

/** Node 1 (and 2) serve; the last one learns, and differs in these chunks. */
function learning(count: number, dirty: readonly number[], policy: 'through' | 'back' = 'through') {
  const set = new ReplicaSet(count);
  const members = Array.from({ length: count - 1 }, (_, at) => at + 1);
  const [source, learner] = [members.at(-1)!, count];
  for (const [self, { store, journal }] of set.nodes) {
    const map = new DirtyMap(BLOCKS, BLOCK);
    for (const chunk of dirty) map.markChunks(chunk, chunk);
    journal.maps.set(learner, map);
    for (let lba = 0; lba < BLOCKS; lba++)
      if (self !== learner) store.blocks[lba] = 100 + lba;
      else if (!dirty.includes(Math.floor(lba / PER_CHUNK))) store.blocks[lba] = 100 + lba;
  }
  const begin = (): void => void set.install(1, { members, learners: [learner], source, policy });
  return {
    set,
    source: set.of(source),
    learner: set.of(learner),
    begin,
    map: set.of(source).journal.maps.get(learner)!,
  };
}

const progressOf = ({ replica }: ReturnType<typeof learning>['source']): number[] =>
  replica.source.progress.flatMap(({ learner, total, left }) => [learner, total, left]);

test('what the learner lacks is sent, and it is ready when all is there and a flush of all has gone round', async () => {
  const { set, source, learner, begin, map } = learning(3, [1, 3]);
  begin();
  assert.deepEqual(progressOf(source), [3, 2, 2]);
  assert.deepEqual(set.waiting, ['offer 2>3']);
  await set.deliverAll((kind) => kind !== 'flush');
  assert.deepEqual([map.count, source.replica.source.ready], [0, []]);
  assert.deepEqual(progressOf(source), [3, 2, 0]);
  assert.deepEqual(set.waiting, ['flush 2>1', 'flush 2>3']);
  await set.deliverAll();
  assert.deepEqual(source.replica.source.ready, [3]);
  assert.deepEqual(learner.store.blocks, source.store.blocks);
  assert.equal(source.store.loans + learner.store.loans, 0);
  assert.ok(learner.store.calls.includes(`write ${PER_CHUNK}+${PER_CHUNK} durable`));
});

test('only the source offers', () => {
  const { set, begin } = learning(3, [0]);
  begin();
  assert.deepEqual(
    set.waiting.filter((sent) => sent.startsWith('offer')),
    ['offer 2>3'],
  );
});

test('equal chunks are not sent, but made durable', async () => {
  const { set, source, learner, begin, map } = learning(2, [0, 1]);
  learner.store.blocks.set(source.store.blocks.subarray(0, PER_CHUNK));
  learner.store.hold((call) => call === 'flush');
  begin();
  await set.deliver();
  await set.deliver();
  assert.deepEqual(set.waiting, ['same 1>2', 'chunk 1>2']);
  await set.deliverAll();
  assert.ok(map.has(0) && !map.has(1), 'not before the flush');
  await learner.store.letAll();
  await set.deliverAll();
  assert.deepEqual([map.count, source.replica.source.ready], [0, [2]]);
});

test('a learner that cannot read what it has gets it sent', async () => {
  const { set, source, learner, begin, map } = learning(2, [0]);
  learner.store.blocks.set(source.store.blocks);
  learner.store.unreadable.add(3);
  begin();
  await set.deliverAll((kind) => kind !== 'chunk');
  assert.deepEqual(set.waiting, ['chunk 1>2']);
  await set.deliverAll();
  assert.equal(map.count, 0);
});

test('a learner that lacks nothing is ready after a flush', async () => {
  const { set, source, begin } = learning(2, []);
  begin();
  assert.deepEqual([set.waiting, source.replica.source.ready], [['flush 1>2'], []]);
  await set.deliverAll();
  assert.deepEqual(source.replica.source.ready, [2]);
});

test('a flush that does not go round leaves it a learner, and the next look tries again', async () => {
  const { set, source, learner, begin } = learning(2, []);
  learner.records = 0;
  begin();
  await set.deliverAll();
  assert.deepEqual(source.replica.source.ready, []);
  source.store.canFlush = false;
  const other = learning(2, []);
  other.source.store.canFlush = false;
  other.begin();
  await other.set.deliverAll();
  assert.deepEqual(other.source.replica.source.ready, []);
  other.source.store.canFlush = true;
  other.source.replica.source.tick();
  await other.set.deliverAll();
  assert.deepEqual(other.source.replica.source.ready, [2]);
});

test('a chunk counts as sent only when the learner has it on its medium', async () => {
  const { set, learner, begin, map } = learning(2, [0]);
  learner.store.hold((call) => call.startsWith('write'));
  begin();
  await set.deliverAll();
  assert.deepEqual([learner.store.held, map.count], [[`write 0+${PER_CHUNK} durable`], 1]);
  await learner.store.letAll();
  await set.deliverAll();
  assert.equal(map.count, 0);
});

test('what was brought counts as unflushed there: the disk may come back as it was', async () => {
  const { set, source, begin } = learning(3, [1, 3]);
  begin();
  await set.deliverAll((kind) => kind !== 'settled');
  assert.ok(!source.journal.calls.some((call) => call.startsWith('brought')));
  await set.deliverAll();
  assert.deepEqual(
    source.journal.calls.filter((call) => call.startsWith('brought')),
    [1, 3].map((chunk) => `brought 3 ${chunk * PER_CHUNK}+${PER_CHUNK}`),
  );
});

test('what a peer said its records were counts until the next configuration with it: its disk may be another one', async () => {
  const { set, source, learner, begin } = learning(2, [0]);
  learner.records = 100;
  begin();
  await set.deliverAll();
  assert.equal(source.replica.recorded.get(2), 100);
  for (const { replica } of [source, learner]) replica.seal();
  set.install(2, { members: [1] });
  assert.equal(source.replica.recorded.get(2), 100);
  learner.records = 3;
  source.replica.seal();
  set.install(3, { members: [1], learners: [2], source: 1 });
  await set.deliverAll();
  assert.equal(source.replica.recorded.get(2), 3);
});

test('a learner whose medium cannot take it fails', async () => {
  const { set, learner, begin, map } = learning(2, [0]);
  learner.store.unwritable.add(0);
  begin();
  await set.deliverAll();
  assert.deepEqual([learner.failures.length, map.count], [1, 1]);
});

test('a chunk that the source cannot read stays dirty, and is offered again later', async () => {
  const { set, source, begin, map } = learning(2, [0]);
  source.store.unreadable.add(0);
  begin();
  await set.deliverAll();
  assert.deepEqual([map.count, source.traced, source.failures], [1, ['mirror.resync.sourceUnreadable'], []]);
  source.store.unreadable.clear();
  source.replica.source.tick();
  await set.deliverAll();
  assert.deepEqual([map.count, source.replica.source.ready], [0, [2]]);
});

test('only what was offered in this configuration can be asked for and settled', async () => {
  const { set, source, begin, map } = learning(2, [0, 1]);
  begin();
  const { source: resync } = source.replica;
  resync.onWant(2, 3, undefined);
  resync.onSettled(2, 3);
  resync.onSettled(7, 0);
  await turns();
  assert.deepEqual([map.count, set.waiting], [2, ['offer 1>2']]);
  source.replica.seal();
  resync.onWant(2, 0, undefined);
  resync.onSettled(2, 0);
  assert.deepEqual([map.count, resync.ready, resync.progress], [2, [], []]);
});

test('an answer that comes when the configuration is over settles nothing', async () => {
  const { set, source, learner, begin, map } = learning(2, [0]);
  learner.store.hold((call) => call.startsWith('write'));
  begin();
  await set.deliverAll();
  for (const { replica } of set.nodes.values()) replica.seal();
  await learner.store.letAll();
  await set.deliverAll();
  assert.deepEqual([map.count, source.store.loans], [1, 0]);
});

test('an answer of a former configuration settles nothing in the next one, though the same chunk is under way', async () => {
  const { set, source, learner, begin, map } = learning(2, [0]);
  learner.store.blocks.set(source.store.blocks);
  learner.store.hold((call) => call === 'flush');
  begin();
  await set.deliverAll();
  assert.deepEqual(learner.store.held, ['flush']);
  for (const { replica } of set.nodes.values()) {
    replica.seal();
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await replica.quiesce();
  }
  set.install(2, { members: [1], learners: [2], source: 1 });
  assert.deepEqual(set.waiting, ['offer 1>2']);
  await learner.store.letOne();
  assert.deepEqual([set.waiting, map.count], [['offer 1>2'], 1]);
});

test('one flush proves it, however often is looked', async () => {
  const { set, source, begin } = learning(2, []);
  begin();
  for (let look = 0; look < 3; look++) source.replica.source.tick();
  await set.deliverAll();
  assert.deepEqual(
    source.journal.calls.filter((call) => call === 'seal'),
    ['seal'],
  );
});

test('a source whose configuration ends while it reads sends nothing, and gives back what it was lent', async () => {
  const { set, source, begin } = learning(2, [0]);
  source.store.hold();
  begin();
  await set.deliver();
  await set.deliver();
  source.replica.seal();
  await source.store.letAll();
  assert.deepEqual([set.waiting, source.store.loans], [[], 0]);
});

test('no more chunks are on their way than the pace allows', async () => {
  const { set, source, begin } = learning(2, [0, 1, 2, 3]);
  source.replica.source.pace.window = 2;
  begin();
  const [offer] = set.sent;
  assert.deepEqual(offer!.message.kind === 'offer' && offer!.message.chunks, [0, 1]);
  await set.deliverAll((kind) => kind !== 'settled');
  await set.deliver((kind) => kind === 'settled');
  const next = set.sent.flatMap(({ message }) => (message.kind === 'offer' ? message.chunks : []));
  assert.deepEqual(next, [2, 3]);
});

test('a change that comes while a chunk is on its way is not overwritten by it', async () => {
  for (const policy of ['through', 'back'] as const) {
    const { set, source, learner, begin } = learning(2, [0], policy);
    begin();
    await set.deliverAll((kind) => kind !== 'chunk');
    const answers = set.write(1, 3, 7);
    await set.deliverAll((kind) => kind !== 'chunk');
    assert.deepEqual(answers, ['done']);
    await set.deliverAll();
    assert.deepEqual(learner.store.blocks, source.store.blocks);
    assert.equal(learner.store.blocks[3], 7);
  }
});

test('a change that the learner has already and the source has not is waited for: nothing older is sent', async () => {
  const { set, source, learner, begin } = learning(3, [0], 'back');
  begin();
  const answers = set.write(1, 3, 7);
  const isLate = (kind: string, _from: number, to: number): boolean => kind === 'valid' && to === 2;
  await set.deliverAll((kind, from, to) => kind !== 'offer' && !isLate(kind, from, to));
  assert.deepEqual([answers, learner.store.blocks[3], source.store.blocks[3]], [['done'], 7, 103]);
  await set.deliverAll((...sent) => !isLate(...sent));
  assert.deepEqual(set.waiting, ['valid 1>2']);
  await set.deliverAll();
  assert.deepEqual(learner.store.blocks, source.store.blocks);
  assert.equal(learner.store.blocks[3], 7);
});

test('clients that wait too long slow a resync down', async () => {
  const { set, source, begin } = learning(2, []);
  begin();
  const before = source.replica.source.pace.window;
  for (const took of [21, 30]) {
    const answers = set.write(1, 0, 1);
    set.clock.advance(took);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await set.deliverAll();
    assert.deepEqual(answers, ['done']);
  }
  source.replica.source.tick();
  assert.equal(source.replica.source.pace.window, before >> 1);
});

test('whatever is written meanwhile, and whatever arrives when, a learner that is ready has what the members have', async () => {
  const step = fc.record({
    kind: fc.constantFrom('write', 'write', 'deliver', 'deliver', 'deliver', 'let', 'tick'),
    node: fc.integer({ min: 1, max: 2 }),
    lba: fc.nat(BLOCKS - 1),
    which: fc.nat(9),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.subarray([0, 1, 2, 3]),
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom('through' as const, 'back' as const),
      async (dirty, script, policy) => {
        assert.equal(CHUNKS, 4);
        const { set, source, learner, begin } = learning(3, dirty, policy);
        learner.store.hold();
        source.store.hold();
        begin();
        let value = 0;
        for (const { kind, node, lba, which } of script) {
          if (kind === 'write') set.write(node, lba, (value += 1));
          else if (kind === 'tick') source.replica.source.tick();
          else if (kind === 'let') {
            const { store } = which % 2 === 0 ? source : learner;
            // oxlint-disable-next-line no-await-in-loop -- one step after the other
            if (store.held.length > 0) await store.letOne();
          } else {
            const links = [...new Set(set.sent.map(({ from, to }) => `${from}>${to}`))];
            const link = links[which % Math.max(1, links.length)];
            let isFirst = true;
            // oxlint-disable-next-line no-await-in-loop -- one step after the other
            await set.deliver((_kind, from, to) => isFirst && (isFirst = `${from}>${to}` !== link) === false);
          }
        }
        for (let round = 0; round < 6; round++) {
          // oxlint-disable-next-line no-await-in-loop -- one round after the other
          await learner.store.letAll();
          // oxlint-disable-next-line no-await-in-loop
          await source.store.letAll();
          // oxlint-disable-next-line no-await-in-loop
          await set.deliverAll();
          source.replica.source.tick();
        }
        assert.deepEqual(source.replica.source.ready, [3]);
        for (const { store } of set.nodes.values()) {
          assert.deepEqual(store.blocks, source.store.blocks);
          assert.equal(store.loans, 0);
        }
      },
    ),
    { numRuns: 80 },
  );
});
