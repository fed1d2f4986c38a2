/**
 * The simulator's command line: `node sim/main.ts --help`. The exit status says whether all was as it should be. A failing
 * seed prints the command that runs it again.
 */

import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { FrontKind, FrontName } from './fronts/table.ts';
import { frontNames, FRONTS } from './fronts/table.ts';
import { isAsExpected } from './hunt.ts';
import type { Plan } from './nemesis.ts';
import type { Answer, Job } from './pool.ts';
import { CHILD, runJobs, serveJobs } from './pool.ts';
import { shrink } from './shrink.ts';
import { createSummary } from './summary.ts';
import type { Trial } from './trial.ts';
import { commandOf, planOf, runTrial } from './trial.ts';

interface Common {
  readonly front: FrontName;
  readonly flaw?: string;
  readonly seed: number;
  readonly seconds: number;
  readonly jobs: number;
}

interface RunCommand extends Common {
  readonly seeds: number;
  readonly minutes?: number;
  readonly shrink?: true;
  readonly trace: number;
  readonly plan?: string;
}

interface HuntCommand extends Common {
  readonly seeds: number;
}

const SHRINK_RUNS_MAX = 200;
/** More seeds than this print only what is worth a line, and now and then how far they are. */
const VERBOSE_SEEDS_MAX = 50;
const PROGRESS_MS = 60_000;
/** Only the first failing seeds are shrunk and traced. */
const REPORTS_MAX = 3;

if (process.argv[2] === CHILD) serveJobs();
else await createProgram().parseAsync();

function createProgram(): Command {
  const program = new Command('sim').description('The deterministic simulator').showHelpAfterError();
  common(program.command('run', { isDefault: true }).description('run seeds'))
    .option('--seeds <count>', 'how many', whole, 1)
    .option('--minutes <minutes>', 'go on with seeds for as long, instead of --seeds', number)
    .option('--shrink', 'make the plans of failing seeds small')
    .option('--trace <lines>', 'of failing seeds show the last events', whole, 0)
    .option('--plan <file>', 'run this plan (as --shrink prints it) instead of the drawn one')
    .action(runSeeds);
  common(program.command('hunt').description('run seeds with each planted flaw until it is found'))
    .option('--seeds <count>', 'at most, for each flaw', whole, 200)
    .action(hunt);
  return program;
}

function common(command: Command): Command {
  return command
    .addOption(new Option('--front <name>', 'what stands behind').choices(frontNames).default('register'))
    .option('--flaw <name>', 'plant this flaw in it')
    .option('--seed <seed>', 'the first', whole, 1)
    .option('--seconds <seconds>', 'simulated time with faults in each run', number, 60)
    .option('--jobs <processes>', 'at a time', whole, 1);
}

async function runSeeds(options: RunCommand): Promise<void> {
  checkFlaw(options);
  if (options.plan !== undefined)
    return runPlan(options, JSON.parse(readFileSync(options.plan, 'utf8')) as Plan);
  const { settings }: FrontKind = FRONTS[options.front];
  const summary = createSummary(settings.flatMap(({ kinds }) => kinds));
  const verbose = options.minutes === undefined && options.seeds <= VERBOSE_SEEDS_MAX;
  const failed: Trial[] = [];
  let saidAt = performance.now();
  const cpuMs = await runJobs(trialsOf(options), options.jobs, (answer) => {
    if (answer.kind !== 'trial') return;
    summary.add(answer.result);
    if (answer.result.violation !== undefined) failed.push(answer.trial);
    if (answer.result.violation !== undefined || verbose) console.log(lineOf(answer));
    if (performance.now() - saidAt < PROGRESS_MS) return;
    saidAt = performance.now();
    console.log(`${summary.seeds} seeds so far, ${failed.length} failed`);
  });
  for (const trial of failed.slice(0, REPORTS_MAX)) await report(trial, planOf(trial), options);
  console.log(summary.text(cpuMs));
  if (failed.length > 0) process.exitCode = 1;
}

function* trialsOf({ front, flaw, seed, seeds, seconds, minutes }: RunCommand): Generator<Job> {
  const until = minutes === undefined ? Infinity : performance.now() + minutes * 60_000;
  const count = minutes === undefined ? seeds : Infinity;
  for (let i = 0; i < count && performance.now() < until; i++)
    yield { kind: 'trial', trial: { front, flaw, seed: seed + i, seconds } };
}

function lineOf({ trial, result }: Extract<Answer, { kind: 'trial' }>): string {
  const { violation, traceHash, events, commands } = result;
  const line = `seed ${trial.seed} ${traceHash} ${events} events ${commands} commands`;
  if (violation === undefined) return `ok ${line}`;
  return `FAILED ${line}\n  ${violation.rule}: ${violation.explanation}\n  again: ${commandOf(trial)}`;
}

async function report(trial: Trial, plan: Plan, options: RunCommand): Promise<void> {
  let shown = plan;
  if (options.shrink === true) {
    const ruleOf = async (candidate: Plan): Promise<string | undefined> =>
      (await runTrial(trial, candidate)).violation?.rule;
    const small = await shrink(plan, ruleOf, SHRINK_RUNS_MAX);
    shown = small?.plan ?? plan;
    console.log(`seed ${trial.seed} after ${small?.runs} runs: ${JSON.stringify(shown)}`);
  }
  if (options.trace === 0) return;
  const { violation, lines } = await runTrial(trial, shown, options.trace);
  console.log(`${lines.join('\n')}\n${violation?.rule}: ${violation?.explanation}`);
}

async function runPlan(options: RunCommand, plan: Plan): Promise<void> {
  const { front, flaw, seed, seconds } = options;
  const trial = { front, flaw, seed, seconds };
  const result = await runTrial(trial, plan);
  console.log(lineOf({ kind: 'trial', trial, result }));
  if (result.violation === undefined) return;
  process.exitCode = 1;
  await report(trial, plan, options);
}

async function hunt({ front, flaw, seed, seeds, seconds, jobs }: HuntCommand): Promise<void> {
  const { flaws }: FrontKind = FRONTS[front];
  checkFlaw({ front, ...(flaw !== undefined && { flaw }) });
  const names = flaw === undefined ? Object.keys(flaws) : [flaw];
  const hunts = names.map((name): Job => {
    return { kind: 'hunt', hunt: { front, flaw: name, seed, seedsMax: seeds, seconds } };
  });
  let asExpected = 0;
  await runJobs(hunts, jobs, (answer) => {
    if (answer.kind !== 'hunt') return;
    const { verdict, trial, violation, seeds } = answer.result;
    const good = isAsExpected(answer.result);
    asExpected += Number(good);
    const how = violation === undefined ? '' : ` by ${violation.rule}: ${commandOf(trial)}`;
    console.log(`${good ? 'ok' : 'FAILED'} ${answer.hunt.flaw} ${verdict} in ${seeds} seeds${how}`);
  });
  console.log(`${asExpected} of ${names.length} flaws as expected`);
  if (asExpected < names.length) process.exitCode = 1;
}

function checkFlaw({ front, flaw }: Pick<Common, 'front' | 'flaw'>): void {
  const { flaws }: FrontKind = FRONTS[front];
  if (flaw === undefined || flaw in flaws) return;
  console.error(`the front ${front} has no flaw ${flaw}; there are: ${Object.keys(flaws).join(', ')}`);
  process.exit(2);
}

function number(text: string): number {
  const value = Number(text);
  if (text !== '' && value >= 0) return value;
  throw new InvalidArgumentError('write a number.');
}

function whole(text: string): number {
  const value = number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('write a whole number.');
}
