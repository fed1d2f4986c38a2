/**
 * Goal: what a block holds is what the newest change of it says, however changes overlap and in whatever order they
 * come; and no change is forgotten that an older one could still meet. Method: random changes on a short device against
 * plain arrays, one for each block.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Mutation } from './mutation.ts';
import { MutationLog, type Part } from './mutation-log.ts';
import { lamportOf, type Operation, stampOf } from './operation.ts';

const BLOCK = 512;
const BLOCKS = 24;

/** Every byte of a block tells which change, and which of its blocks. */
function writeOf(lamport: number, lba: number, blocks: number): Operation {
  const data = new Uint8Array(blocks * BLOCK);
  for (let at = 0; at < blocks; at++) data.fill((lamport * 7 + at) & 0xff, at * BLOCK, (at + 1) * BLOCK);
  return { kind: 'write', lba, blocks, data: [data] };
}

function added(log: MutationLog, lamport: number, lba: number, blocks: number, node = 1): Mutation {
  const mutation = new Mutation(stampOf(lamport, node), writeOf(lamport, lba, blocks), node);
  log.add(mutation);
  return mutation;
}

function makeReadable(log: MutationLog, mutation: Mutation): void {
  mutation.isValid = true;
  mutation.isStored = true;
  log.becameReadable(mutation);
  mutation.changed();
}

const mutations = fc.uniqueArray(
  fc.record({
    lamport: fc.integer({ min: 1, max: 40 }),
    lba: fc.nat(BLOCKS - 1),
    length: fc.integer({ min: 1, max: 9 }),
    isStored: fc.boolean(),
    isValid: fc.boolean(),
  }),
  { minLength: 1, maxLength: 12, selector: ({ lamport }) => lamport },
);

/** The first byte of each block after all parts, oldest first. */
function played(parts: readonly Part[]): Map<number, number> {
  const content = new Map<number, number>();
  for (const { operation } of parts.toSorted((a, b) => a.stamp - b.stamp)) {
    assert.ok(operation.kind === 'write' && operation.data.length > 0);
    const bytes = operation.data.flatMap((part) => [...part]);
    assert.equal(bytes.length, operation.blocks * BLOCK);
    for (let at = 0; at < operation.blocks; at++) content.set(operation.lba + at, bytes[at * BLOCK]!);
  }
  return content;
}

test('the visible parts of all changes, in any order, are what the newest change of each block says', () => {
  fc.assert(
    fc.property(mutations, (drawn) => {
      const log = new MutationLog(BLOCK);
      const all = drawn.map(({ lamport, lba, length }) =>
        added(log, lamport, lba, Math.min(length, BLOCKS - lba)),
      );
      const parts = all.flatMap((mutation) =>
        log.visibleParts(mutation, () => true).map((operation) => ({ stamp: mutation.stamp, operation })),
      );
      const seen = new Set<number>();
      for (const { operation } of parts)
        for (let at = 0; at < operation.blocks; at++) {
          assert.ok(!seen.has(operation.lba + at), 'a block is visible in one change only');
          seen.add(operation.lba + at);
        }
      const whole = all.map(({ stamp, operation }) => ({ stamp, operation }));
      assert.deepEqual(played(parts), played(whole));
    }),
  );
});

test('only newer changes that pass the test cover an older one', () => {
  const log = new MutationLog(BLOCK);
  const old = added(log, 1, 0, 6);
  const covers = added(log, 2, 1, 2);
  added(log, 3, 4, 1);
  const extents = (over: (newer: Mutation) => boolean) =>
    log.visibleParts(old, over).map(({ lba, blocks }) => `${lba}+${blocks}`);
  assert.deepEqual(
    extents((newer) => newer === covers),
    ['0+1', '3+3'],
  );
  assert.deepEqual(
    extents(() => false),
    ['0+6'],
  );
  assert.deepEqual(
    log.visibleParts(covers, () => true).map(({ lba }) => lba),
    [1],
  );
});

test('pending is what is not readable here, without what newer changes cover', () => {
  fc.assert(
    fc.property(mutations, (drawn) => {
      const log = new MutationLog(BLOCK);
      const expected = new Map<number, { stamp: number; isReadable: boolean }>();
      for (const { lamport, lba, length, isStored, isValid } of drawn) {
        const mutation = added(log, lamport, lba, Math.min(length, BLOCKS - lba));
        mutation.isStored = isStored;
        mutation.isValid = isValid;
        for (let at = 0; at < mutation.blocks; at++) {
          const newest = expected.get(lba + at);
          if (newest !== undefined && newest.stamp > mutation.stamp) continue;
          expected.set(lba + at, { stamp: mutation.stamp, isReadable: mutation.isReadable });
        }
      }
      const found = new Map<number, number>();
      for (const { stamp, operation } of log.pending())
        for (let at = 0; at < operation.blocks; at++) found.set(operation.lba + at, stamp);
      for (let lba = 0; lba < BLOCKS; lba++) {
        const newest = expected.get(lba);
        assert.equal(found.get(lba), newest?.isReadable === false ? newest.stamp : undefined, `block ${lba}`);
      }
    }),
  );
});

