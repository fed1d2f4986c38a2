/** What many runs amount to. */

import type { FaultKind } from './faults.ts';
import type { RunResult } from './world.ts';

export interface Summary {
  readonly seeds: number;
  add(result: RunResult): void;
  /** A few lines. */
  text(cpuMs: number): string;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** `kinds`: of the faults that should have happened. */
export function createSummary(kinds: readonly FaultKind[]): Summary {
  const faults = new Map<string, number>();
  const rules = new Map<string, number>();
  let [seeds, simulatedMs, commands, events, forbidden, undecided] = [0, 0, 0, 0, 0, 0];

  return {
    get seeds() {
      return seeds;
    },
    add(result) {
      seeds++;
      simulatedMs += result.simulatedMs;
      commands += result.commands;
      events += result.events;
      forbidden += result.forbidden;
      undecided += result.undecided;
      for (const [kind, count] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + count);
      if (result.violation === undefined) return;
      rules.set(result.violation.rule, (rules.get(result.violation.rule) ?? 0) + 1);
    },
    text(cpuMs) {
      const never = [...new Set(kinds)].filter((kind) => !faults.has(kind));
      const hours = simulatedMs / HOUR_MS;
      return [
        `${seeds} seeds, ${hours.toFixed(2)} simulated hours, ${(hours / (cpuMs / MINUTE_MS)).toFixed(1)} per CPU minute, ` +
          `${commands} commands checked, ${Math.round((events / cpuMs) * 1000)} events per CPU second`,
        `faults: ${list(faults)}; never: ${never.join(', ') || 'none'}; left out for the budget: ${forbidden}`,
        `violations: ${list(rules)}; histories too wide to be judged: ${undecided}`,
      ].join('\n');
    },
  };
}

function list(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.length === 0 ? 'none' : sorted.map(([name, count]) => `${name} ${count}`).join(', ');
}
