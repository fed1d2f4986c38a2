/**
 * Goal: a newer change is never overwritten by an older one, nothing is held before it is as durable as the policy demands,
 * and the journal hears of the end of everything. Method: one copy over a store and a journal that answer when told;
 * random changes that arrive and are stored in any order.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { fail } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import { Mutation } from './mutation.ts';
import { documentOperation, type Operation, stampOf } from './operation.ts';
import { filled, turns } from './testing/held-store.ts';
import { type Node, ReplicaSet } from './testing/replica-set.ts';

function alone(policy: 'through' | 'back'): Node {
  return new ReplicaSet(1).install(1, { policy }).of(1);
}

function changeOf(node: Node, lamport: number, operation: Operation): Mutation {
  const mutation = new Mutation(stampOf(lamport, 1), operation, 2);
  node.replica.log.add(mutation);
  return mutation;
}

function writeOf(node: Node, lamport: number, lba: number, blocks = 1): Mutation {
  return changeOf(node, lamport, { kind: 'write', lba, blocks, data: filled(lamport, blocks) });
}

function received(node: Node, mutation: Mutation, storesLater = false): string[] {
  const answers: string[] = [];
  node.replica.copy.receive(
    mutation,
    (fault?: DeviceFault) => answers.push(fault?.kind ?? 'held'),
    storesLater,
  );
  return answers;
}

function stored(node: Node, mutation: Mutation): string[] {
  const answers: string[] = [];
  node.replica.copy.store(mutation, (fault) => answers.push(fault?.kind ?? 'stored'));
  return answers;
}

test('through: a change is in the journal before the store, and held when it is durable', async () => {
  const node = alone('through');
  node.store.hold();
  const mutation = writeOf(node, 5, 3, 2);
  const answers = received(node, mutation);
  assert.deepEqual(node.journal.calls, ['before 3+2']);
  assert.deepEqual([node.store.held, answers, mutation.isHeld], [['write 3+2 durable'], [], false]);
  await node.store.letAll();
  assert.deepEqual([answers, mutation.isHeld, mutation.isStored], [['held'], true, true]);
});

test('back: a change is held by the journal, and gets to the store only when told', async () => {
  const node = alone('back');
  const mutation = writeOf(node, 5, 3);
  const answers = received(node, mutation);
  assert.deepEqual([answers, node.store.calls, mutation.isStored], [['held'], [], false]);
  assert.deepEqual(stored(node, mutation), ['stored']);
  assert.deepEqual(node.store.calls, ['write 3+1 cached']);
});

test('through with the store to follow: the journal has it, and it is not held yet', () => {
  const node = alone('through');
  const mutation = writeOf(node, 5, 3);
  assert.deepEqual(received(node, mutation, true), ['held']);
  assert.deepEqual([mutation.isHeld, node.store.calls], [false, []]);
  stored(node, mutation);
  assert.ok(mutation.isHeld);
});

test('before anything else it is noted that data was written, and a record that fails holds nothing', async () => {
  const node = alone('through');
  let noted: (() => void) | undefined;
  node.noted = () => new Promise((resolve) => (noted = () => resolve({ ok: true, value: undefined })));
  const mutation = writeOf(node, 1, 0);
  const answers = received(node, mutation);
  await turns();
  assert.deepEqual([node.journal.calls, node.store.calls, answers], [[], [], []]);
  noted!();
  await turns();
  assert.deepEqual(answers, ['held']);
  node.noted = () => fail({ kind: 'busy' });
  assert.deepEqual(received(node, writeOf(node, 2, 1)), ['busy']);
  assert.equal(node.store.blocks[1], 0);
});

test('a journal that fails keeps the change from the store, and hears nothing of its end', () => {
  const node = alone('through');
  node.journal.before = () => fail({ kind: 'ioError', operation: 'write', offset: 0, cause: 'EIO' });
  const mutation = writeOf(node, 1, 0);
  assert.deepEqual(received(node, mutation), ['mediumError']);
  node.replica.copy.settle(mutation);
  assert.deepEqual([node.store.calls, node.journal.calls], [[], ['before 0+1']]);
});

test('a store that fails is told, and the change is neither held nor stored', () => {
  const node = alone('through');
  node.store.unwritable.add(4);
  const mutation = writeOf(node, 1, 3, 2);
  assert.deepEqual(received(node, mutation), ['mediumError']);
  assert.deepEqual([mutation.isHeld, mutation.isStored], [false, false]);
});

test('documents go to the records, without a journal, and are held when they are there', () => {
  for (const policy of ['through', 'back'] as const) {
    const node = alone(policy);
    const mutation = changeOf(node, 7, documentOperation('settings', new Uint8Array([1, 2])));
    assert.deepEqual(received(node, mutation), ['held']);
    assert.ok(mutation.isHeld && mutation.isStored);
    assert.deepEqual([node.documents, node.journal.calls], [[`settings 1,2 ${mutation.stamp}`], []]);
  }
});

test('every kind of change gets to the store as what it is', () => {
  const node = alone('through');
  received(node, changeOf(node, 1, { kind: 'writeSame', lba: 2, blocks: 3, pattern: filled(9)[0]! }));
  received(node, changeOf(node, 2, { kind: 'unmap', lba: 3, blocks: 1 }));
  assert.deepEqual(node.store.calls, ['writeSame 2+3 durable', 'unmap 3+1 durable']);
  assert.deepEqual([...node.store.blocks.subarray(1, 6)], [0, 9, 0, 9, 0]);
});

test('the journal hears the end of a change once, durable or cached as the policy is', () => {
  for (const [policy, end] of [
    ['through', 'durable'],
    ['back', 'cached'],
  ] as const) {
    const node = alone(policy);
    const mutation = writeOf(node, 1, 0);
    received(node, mutation);
    node.replica.copy.settle(mutation);
    node.replica.copy.settle(mutation);
    assert.deepEqual(node.journal.calls, ['before 0+1', `written 0+1 ${end}`]);
    assert.ok(!mutation.isJournaled);
  }
});

test('at the end of a configuration the copy waits for the store, begins nothing and tells the journal', async () => {
  const node = alone('through');
  node.store.hold();
  const [first, second] = [writeOf(node, 1, 0), writeOf(node, 2, 0)];
  const answers = [received(node, first), received(node, second)];
  assert.deepEqual(node.store.held, ['write 0+1 durable'], 'one at a time on the same blocks');
  node.replica.seal();
  node.replica.log.clear();
  let isStill = false;
  const still = Promise.resolve(node.replica.copy.quiesce()).then(() => (isStill = true));
  await turns();
  assert.ok(!isStill);
  await node.store.letOne();
  await still;
  assert.deepEqual([answers, node.store.calls], [[[], []], ['write 0+1 durable']]);
  const ends = node.journal.calls.filter((call) => call.startsWith('written'));
  assert.deepEqual(ends, ['written 0+1 durable', 'written 0+1 durable']);
});

for (const policy of ['through', 'back'] as const)
  test(`${policy}: a change that is over before its journal answers goes nowhere`, async () => {
    const node = alone(policy);
    let journaled: (() => void) | undefined;
    node.journal.before = () =>
      new Promise((resolve) => (journaled = () => resolve({ ok: true, value: undefined })));
    const answers = received(node, writeOf(node, 1, 0));
    node.replica.seal();
    node.replica.log.clear();
    const still = Promise.resolve(node.replica.copy.quiesce());
    journaled!();
    await still;
    assert.deepEqual([answers, node.store.calls], [[], []]);
    assert.deepEqual(node.journal.calls, ['before 0+1', 'written 0+1 durable']);
  });

test('reads wait for what is being stored there, then look again whether they may', async () => {
  const node = alone('back');
  node.store.hold((call) => call.startsWith('write'));
  const mutation = writeOf(node, 1, 0);
  received(node, mutation);
  stored(node, mutation);
  const seen: (number | undefined)[] = [];
  let isClean = true;
  const read = (): void =>
    void Promise.resolve(node.replica.copy.read(0, 1, () => isClean)).then((result) => {
      seen.push(result?.ok === true ? result.value.segments[0]![0]! : undefined);
    });
  read();
  await turns();
  assert.deepEqual([seen, node.store.calls], [[], ['write 0+1 cached']]);
  await node.store.letAll();
  assert.deepEqual(seen, [1]);
  isClean = false;
  read();
  await turns();
  assert.deepEqual([seen, node.store.calls.length], [[1, undefined], 2], 'nothing was read');
});

test('the longest operation of the store is known', async () => {
  const set = new ReplicaSet(1).install(1);
  const node = set.of(1);
  node.store.hold();
  assert.equal(node.replica.copy.oldestAt, undefined);
  const begun = set.clock.now();
  received(node, writeOf(node, 1, 0));
  set.clock.advance(100);
  received(node, writeOf(node, 2, 8));
  assert.equal(node.replica.copy.oldestAt, begun);
  await node.store.letOne();
  assert.equal(node.replica.copy.oldestAt, begun + 100);
  await node.store.letOne();
  assert.equal(node.replica.copy.oldestAt, undefined);
});

test('whatever order changes arrive and are stored in, each block ends as its newest change says', async () => {
  const change = fc.record({
    lamport: fc.integer({ min: 1, max: 200 }),
    lba: fc.nat(12),
    blocks: fc.integer({ min: 1, max: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(change, { minLength: 2, maxLength: 8, selector: ({ lamport }) => lamport }),
      fc.array(fc.boolean(), { maxLength: 16 }),
      fc.constantFrom('through' as const, 'back' as const),
      async (changes, lets, policy) => {
        const node = alone(policy);
        node.store.hold();
        const all = changes.map(({ lamport, lba, blocks }) => writeOf(node, lamport, lba, blocks));
        for (const [at, mutation] of all.entries()) {
          received(node, mutation);
          if (policy === 'back') stored(node, mutation);
          // oxlint-disable-next-line no-await-in-loop -- some are stored before the next one comes
          if (lets[at] === true && node.store.held.length > 0) await node.store.letOne();
        }
        await node.store.letAll();
        const expected = new Uint8Array(node.store.blocks.length);
        for (const { lamport, lba, blocks } of changes.toSorted((a, b) => a.lamport - b.lamport))
          expected.fill(lamport, lba, lba + blocks);
        assert.deepEqual(node.store.blocks, expected);
        assert.ok(all.every(({ isStored }) => isStored));
      },
    ),
    { numRuns: 150 },
  );
});

test('what another member sent is written where nothing else has been, durable, after what is being stored there', async () => {
  const node = alone('through');
  node.store.hold();
  received(node, writeOf(node, 1, 2));
  const content = { kind: 'write', lba: 0, blocks: 4, data: filled(7, 4) } as const;
  const parts = [{ kind: 'write', lba: 3, blocks: 1, data: filled(7) } as const];
  let asked = 0;
  const written = Promise.resolve(
    node.replica.copy.overwrite(content, () => {
      asked += 1;
      return parts;
    }),
  );
  assert.equal(asked, 0);
  await node.store.letAll();
  assert.ok((await written).ok);
  assert.deepEqual(node.store.calls, ['write 2+1 durable', 'write 3+1 durable']);
});