test('a change that is not readable stands in the way of reads of its blocks, and of no others', () => {
  const log = new MutationLog(BLOCK);
  const mutation = added(log, 1, 4, 2);
  assert.equal(log.unreadable(0, 4), undefined);
  assert.equal(log.unreadable(6, 9), undefined);
  for (const [lba, blocks] of [
    [4, 1],
    [0, 5],
    [5, 9],
  ] as const)
    assert.equal(log.unreadable(lba, blocks), mutation);
  makeReadable(log, mutation);
  assert.equal(log.unreadable(0, 24), undefined);
});

test('a change is forgotten when it is readable, nothing older can come and no older one is left', () => {
  const log = new MutationLog(BLOCK);
  const older = added(log, 3, 0, 4);
  const newer = added(log, 5, 2, 4, 2);
  const apart = added(log, 4, 10, 1);
  log.forget(9);
  assert.equal(log.size, 3, 'none is readable');
  makeReadable(log, newer);
  makeReadable(log, apart);
  log.forget(3);
  assert.equal(log.size, 3, 'older ones may come');
  log.forget(5);
  assert.equal(log.get(apart.stamp), undefined);
  assert.equal(log.get(newer.stamp), newer, 'an older one is left that it covers');
  makeReadable(log, older);
  log.forget(2);
  assert.equal(log.size, 2);
  log.forget(5);
  log.forget(5);
  assert.equal(log.size, 0);
});

test('whatever is forgotten, a later older change is still covered by all newer ones of its blocks', () => {
  const events = fc.array(fc.record({ which: fc.nat(11), told: fc.nat(40) }), { maxLength: 20 });
  fc.assert(
    fc.property(mutations, events, (drawn, script) => {
      const log = new MutationLog(BLOCK);
      const all = drawn.map(({ lamport, lba, length }) =>
        added(log, lamport, lba, Math.min(length, BLOCKS - lba)),
      );
      let told = 0;
      for (const { which, told: next } of script) {
        const one = all[which];
        if (one !== undefined && !one.isReadable) makeReadable(log, one);
        told = Math.max(told, next);
        log.forget(told);
      }
      for (const mutation of all) {
        if (log.get(mutation.stamp) !== undefined) continue;
        assert.ok(mutation.isReadable && lamportOf(mutation.stamp) <= told);
        const left = log.all().filter(({ stamp }) => stamp < mutation.stamp);
        assert.ok(
          !left.some(
            ({ lba, blocks }) => lba < mutation.lba + mutation.blocks && mutation.lba < lba + blocks,
          ),
        );
      }
    }),
  );
});

test('a watch tells what was not readable when it began and all that came since, until it ends', () => {
  const log = new MutationLog(BLOCK);
  const before = added(log, 1, 0, 2);
  const readable = added(log, 2, 3, 1);
  makeReadable(log, readable);
  const watch = log.watch(0, 8);
  const during = added(log, 3, 7, 4);
  added(log, 4, 8, 4);
  assert.deepEqual(watch.touched, [before, during]);
  watch.end();
  watch.end();
  added(log, 5, 0, 1);
  assert.deepEqual(watch.touched, [before, during]);
});

test('the end of a configuration ends every change: who waits for one hears that it will not be readable', () => {
  const log = new MutationLog(BLOCK);
  const heard: boolean[] = [];
  const waiting = added(log, 1, 0, 1);
  const done = added(log, 2, 1, 1);
  waiting.whenReadable((ready) => heard.push(ready));
  done.whenReadable((ready) => heard.push(ready));
  makeReadable(log, done);
  log.clear();
  assert.deepEqual([heard, log.size, log.unreadable(0, 9)], [[true, false], 0, undefined]);
  assert.ok(waiting.isOver);
  waiting.whenReadable((ready) => heard.push(ready));
  assert.deepEqual(heard, [true, false, false]);
});

test('a change that was taken out is neither pending nor in the way', () => {
  const log = new MutationLog(BLOCK);
  const mutation = added(log, 1, 0, 2);
  log.remove(mutation);
  assert.deepEqual([log.pending(), log.unreadable(0, 2), log.size], [[], undefined, 0]);
});
