/**
 * Goal: at most one owner has an extent at a time, all get their turn, and nothing of it outlives a configuration. Method:
 * lock tables of a few replicas whose messages a test delivers in every order that two owners allow, and in random ones.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { HeldLock } from './lock-table.ts';
import { ReplicaSet } from './testing/replica-set.ts';

interface Holder {
  readonly node: number;
  readonly lba: number;
  held: HeldLock | undefined;
  isOver: boolean;
}

function acquire(set: ReplicaSet, node: number, lba = 0, blocks = 1): Holder {
  const holder: Holder = { node, lba, held: undefined, isOver: false };
  set.of(node).replica.locks.acquire([{ lba, blocks }], (held) => {
    assert.equal(holder.held, undefined, 'granted once');
    holder.held = held;
  });
  return holder;
}

function release(holder: Holder): void {
  holder.isOver = true;
  holder.held!.release();
}

const has = ({ held, isOver }: Holder): boolean => held !== undefined && !isOver;

test('a lock is held when every member has granted it, and no earlier', async () => {
  const set = new ReplicaSet(3).install(1);
  const holder = acquire(set, 2);
  assert.deepEqual(set.waiting, ['lock 2>1']);
  await set.deliver();
  assert.deepEqual(set.waiting, ['locked 1>2']);
  await set.deliver();
  assert.deepEqual(set.waiting, ['lock 2>3']);
  await set.deliver();
  assert.equal(holder.held, undefined);
  await set.deliver();
  assert.ok(has(holder));
});

test('a replica that is alone grants itself at once', () => {
  const set = new ReplicaSet(2).install(1, { members: [1] });
  assert.ok(has(acquire(set, 1)));
});

test('learners are not asked', async () => {
  const set = new ReplicaSet(3).install(1, { members: [1, 2], learners: [3] });
  const holder = acquire(set, 1);
  await set.deliverAll();
  assert.ok(has(holder));
  assert.ok(!set.waiting.includes('lock 1>3'));
});

test('owners of one extent come one after the other, in the order in which the first member heard of them', async () => {
  const set = new ReplicaSet(3).install(1);
  const late = acquire(set, 3);
  const early = acquire(set, 2);
  await set.deliver((_kind, from) => from === 2);
  await set.deliverAll();
  assert.deepEqual([has(early), has(late)], [true, false]);
  release(early);
  await set.deliverAll();
  assert.ok(has(late));
});

test('extents that do not meet are locked side by side', async () => {
  const set = new ReplicaSet(2).install(1);
  const [one, next] = [acquire(set, 1, 0, 4), acquire(set, 2, 4, 4)];
  await set.deliverAll();
  assert.ok(has(one) && has(next));
});

test('a member grants when its own changes of the extent have ended, and begins none while the lock stands', async () => {
  const set = new ReplicaSet(2).install(1);
  const before = set.write(2, 3, 1);
  const holder = acquire(set, 1, 0, 8);
  await set.deliver((kind) => kind === 'lock');
  assert.ok(!set.waiting.includes('locked 2>1'));
  const after = set.write(2, 3, 2);
  await set.deliver((kind) => kind === 'mutate');
  await set.deliverAll((kind) => kind !== 'unlock');
  assert.deepEqual([before, has(holder), after], [['done'], true, []]);
  const beside = set.write(2, 8, 3);
  await set.deliverAll();
  assert.deepEqual([beside, after], [['done'], []]);
  release(holder);
  await set.deliverAll();
  assert.deepEqual(after, ['done']);
});

test('a lock that only waits keeps changes from beginning, too: or it would wait for ever', async () => {
  const set = new ReplicaSet(2).install(1);
  set.write(2, 0, 1);
  acquire(set, 1);
  await set.deliver((kind) => kind === 'lock');
  const later = set.write(2, 0, 2);
  await set.deliver((kind) => kind === 'mutate');
  assert.deepEqual(later, []);
  assert.equal(set.of(2).store.blocks[0], 0);
});

test('the owner may change what it has locked, and nobody else', async () => {
  const set = new ReplicaSet(2).install(1);
  const holder = acquire(set, 1);
  await set.deliverAll();
  for (const node of [1, 2]) {
    const { locks } = set.of(node).replica;
    assert.ok(locks.blocks(0, 1, undefined));
    assert.ok(!locks.blocks(0, 1, holder.held!.lock));
    assert.ok(locks.blocks(0, 1, { ...holder.held!.lock, owner: 3 - holder.held!.lock.owner }));
    assert.ok(!locks.blocks(1, 1, undefined));
  }
});

test('the end of a configuration ends all locks; who had one lets go of nothing', async () => {
  const set = new ReplicaSet(2).install(1);
  const holder = acquire(set, 1);
  const waiting = acquire(set, 2);
  await set.deliverAll();
  for (const { replica } of set.nodes.values()) replica.seal();
  set.install(2);
  const next = acquire(set, 2);
  await set.deliverAll();
  assert.ok(has(next));
  release(holder);
  assert.deepEqual(set.waiting, []);
  assert.ok(set.of(1).replica.locks.blocks(0, 1, undefined), 'the new one stands');
  assert.equal(waiting.held, undefined);
});

test('a lock is released once', async () => {
  const set = new ReplicaSet(2).install(1);
  const holder = acquire(set, 1);
  await set.deliverAll();
  release(holder);
  assert.deepEqual(set.waiting, ['unlock 1>2']);
  release(holder);
  assert.deepEqual(set.waiting, ['unlock 1>2']);
});

test('in any order of messages no two owners have blocks in common, and all have had their turn in the end', async () => {
  const owner = fc.record({
    node: fc.integer({ min: 1, max: 3 }),
    lba: fc.nat(3),
    blocks: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(owner, { minLength: 2, maxLength: 6 }),
      fc.array(fc.nat(99), { maxLength: 80 }),
      async (owners, order) => {
        const set = new ReplicaSet(3).install(1);
        const holders = owners.map(({ node, lba, blocks }) => ({
          blocks,
          of: acquire(set, node, lba, blocks),
        }));
        const check = (): void => {
          const held = holders.filter(({ of }) => has(of));
          for (const one of held)
            for (const two of held)
              assert.ok(
                one === two || one.of.lba + one.blocks <= two.of.lba || two.of.lba + two.blocks <= one.of.lba,
              );
        };
        for (const choice of order) {
          const held = holders.filter(({ of }) => has(of));
          if (choice % 4 === 0 && held.length > 0) release(held[choice % held.length]!.of);
          const links = [...new Set(set.sent.map(({ from, to }) => `${from}>${to}`))];
          const link = links[choice % Math.max(1, links.length)];
          let isFirst = true;
          // oxlint-disable-next-line no-await-in-loop -- one message of one link after the other
          await set.deliver((_kind, from, to) => isFirst && (isFirst = `${from}>${to}` !== link) === false);
          check();
        }
        for (let turn = 0; turn < owners.length; turn++) {
          // oxlint-disable-next-line no-await-in-loop -- one turn after the other
          await set.deliverAll();
          check();
          for (const { of } of holders) if (has(of)) release(of);
        }
        assert.ok(holders.every(({ of }) => of.isOver));
      },
    ),
    { numRuns: 60 },
  );
});
