/**
 * Goal: no two nodes ever propose the same term, and nobody serves before all who must have accepted. Method: all terms of
 * a few rounds; every set of acceptances of a small choice.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Choice } from './choose.ts';
import { begin, isComplete, nextTerm } from './proposal.ts';

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
    for (const need of [1, 3, 5]) {
      const attempt = begin(17, 0, { ...WHY, winner: undefined });
      attempt.choice = CHOICE;
      for (const [at, voter] of voters.entries()) if ((set & (1 << at)) !== 0) attempt.accepted.add(voter);
      const all = [1, 2, 3, 4].every((node) => attempt.accepted.has(node));
      assert.equal(isComplete(attempt, need), all && attempt.accepted.size >= need);
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
