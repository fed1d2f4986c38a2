// Goal: of a long failing run only what is needed is left. Method: a storage that forgets at a loss of power, under a
// plan of many faults; and a rule that needs exactly two of a hundred.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from './faults.ts';
import type { Plan } from './nemesis.ts';
import { drawPlan } from './nemesis.ts';
import { shrink } from './shrink.ts';
import { runTrial } from './trial.ts';

test('a failing run shrinks to the one fault that breaks it, in less time', async () => {
  const ruleOf = async (seed: number, plan: Plan): Promise<string | undefined> =>
    (await runTrial({ front: 'disk', flaw: 'answersBeforeFlush', seed, seconds: 5 }, plan)).violation?.rule;
  const mix = {
    nodes: [1],
    safetyMs: 5000,
    livenessMs: 1000,
    kinds: ['powerLoss', 'freeze', 'cutPath', 'slowDisk', 'crash'],
  } as const;
  for (let seed = 1; seed <= 60; seed++) {
    const plan = drawPlan(seed, mix);
    if (plan.faults.length < 4 || (await ruleOf(seed, plan)) === undefined) continue;
    const shrunk = await shrink(plan, (candidate) => ruleOf(seed, candidate), 80);
    assert.deepEqual(
      shrunk!.plan.faults.map(({ kind }) => kind),
      ['powerLoss'],
      `seed ${seed}`,
    );
    assert.ok(shrunk!.plan.safetyMs <= plan.safetyMs);
    assert.equal(await ruleOf(seed, shrunk!.plan), shrunk!.rule);
    return;
  }
  assert.fail('no seed failed');
});

const fault = (atMs: number): Fault => ({ kind: 'cut', atMs, durationMs: 64, target: 0, peer: 0, draw: 0 });

test('two faults that only break it together are both left', async () => {
  const faults = Array.from({ length: 100 }, (_, i) => fault(i));
  const plan: Plan = {
    nodes: 2,
    initiators: 1,
    syncLinks: 1,
    heartbeatLinks: 1,
    safetyMs: 1000,
    livenessMs: 500,
    faults,
  };
  const broken = (candidate: Plan): Promise<string | undefined> => {
    const times = candidate.faults.map(({ atMs }) => atMs);
    const breaks = times.includes(17) && times.includes(83) && candidate.safetyMs >= 90;
    return Promise.resolve(breaks ? 'broken' : undefined);
  };
  const shrunk = (await shrink(plan, broken, 400))!;
  assert.deepEqual(
    shrunk.plan.faults.map(({ atMs }) => atMs),
    [17, 83],
  );
  assert.ok(shrunk.plan.safetyMs < 120);
  assert.equal(shrunk.plan.livenessMs, 0);
  assert.ok(shrunk.plan.faults.every(({ durationMs }) => durationMs <= 1));
});

test('a plan that breaks nothing is not shrunk', async () => {
  const plan = {
    ...drawPlan(1, { nodes: [2], safetyMs: 10, livenessMs: 10, kinds: [] }),
    faults: [fault(1)],
  };
  assert.equal(await shrink(plan, () => Promise.resolve(undefined), 10), undefined);
});
