/**
 * Runs the test suites one after another: `node tools/test.ts [SUITE]…`, all of them without a name. Prints a line per
 * file, what failed, a time per suite, and last one line `N passed, N failed[, N skipped]`. A suite that ran no test
 * has failed: a runner that finds nothing must not look like success. And it ends, whatever a test does: every file
 * has a limit and the run has one, and who is over it is killed with all that he started.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { killAllTrees, runTree, type TreeOptions } from './process-tree.ts';
import { runTestFile } from './test-file.ts';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

interface TestSuite {
  readonly files: readonly string[];
  /** Files at a time. Suites that start servers and guests want the machine for themselves. */
  readonly concurrency: number;
  /** Limit for one file. */
  readonly limitMs: number;
}

const ROOT = resolve(import.meta.dirname, '..');
const MINUTE_MS = 60_000;
/** The whole run; without load it takes half of that. */
const RUN_LIMIT_MS = 80 * MINUTE_MS;
const CHECK_LIMIT_MS = 5 * MINUTE_MS;
/** Children of the children of a test may end this much later than its file. */
const GRACE_MS = 10_000;
const CORES = availableParallelism();
/** Aborted at the end of the time of the whole run. */
const runOver = new AbortController();

const CHECKS: Readonly<Record<string, string>> = {
  'types of the core': 'tsc -p tsconfig.core.json',
  'types of everything': 'tsc -p tsconfig.json',
  lint: 'npm run --silent lint',
  format: 'npm run --silent format:check',
};

const SUITES: Readonly<Record<string, TestSuite>> = {
  tidy: { files: ['test/tidy.test.ts', 'test/tidy/**/*.test.ts'], concurrency: 1, limitMs: MINUTE_MS },
  unit: {
    files: ['src/**/*.test.ts', 'sim/**/*.test.ts', 'tools/**/*.test.ts', 'test/contract/**/*.test.ts'],
    concurrency: CORES,
    limitMs: 3 * MINUTE_MS,
  },
  models: { files: ['test/models.test.ts'], concurrency: 1, limitMs: 10 * MINUTE_MS },
  simulator: { files: ['test/simulator.test.ts'], concurrency: 1, limitMs: 15 * MINUTE_MS },
  conformance: { files: ['test/conformance/**/*.test.ts'], concurrency: 1, limitMs: 10 * MINUTE_MS },
  e2e: { files: ['test/e2e/**/*.test.ts'], concurrency: 1, limitMs: 15 * MINUTE_MS },
};

process.on('exit', killAllTrees);
for (const [signal, number] of [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const) {
  process.on(signal, () => process.exit(128 + number));
}
process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;

async function main(names: readonly string[]): Promise<boolean> {
  const known = ['check', ...Object.keys(SUITES)];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`no suite '${unknown}'; there are: ${known.join(', ')}`);
    return false;
  }
  process.chdir(ROOT);
  process.env['PATH'] = `${ROOT}/node_modules/.bin:${process.env['PATH']}`;
  process.env['NODE_COMPILE_CACHE'] ??= `${ROOT}/node_modules/.cache/compile`;
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const timer = setTimeout(() => runOver.abort(), RUN_LIMIT_MS);
  for (const name of names.length > 0 ? names : known) {
    if (runOver.signal.aborted) {
      console.log(`── ${name}: not run, ${seconds(RUN_LIMIT_MS)} are over\n`);
      total.failed++;
      continue;
    }
    const startedAt = performance.now();
    console.log(`── ${name}`);
    const suite = SUITES[name];
    const counts = suite === undefined ? await runChecks() : await runSuite(suite);
    if (counts.passed + counts.failed + counts.skipped === 0) {
      console.log(`suite '${name}' ran no test`);
      counts.failed++;
    }
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    console.log(`── ${name}: ${summary(counts)} in ${seconds(performance.now() - startedAt)}\n`);
  }
  clearTimeout(timer);
  console.log(summary(total));
  return total.failed === 0;
}

async function runChecks(): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const outcomes = Object.entries(CHECKS).map(async ([title, command]) => {
    const { status, output } = await runTree(['sh', '-c', command], treeOptions(CHECK_LIMIT_MS));
    counts[status === 0 ? 'passed' : 'failed']++;
    console.log(status === 0 ? `   ok     ${title}` : `   FAILED ${title}: ${command}\n${output}`);
  });
  await Promise.all(outcomes);
  return counts;
}

async function runSuite(suite: TestSuite): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const files = globSync([...suite.files]).toSorted();
  const lane = async (): Promise<void> => {
    for (let file = files.shift(); file !== undefined && !runOver.signal.aborted; file = files.shift()) {
      const startedAt = performance.now();
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what a lane is
      const outcome = await runTestFile(file, treeOptions(suite.limitMs));
      const { passed, failed, skipped, messages } = outcome;
      for (const message of messages) console.log(message.replaceAll(/^/gm, '   '));
      const verdict = failed === 0 ? 'ok    ' : 'FAILED';
      const tests = `${passed + failed + skipped} tests, ${seconds(performance.now() - startedAt)}`;
      console.log(`   ${verdict} ${file} (${tests})`);
      counts.passed += passed;
      counts.failed += failed;
      counts.skipped += skipped;
    }
  };
  await Promise.all(Array.from({ length: suite.concurrency }, lane));
  return counts;
}

function treeOptions(limitMs: number): TreeOptions {
  return { limitMs, graceMs: GRACE_MS, signal: runOver.signal };
}

function summary(counts: Counts): string {
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
