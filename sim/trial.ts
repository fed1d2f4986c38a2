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
  const { budget, judged, lockBlocksMax, answerBoundMs } = settingOf(trial);
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

function settingOf(trial: Trial): Setting {
  const { settings } = frontOf(trial);
  return settings[trial.seed % settings.length]!;
}
