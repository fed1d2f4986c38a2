/**
 * Goal: no two nodes ever propose the same term, and nobody serves before all who must have accepted. Method: all terms of
 * a few rounds; every set of acceptances of a small choice.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Choice } from './choose.ts';
import type { Site } from './configuration.ts';
import { begin, isComplete, nextTerm, promisesNow } from './proposal.ts';
import { reportWith } from './testing/report.ts';
import { DRIFT } from './times.ts';

const WHY = { cause: 'test', excluded: new Set<number>(), promoted: new Set<number>(), isForced: false };
const BASE = { term: 1, id: 'f'.repeat(32), members: [1, 2], learners: [] };
const CHOICE: Choice = {
  kind: 'go',
  base: BASE,
  members: [1, 2],
  learners: [3],
  told: [4],
  diverged: [],
  sources: [],
  waitMs: 0,
  needsClaim: false,
  rule: 'test',
};

const FIVE: Site = { nodes: [1, 2, 3, 4, 5], strategy: { kind: 'majority', witness: undefined } };
const FOUR_OF_OLD: Site = { ...FIVE, nodes: [1, 2, 3, 4], formerly: [3, 4, 5] };
const HEARTBEAT: Site = { nodes: [1, 2, 3], strategy: { kind: 'heartbeat', policy: 'arbitrate' } };
const SITES = [FIVE, FOUR_OF_OLD, HEARTBEAT];
const NEEDED = new Map<Site, (accepted: ReadonlySet<number>) => boolean>([
  [FIVE, (accepted) => accepted.size >= 3],
  [
    FOUR_OF_OLD,
    (accepted) =>
      [1, 2, 3, 4].filter((node) => accepted.has(node)).length >= 3 &&
      [3, 4, 5].filter((node) => accepted.has(node)).length >= 2,
  ],
  [HEARTBEAT, () => true],
]);

test('the next term is above all that were seen, and of two nodes never the same', () => {
  const of = new Map<number, number>();
  for (let seen = 0; seen < 200; seen++)
    for (let self = 1; self <= 5; self++) {
      const term = nextTerm(seen, self);
      assert.ok(term > seen);
      assert.ok(term - seen <= 32, 'terms are not used up');
      assert.equal(of.get(term) ?? self, self);
      of.set(term, self);
    }
});

test('who proposes twice uses two terms, also right after another', () => {
  const first = nextTerm(0, 3);
  assert.ok(nextTerm(first, 3) > first);
  assert.ok(nextTerm(first, 1) > first);
});

test('a proposal is complete when members, learners and those that are told have accepted, and enough voters', () => {
  const voters = [1, 2, 3, 4, 5];
  for (let set = 0; set < 1 << voters.length; set++)
    for (const site of SITES) {
      const attempt = begin(17, 0, { ...WHY, winner: undefined });
      attempt.choice = CHOICE;
      for (const [at, voter] of voters.entries()) if ((set & (1 << at)) !== 0) attempt.accepted.add(voter);
      const all = [1, 2, 3, 4].every((node) => attempt.accepted.has(node));
      const needed = NEEDED.get(site)!;
      assert.equal(isComplete(attempt, [site]), all && needed(attempt.accepted));
      assert.equal(
        isComplete(attempt, [site, FIVE]),
        all && needed(attempt.accepted) && attempt.accepted.size >= 3,
      );
    }
});

test('an attempt begins with nothing but its reason', () => {
  const attempt = begin(17, 5, { ...WHY, winner: 2 });
  assert.deepEqual(
    [
      attempt.phase,
      attempt.term,
      attempt.begunAt,
      attempt.winner,
      attempt.promises.size,
      attempt.accepted.size,
    ],
    ['promise', 17, 5, 2, 0, 0],
  );
});

test('leases run on while others promise, by this clock at most so fast as it may run ahead of others', () => {
  const attempt = begin<string>(17, 0, { ...WHY, winner: undefined });
  const told = [
    [1, 100],
    [2, 900],
  ] as const;
  attempt.promises.set(3, reportWith<string>(BASE, { leases: told }));
  attempt.toldAt.set(3, 1000);
  const leases = (now: number) => promisesNow(attempt, now).get(3)!.leases;
  assert.deepEqual(leases(1000), told);
  assert.deepEqual(leases(1000 + 500 * DRIFT), [
    [1, 0],
    [2, 400],
  ]);
});
