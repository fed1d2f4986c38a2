/** Goal: who has a vote, and what is a majority, at all times. Method: every set of small electorates. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isInEveryMajority, isMajority, type Site, siteOf, votersOf } from './configuration.ts';

const MAJORITY = { kind: 'majority', witness: undefined } as const;
const WITNESS = { kind: 'majority', witness: 9 } as const;

/** Every set of these nodes. */
const setsOf = (nodes: readonly number[]): readonly (readonly number[])[] =>
  Array.from({ length: 1 << nodes.length }, (_, set) => nodes.filter((_node, at) => (set & (1 << at)) !== 0));

const isMore = (voters: readonly number[], set: readonly number[]): boolean =>
  2 * voters.filter((node) => set.includes(node)).length > voters.length;

test('any two majorities of one site have a node in common', () => {
  for (const strategy of [MAJORITY, WITNESS])
    for (const nodes of [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]) {
      const site: Site = { nodes, strategy };
      const sets = setsOf(votersOf(site)).filter((set) => isMajority(site, (node) => set.includes(node)));
      assert.ok(sets.length > 0);
      for (const a of sets) for (const b of sets) assert.ok(a.some((node) => b.includes(node)));
    }
});

test('while replicas change, a majority is one of the former and one of the new ones', () => {
  for (const strategy of [MAJORITY, WITNESS]) {
    const witness = strategy.witness === undefined ? [] : [9];
    const site: Site = { nodes: [1, 2, 3, 4], formerly: [3, 4, 5], strategy };
    assert.deepEqual(votersOf(site), [1, 2, 3, 4, 5, ...witness]);
    for (const set of setsOf(votersOf(site))) {
      const both = isMore([1, 2, 3, 4, ...witness], set) && isMore([3, 4, 5, ...witness], set);
      assert.equal(
        isMajority(site, (node) => set.includes(node)),
        both,
        set.join(),
      );
    }
  }
});

test('a set is in every majority if none is found without it', () => {
  for (const site of [
    { nodes: [1, 2, 3, 4], strategy: MAJORITY },
    { nodes: [1, 2], strategy: WITNESS },
    { nodes: [1, 2, 3, 4], formerly: [1, 2, 3], strategy: MAJORITY },
  ]) {
    const sets = setsOf(votersOf(site));
    for (const set of sets) {
      if (!isInEveryMajority(site, (node) => set.includes(node))) continue;
      const others = votersOf(site).filter((node) => !set.includes(node));
      assert.ok(
        !isMajority(site, (node) => others.includes(node)),
        `${set.join()} of ${votersOf(site).join()}`,
      );
    }
    assert.ok(isInEveryMajority(site, () => true));
    assert.ok(!isInEveryMajority(site, () => false));
  }
});

test('a configuration says who has a copy, else it is as the device was made; who is new comes last', () => {
  const made = { nodes: [2, 1], strategy: MAJORITY };
  assert.deepEqual(siteOf({}, made).nodes, [2, 1]);
  assert.deepEqual(siteOf({ replicas: [1, 2, 3, 4] }, made).nodes, [2, 1, 3, 4]);
  assert.deepEqual(siteOf({ replicas: [1, 3] }, { ...made, order: [3, 2, 1] }).nodes, [3, 1]);
  assert.deepEqual(siteOf({ replicas: [1], formerly: [1, 2] }, made).formerly, [1, 2]);
});
