/**
 * Makes a failing plan small: fewer faults, shorter ones, less time. A smaller plan counts only if it breaks the same rule.
 * Plans are data and runs are decided by them alone, so this is a search without luck (after Zeller's delta debugging).
 */

import type { Fault } from './faults.ts';
import type { Plan } from './nemesis.ts';

export interface Shrunk {
  readonly plan: Plan;
  readonly rule: string;
  readonly runs: number;
}

/** `ruleBroken` runs a plan and names the rule it breaks. Undefined: the plan breaks none. */
export function shrink(
  plan: Plan,
  ruleBroken: (plan: Plan) => string | undefined,
  runsMax: number,
): Shrunk | undefined {
  const rule = ruleBroken(plan);
  if (rule === undefined) return undefined;
  let [best, runs] = [plan, 1];

  function accept(candidate: Plan): boolean {
    if (runs >= runsMax) return false;
    runs++;
    if (ruleBroken(candidate) !== rule) return false;
    best = candidate;
    return true;
  }

  dropFaults(() => best, accept);
  shorten(() => best, accept);
  for (let i = 0; i < best.faults.length; i++) shortenFault(() => best, accept, i);
  return { plan: best, rule, runs };
}

type Current = () => Plan;
type Accept = (candidate: Plan) => boolean;

/** Halves, then quarters, down to single faults, as long as anything can be left out. */
function dropFaults(best: Current, accept: Accept): void {
  for (let size = Math.ceil(best().faults.length / 2); size >= 1; ) {
    let dropped = false;
    for (let from = 0; from < best().faults.length; ) {
      const faults = best().faults.toSpliced(from, size);
      if (accept({ ...best(), faults })) dropped = true;
      else from += size;
    }
    if (!dropped || best().faults.length === 0) {
      if (size === 1) return;
      size = Math.ceil(size / 2);
    }
  }
}

const SHARES: readonly number[] = [0.1, 0.25, 0.5, 0.75, 0.9];

function shorten(best: Current, accept: Accept): void {
  accept({ ...best(), livenessMs: 0 });
  while (
    SHARES.some((share) => {
      const safetyMs = Math.round(best().safetyMs * share);
      return safetyMs > 0 && accept({ ...best(), safetyMs });
    })
  );
}

function shortenFault(best: Current, accept: Accept, index: number): void {
  const replaceWith = (change: (fault: Fault) => Fault): boolean => {
    const faults = best().faults.with(index, change(best().faults[index]!));
    return accept({ ...best(), faults });
  };
  while (
    best().faults[index]!.durationMs > 1 &&
    SHARES.some((share) =>
      replaceWith((fault) => ({ ...fault, durationMs: Math.round(fault.durationMs * share * 1000) / 1000 })),
    )
  );
}
