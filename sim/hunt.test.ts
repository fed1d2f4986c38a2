// Goal: a hunt says what it found, and a front is made wrong in one thing. Method: short hunts on the simulator's own fronts
// (each of their flaws is hunted in world.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { breakRule } from './flaws.ts';
import { findFlaw, isAsExpected } from './hunt.ts';
import { commandOf, runTrial } from './trial.ts';

test('what is found is found again by its trial', async () => {
  const hunt = { front: 'register', flaw: 'lostWrite', seconds: 2, seed: 1, seedsMax: 20 } as const;
  const found = await findFlaw(hunt);
  assert.equal(found.verdict, 'found');
  assert.ok(isAsExpected(found));
  assert.equal((await runTrial(found.trial)).violation?.explanation, found.violation?.explanation);
  const command = `node sim/main.ts --front register --flaw lostWrite --seed ${found.seeds} --seconds 2`;
  assert.equal(commandOf(found.trial), command);
});

test('a flaw that had no time to show is not found, which is not as expected', async () => {
  const hunt = { front: 'register', flaw: 'tornWrite', seconds: 0.001, seed: 1, seedsMax: 3 } as const;
  const missed = await findFlaw(hunt);
  assert.deepEqual([missed.verdict, missed.seeds, missed.violation], ['notFound', 3, undefined]);
  assert.ok(!isAsExpected(missed));
});

test('of the rules one is broken, and it has to be one of them', () => {
  const rules = { flushFirst: true, askTheWitness: true };
  assert.deepEqual(breakRule(rules, undefined), rules);
  assert.deepEqual(breakRule(rules, 'askTheWitness'), { flushFirst: true, askTheWitness: false });
  assert.throws(() => breakRule(rules, 'dance'), /rule dance/);
});
