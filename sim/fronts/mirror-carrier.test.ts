/**
 * Goal: messages between nodes mean the same as bytes. Method: runs of the mirror with everything that goes wrong, once with
 * messages passed as objects and once through the codec: all that happens must be the same, to the last event.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOf } from '../trial.ts';
import { run, type RunResult } from '../world.ts';
import { createMirrorFront } from './mirror-front.ts';
import type { Carriage } from './mirror-site.ts';
import { FRONTS } from './table.ts';

const { settings } = FRONTS.mirror;
const SECONDS = 20;

function runAs(seed: number, carriage: Carriage): Promise<RunResult> {
  return run({
    ...settings[seed % settings.length]!,
    seed,
    plan: planOf({ front: 'mirror', seed, seconds: SECONDS }),
    createFront: (parts) => createMirrorFront(parts, { carriage }),
  });
}

for (let seed = 1; seed <= settings.length; seed++)
  test(`what happens with seed ${seed} is the same with bytes`, async () => {
    const objects = await runAs(seed, 'asObjects');
    const bytes = await runAs(seed, 'asBytes');
    const told = ({ traceHash, events, violation }: RunResult) => ({ traceHash, events, violation });
    assert.deepEqual(told(bytes), told(objects));
  });
