/**
 * Makes a failing plan small: fewer faults, shorter ones, less time. A smaller plan counts only if it breaks the same rule.
 * Plans are data and runs are decided by them alone, so this is a search without luck (after Zeller's delta debugging).
 */

import type { Plan } from './nemesis.ts';

export interface Shrunk {
  readonly plan: Plan;
  readonly rule: string;
  readonly runs: number;
}

/** `ruleBroken` runs a plan and names the rule it breaks. Undefined: the plan breaks none. */
export async function shrink(
  plan: Plan,
  ruleBroken: (plan: Plan) => Promise<string | undefined>,
  runsMax: number,
): Promise<Shrunk | undefined> {
  const rule = await ruleBroken(plan);
  if (rule === undefined) return undefined;
  let [best, runs] = [plan, 1];

  async function accept(candidate: Plan): Promise<boolean> {
    if (runs >= runsMax) return false;
    runs++;
    if ((await ruleBroken(candidate)) !== rule) return false;
    best = candidate;
    return true;
  }

  await dropFaults(() => best, accept);
  await shorten(() => best, accept);
  // In less time less is needed.
  await dropFaults(() => best, accept);
  for (let i = 0; i < best.faults.length; i++) await shortenFault(() => best, accept, i);
  return { plan: best, rule, runs };
}

type Current = () => Plan;
type Accept = (candidate: Plan) => Promise<boolean>;

/** Halves, then quarters, down to single faults, as long as anything can be left out. */
async function dropFaults(best: Current, accept: Accept): Promise<void> {
  for (let size = Math.ceil(best().faults.length / 2); size >= 1; ) {
    let dropped = false;
    for (let from = 0; from < best().faults.length; ) {
      const faults = best().faults.toSpliced(from, size);
      if (await accept({ ...best(), faults })) dropped = true;
      else from += size;
    }
    if (!dropped || best().faults.length === 0) {
      if (size === 1) return;
      size = Math.ceil(size / 2);
    }
  }
}

const SHARES: readonly number[] = [0.1, 0.25, 0.5, 0.75, 0.9];

/** Whether any share of something is enough. */
async function someShare(accept: (share: number) => Promise<boolean>): Promise<boolean> {
  for (const share of SHARES) if (await accept(share)) return true;
  return false;
}

async function shorten(best: Current, accept: Accept): Promise<void> {
  await accept({ ...best(), livenessMs: 0 });
  const shorter = async (share: number): Promise<boolean> => {
    const safetyMs = Math.round(best().safetyMs * share);
    return safetyMs > 0 && accept({ ...best(), safetyMs });
  };
  while (await someShare(shorter));
}

async function shortenFault(best: Current, accept: Accept, index: number): Promise<void> {
  const shorter = (share: number): Promise<boolean> => {
    const fault = best().faults[index]!;
    const durationMs = Math.round(fault.durationMs * share * 1000) / 1000;
    return accept({ ...best(), faults: best().faults.with(index, { ...fault, durationMs }) });
  };
  while (best().faults[index]!.durationMs > 1 && (await someShare(shorter)));
}
