// Goal: the world is deterministic, accuses no one wrongly, and lets no planted flaw pass. Method: a perfect storage under
// every fault; the same with one flaw each, which a checker of the right name must find within a few seeds; a storage on a
// simulated disk, with and without its flush.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FaultKind } from './faults.ts';
import { createDiskFront } from './fronts/disk-front.ts';
import type { Flaw } from './fronts/register-front.ts';
import { createRegisterFront } from './fronts/register-front.ts';
import type { Mix } from './nemesis.ts';
import { ALL_KINDS, drawPlan, LOUD_KINDS } from './nemesis.ts';
import type { RunResult } from './world.ts';
import { run } from './world.ts';

const MIX: Mix = { nodes: [2, 3, 4], safetyMs: 5000, livenessMs: 1000, kinds: LOUD_KINDS };

function runRegister(seed: number, flaw?: Flaw, mix = MIX): RunResult {
  const plan = drawPlan(seed, mix);
  const options = flaw === undefined ? {} : { flaw };
  return run({ seed, plan, budget: false, createFront: (parts) => createRegisterFront(parts, options) });
}

test('a run is decided by its seed alone', () => {
  const first = runRegister(11);
  const again = runRegister(11);
  assert.equal(first.traceHash, again.traceHash);
  assert.equal(first.events, again.events);
  assert.notEqual(first.traceHash, runRegister(12).traceHash);
});

test('no checker accuses a perfect storage, whatever the faults, and every kind of fault happens', () => {
  const happened = new Set<string>();
  let commands = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const result = runRegister(seed);
    assert.equal(result.violation, undefined, `seed ${seed}`);
    commands += result.commands;
    for (const kind of result.faults.keys()) happened.add(kind);
  }
  assert.ok(commands > 50_000, `${commands} commands`);
  // This storage has no disks.
  const expected = LOUD_KINDS.filter((kind) => !/disk/i.test(kind));
  assert.deepEqual(
    expected.filter((kind) => !happened.has(kind)),
    [],
  );
});

const FLAWS: Readonly<Record<Flaw, readonly string[]>> = {
  acknowledgeEarly: ['backwardInsideForward', 'forwardZonesOverlap'],
  staleRead: ['backwardInsideForward', 'forwardZonesOverlap'],
  lostWrite: ['backwardInsideForward', 'forwardZonesOverlap'],
  tornWrite: ['backwardInsideForward', 'forwardZonesOverlap'],
  tornCompareAndWrite: ['lockNotAtomic'],
  doubleCompareAndWrite: ['lockNotAtomic'],
  ghostWrite: ['backwardInsideForward', 'forwardZonesOverlap', 'acknowledgedWriteLost'],
  twoHolders: ['reservationNotAtomic'],
  unfencedWrite: ['reservationNotAtomic'],
  replicaMissesWrite: ['replicasDiffer', 'acknowledgedWriteLost'],
  silence: ['unanswered'],
  oldEpoch: ['oldEpochServes'],
  splitBrain: ['twoEpochsServe'],
  fullResyncWithoutReason: ['fullResyncWithoutReason'],
};
const SEEDS_MAX = 40;

for (const [flaw, rules] of Object.entries(FLAWS) as [Flaw, readonly string[]][]) {
  test(`the flaw ${flaw} is found, by the right checker`, () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const { violation } = runRegister(seed, flaw);
      if (violation === undefined) continue;
      assert.ok(rules.includes(violation.rule), `seed ${seed}: ${violation.rule}: ${violation.explanation}`);
      return;
    }
    assert.fail(`not found in ${SEEDS_MAX} seeds`);
  });
}

const STOPS: readonly FaultKind[] = [
  'crash',
  'powerLoss',
  'freeze',
  'vmPause',
  'slowDisk',
  'hungDisk',
  'cutPath',
];

function runDisk(seed: number, answersBeforeFlush: boolean, budget = false): RunResult {
  const plan = drawPlan(seed, { ...MIX, nodes: [1], kinds: STOPS });
  return run({ seed, plan, budget, createFront: (parts) => createDiskFront(parts, { answersBeforeFlush }) });
}

test('a storage that flushes before it answers survives crashes and losses of power', () => {
  const happened = new Set<string>();
  for (let seed = 1; seed <= 30; seed++) {
    const { violation, faults } = runDisk(seed, false);
    assert.equal(violation, undefined, `seed ${seed}`);
    for (const kind of faults.keys()) happened.add(kind);
  }
  assert.deepEqual([...happened].sort(), [...STOPS].sort());
});

test('a storage that answers before it flushes is found out', () => {
  const found = Array.from({ length: 30 }, (_, i) => runDisk(i + 1, true).violation?.rule);
  assert.ok(found.some((rule) => rule !== undefined));
});

test('the fault budget spares the last complete copy', () => {
  let forbidden = 0;
  for (let seed = 1; seed <= 10; seed++) {
    const result = runDisk(seed, true, true);
    assert.equal(result.violation, undefined, `seed ${seed}`);
    assert.equal(result.faults.get('powerLoss'), undefined);
    forbidden += result.forbidden;
  }
  assert.ok(forbidden > 0);
});

test('every kind of fault can be drawn', () => {
  const drawn = new Set<string>();
  for (let seed = 1; seed <= 60; seed++)
    for (const { kind } of drawPlan(seed, { ...MIX, kinds: ALL_KINDS }).faults) drawn.add(kind);
  assert.deepEqual(
    ALL_KINDS.filter((kind) => !drawn.has(kind)),
    [],
  );
});
