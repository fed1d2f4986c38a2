// Goal: the world is deterministic, accuses no one wrongly, and lets no planted flaw pass. Method: a perfect storage under
// every fault; the same with one flaw each, which a checker of the right name must find within a few seeds; a storage on a
// simulated disk, with and without its flush.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DISK_FLAWS } from './fronts/disk-front.ts';
import { REGISTER_FLAWS } from './fronts/register-front.ts';
import { FRONTS } from './fronts/table.ts';
import { findFlaw } from './hunt.ts';
import { ALL_KINDS, drawPlan, LOUD_KINDS } from './nemesis.ts';
import { planOf, runTrial } from './trial.ts';
import type { RunResult } from './world.ts';
import { run } from './world.ts';

const SECONDS = 20;

const runRegister = (seed: number): Promise<RunResult> =>
  runTrial({ front: 'register', seed, seconds: SECONDS });

test('a run is decided by its seed alone', async () => {
  const first = await runRegister(11);
  const again = await runRegister(11);
  assert.equal(first.traceHash, again.traceHash);
  assert.equal(first.events, again.events);
  assert.notEqual(first.traceHash, (await runRegister(12)).traceHash);
});

test('no checker accuses a perfect storage, whatever the faults, and every kind of fault happens', async () => {
  const happened = new Set<string>();
  let commands = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const result = await runRegister(seed);
    assert.equal(result.violation, undefined, `seed ${seed}`);
    commands += result.commands;
    for (const kind of result.faults.keys()) happened.add(kind);
  }
  assert.ok(commands > 10_000, `${commands} commands`);
  // This storage has no disks.
  const expected = LOUD_KINDS.filter((kind) => !/disk/i.test(kind));
  assert.deepEqual(
    expected.filter((kind) => !happened.has(kind)),
    [],
  );
});

for (const front of ['register', 'disk'] as const)
  for (const flaw of Object.keys({ register: REGISTER_FLAWS, disk: DISK_FLAWS }[front]))
    test(`the flaw ${flaw} of the ${front} front is found, by the right checker`, async () => {
      const { verdict, violation } = await findFlaw({ front, flaw, seconds: SECONDS, seed: 1, seedsMax: 40 });
      assert.equal(verdict, 'found', violation?.explanation);
    });

test('a storage that flushes before it answers survives crashes and losses of power', async () => {
  const happened = new Set<string>();
  for (let seed = 1; seed <= 30; seed++) {
    const { violation, faults } = await runTrial({ front: 'disk', seed, seconds: SECONDS });
    assert.equal(violation, undefined, `seed ${seed}`);
    for (const kind of faults.keys()) happened.add(kind);
  }
  assert.deepEqual([...happened].sort(), [...FRONTS.disk.settings[0].kinds].sort());
});

test('the fault budget spares the last complete copy', async () => {
  let forbidden = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const result = await run({
      seed,
      plan: planOf({ front: 'disk', seed, seconds: SECONDS }),
      createFront: FRONTS.disk.create,
      flaw: 'answersBeforeFlush',
      budget: true,
      judged: 'everything',
    });
    assert.equal(result.violation, undefined, `seed ${seed}`);
    assert.equal(result.faults.get('powerLoss'), undefined);
    forbidden += result.forbidden;
  }
  assert.ok(forbidden > 0);
});

test('every kind of fault can be drawn', () => {
  const mix = { nodes: [2], safetyMs: 5000, livenessMs: 1000, kinds: ALL_KINDS };
  const drawn = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) for (const { kind } of drawPlan(seed, mix).faults) drawn.add(kind);
  assert.deepEqual(
    ALL_KINDS.filter((kind) => !drawn.has(kind)),
    [],
  );
});
