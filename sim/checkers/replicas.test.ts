/** Goal: the checker of copies finds what is wrong, and nothing else. Method: small histories by hand. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { checkReplicas, type ReplicaAttempt } from './replicas.ts';

const attempt = (
  kind: 'add' | 'remove',
  node: number,
  invokedAt: number,
  returnedAt: number,
): ReplicaAttempt => ({ kind, node, invokedAt, returnedAt });

const ruleOf = (
  attempts: readonly ReplicaAttempt[],
  ...held: readonly (readonly number[])[]
): string | undefined =>
  checkReplicas({
    first: [1, 2],
    attempts,
    held: held.map((replicas, at) => ({ node: at, replicas })),
  })?.rule;

test('what was acknowledged holds, and what was not may', () => {
  assert.equal(ruleOf([], [1, 2], [1, 2]), undefined);
  assert.equal(ruleOf([attempt('add', 3, 0, 5)], [1, 2, 3]), undefined);
  assert.equal(ruleOf([attempt('add', 3, 0, 5)], [1, 2]), 'replicaChangeLost');
  assert.equal(ruleOf([attempt('add', 3, 0, Infinity)], [1, 2]), undefined);
  assert.equal(ruleOf([attempt('add', 3, 0, Infinity)], [1, 2, 3]), undefined);
  assert.equal(ruleOf([attempt('remove', 2, 0, 5)], [1, 2]), 'replicaChangeLost');
  assert.equal(ruleOf([attempt('remove', 2, 0, 5)], [1]), undefined);
});

test('of two changes of one node the later holds; of two at a time either', () => {
  const [add, remove] = [attempt('add', 3, 0, 5), attempt('remove', 3, 6, 9)];
  assert.equal(ruleOf([add, remove], [1, 2]), undefined);
  assert.equal(ruleOf([add, remove], [1, 2, 3]), 'replicaChangeLost');
  const open = attempt('remove', 3, 1, Infinity);
  assert.equal(ruleOf([add, open], [1, 2]), undefined);
  assert.equal(ruleOf([add, open], [1, 2, 3]), undefined);
});

test('nobody gets a copy, or loses it, unasked, and all agree', () => {
  assert.equal(ruleOf([], [1, 2, 3]), 'replicaFromNowhere');
  assert.equal(ruleOf([], [1]), 'replicaFromNowhere');
  assert.equal(ruleOf([attempt('add', 3, 0, 5)], [1, 2, 3], [1, 2]), 'replicasDiffer');
});
