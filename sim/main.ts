/**
 * `node sim/main.ts --seed N [--seeds COUNT] [--flaw NAME]`: runs seeds on the simulator's own front, one line each, and
 * of a failing one the violation, the shrunken plan and the last events. The exit status says whether all were clean.
 */

import { parseArgs } from 'node:util';
import type { Flaw } from './fronts/register-front.ts';
import { createRegisterFront } from './fronts/register-front.ts';
import type { Plan } from './nemesis.ts';
import { drawPlan, LOUD_KINDS } from './nemesis.ts';
import { shrink } from './shrink.ts';
import type { RunResult } from './world.ts';
import { run } from './world.ts';

const TRACE_LINES = 40;
const SHRINK_RUNS_MAX = 200;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '60' },
    flaw: { type: 'string' },
  },
});

function runPlan(seed: number, plan: Plan, traceLines = 0): RunResult {
  const options = values.flaw === undefined ? {} : { flaw: values.flaw as Flaw };
  const createFront = (parts: Parameters<typeof createRegisterFront>[0]) =>
    createRegisterFront(parts, options);
  return run({ seed, plan, budget: false, createFront, traceLines });
}

function report(seed: number, plan: Plan): void {
  const { violation, lines } = runPlan(seed, plan, TRACE_LINES);
  console.log(`${violation?.rule}: ${violation?.explanation}\n${lines.join('\n')}`);
  const small = shrink(plan, (candidate) => runPlan(seed, candidate).violation?.rule, SHRINK_RUNS_MAX);
  console.log(`after ${small?.runs} runs: ${JSON.stringify(small?.plan)}`);
}

const first = Number(values.seed);
const startedAt = performance.now();
let [events, simulatedMs] = [0, 0];
for (let seed = first; seed < first + Number(values.seeds); seed++) {
  const safetyMs = Number(values.seconds) * 1000;
  const plan = drawPlan(seed, { nodes: [2, 3, 4], safetyMs, livenessMs: safetyMs / 4, kinds: LOUD_KINDS });
  const result = runPlan(seed, plan);
  events += result.events;
  simulatedMs += result.simulatedMs;
  const verdict = result.violation === undefined ? 'ok' : 'FAILED';
  console.log(
    `${verdict} seed ${seed} ${result.traceHash} ${result.events} events ${result.commands} commands`,
  );
  if (result.violation === undefined) continue;
  process.exitCode = 1;
  report(seed, plan);
}
const elapsedMs = performance.now() - startedAt;
const hoursPerMinute = simulatedMs / 3_600_000 / (elapsedMs / 60_000);
console.log(
  `${Math.round((events / elapsedMs) * 1000)} events/s, ${hoursPerMinute.toFixed(1)} simulated hours per minute`,
);
