/** Runs seeds with a planted flaw (flaws.ts) until a checker finds it. */

import { assert } from '../src/base/assert.ts';
import type { Flaw } from './flaws.ts';
import type { FrontKind } from './fronts/table.ts';
import { FRONTS } from './fronts/table.ts';
import type { Violation } from './judge.ts';
import type { Trial } from './trial.ts';
import { runTrial } from './trial.ts';

export interface Hunt extends Omit<Trial, 'seed'> {
  readonly flaw: string;
  /** The first of `seedsMax`. */
  readonly seed: number;
  readonly seedsMax: number;
}

export interface HuntResult {
  readonly verdict: 'found' | 'notFound' | 'foundByTheWrongRule';
  /** Runs made. */
  readonly seeds: number;
  readonly simulatedMs: number;
  readonly trial: Trial;
  readonly violation: Violation | undefined;
}

export async function findFlaw({ front, flaw, seconds, seed, seedsMax }: Hunt): Promise<HuntResult> {
  const { foundBy } = flawOf(front, flaw);
  let simulatedMs = 0;
  for (let seeds = 1; ; seeds++) {
    const trial = { front, flaw, seconds, seed: seed + seeds - 1 };
    const result = await runTrial(trial);
    simulatedMs += result.simulatedMs;
    const { violation } = result;
    if (violation === undefined && seeds < seedsMax) continue;
    const rule = violation?.rule;
    const expected = rule !== undefined && (foundBy === undefined || foundBy.includes(rule));
    const verdict = rule === undefined ? 'notFound' : expected ? 'found' : 'foundByTheWrongRule';
    return { verdict, seeds, simulatedMs, trial, violation };
  }
}

/** Whether the result is what the catalogue says. */
export function isAsExpected({ verdict, trial }: HuntResult): boolean {
  const { redundant } = flawOf(trial.front, trial.flaw!);
  return verdict === (redundant === undefined ? 'found' : 'notFound');
}

function flawOf(front: Trial['front'], name: string): Flaw {
  const { flaws }: FrontKind = FRONTS[front];
  const flaw = flaws[name];
  assert(flaw !== undefined, `the front ${front} has a flaw ${name}`);
  return flaw;
}
