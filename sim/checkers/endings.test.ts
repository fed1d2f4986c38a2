// Goal: the checkers of the end and of what nodes say complain of what they are for, and of nothing else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAnswers } from './answers.ts';
import { checkDurability, checkReplicasEqual } from '../../src/judge/durability.ts';
import type { Observation } from './observations.ts';
import { createObservationChecker } from './observations.ts';

const write = (value: number, invokedAt: number, returnedAt: number, acknowledged: boolean) => ({
  block: 0,
  value,
  invokedAt,
  returnedAt,
  acknowledged,
});

test('the last value is one that no later acknowledged write has replaced', () => {
  const writes = [write(1, 0, 10, true), write(2, 5, 15, true), write(3, 20, 30, false)];
  const ruleOf = (value: number) => checkDurability(writes, [{ node: 0, values: [value] }])?.rule;
  assert.deepEqual([1, 2, 3].map(ruleOf), [undefined, undefined, undefined]);
  assert.equal(ruleOf(0), 'acknowledgedWriteLost');
  assert.equal(ruleOf(9), 'valueFromNowhere');
  const later = [...writes, write(4, 40, 50, true)];
  assert.equal(checkDurability(later, [{ node: 0, values: [3] }])?.rule, 'acknowledgedWriteLost');
});

test('replicas are equal or the first difference is named', () => {
  const one = { node: 0, values: [1, 2] };
  assert.equal(checkReplicasEqual([one, { node: 1, values: [1, 2] }]), undefined);
  assert.match(
    checkReplicasEqual([one, { node: 1, values: [1, 3] }])!.explanation,
    /block 1: node 0 holds 2, node 1 3/,
  );
});

test('a command has its bound from when it was sent, or from when faults stopped', () => {
  const bound = { calmSince: 100, endedAt: 1000, boundMs: 50 };
  const command = (issuedAt: number, returnedAt: number) => [
    { initiator: 4, what: 'read', issuedAt, returnedAt },
  ];
  assert.equal(checkAnswers(command(10, 140), bound), undefined);
  assert.equal(checkAnswers(command(10, 160), bound)?.rule, 'unanswered');
  assert.equal(checkAnswers(command(500, Infinity), bound)?.rule, 'unanswered');
  assert.equal(checkAnswers(command(980, Infinity), bound), undefined);
});

test('an epoch serves alone, never after a later one, with equal members; a full resync has a reason', () => {
  const served = (epoch: number, epochId: number, device = 0): Observation => ({
    kind: 'served',
    node: 1,
    device,
    epoch,
    epochId,
  });
  const ruleOf = (...observations: Observation[]) => {
    const checker = createObservationChecker();
    for (const observation of observations) checker.observe(observation, 1);
    return checker.violation?.rule;
  };
  assert.equal(ruleOf(served(1, 5), served(1, 5), served(2, 6)), undefined);
  assert.equal(ruleOf(served(2, 6), served(1, 5)), 'oldEpochServes');
  assert.equal(ruleOf(served(2, 6), served(2, 7)), 'twoEpochsServe');
  assert.equal(ruleOf(served(2, 6), served(1, 5, 1)), undefined);
  const settled = (node: number, ...values: (number | undefined)[]) => ({ node, values });
  const compared = (...replicas: ReturnType<typeof settled>[]) => ruleOf({ kind: 'compared', replicas });
  assert.equal(compared(settled(1, 7, 8), settled(2, 7, undefined), settled(3, 7, 8)), undefined);
  assert.equal(compared(settled(1, 7, 8), settled(2, 7, undefined), settled(3, 7, 9)), 'membersDiffer');
  const resync = { kind: 'fullResync', node: 1, device: 0 } as const;
  assert.equal(ruleOf({ ...resync, reason: 'disk replaced' }), undefined);
  assert.equal(ruleOf({ ...resync, reason: '' }), 'fullResyncWithoutReason');
});
