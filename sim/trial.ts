/** One seed on one front: all that decides a run, as plain data, so that it can be repeated and given to another process. */

import type { FrontKind, FrontName, Setting } from './fronts/table.ts';
import { FRONTS } from './fronts/table.ts';
import type { Plan } from './nemesis.ts';
import { drawPlan } from './nemesis.ts';
import type { RunOptions, RunResult } from './world.ts';
import { run } from './world.ts';

export interface Trial {
  readonly front: FrontName;
  readonly flaw?: string | undefined;
  readonly seed: number;
  /** Of simulated time with faults; a quarter more without. */
  readonly seconds: number;
}

const CALM_SHARE = 0.25;

export function planOf(trial: Trial): Plan {
  const safetyMs = trial.seconds * 1000;
  const setting = settingOf(trial);
  const oneByOne = setting.answerBoundMs !== undefined;
  return drawPlan(trial.seed, { ...setting, oneByOne, safetyMs, livenessMs: safetyMs * CALM_SHARE });
}

/** `plan`: a smaller one than that of the trial. */
export function runTrial(trial: Trial, plan: Plan = planOf(trial), traceLines = 0): Promise<RunResult> {
  const { seed, flaw } = trial;
  const { budget, judged, answerBoundMs } = settingOf(trial);
  const lockBlocksMax = lockBlocksMaxOf(trial);
  const kind = frontOf(trial);
  const createFront: RunOptions['createFront'] = (parts) => kind.create(parts);
  return run({ seed, plan, flaw, budget, judged, lockBlocksMax, answerBoundMs, createFront, traceLines });
}

/** The command that runs it again. */
export function commandOf({ front, flaw, seed, seconds }: Trial): string {
  const flawed = flaw === undefined ? '' : ` --flaw ${flaw}`;
  return `node sim/main.ts --front ${front}${flawed} --seed ${seed} --seconds ${seconds}`;
}

function frontOf({ front }: Trial): FrontKind {
  return FRONTS[front];
}

/**
 * Where the last copy may be unable to write, alone, it fails a command and goes on, and of two blocks one may be
 * written. By the whole plan of the trial, so that a smaller one has the same locks.
 */
function lockBlocksMaxOf(trial: Trial): number | undefined {
  const tears = planOf(trial).faults.some(({ kind }) => kind === 'diskWriteErrors' || kind === 'diskFull');
  return tears ? 1 : settingOf(trial).lockBlocksMax;
}

function settingOf(trial: Trial): Setting {
  const { settings } = frontOf(trial);
  return settings[trial.seed % settings.length]!;
}
