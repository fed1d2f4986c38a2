/**
 * Runs the test suites one after another: `node tools/test.ts [SUITE]…`, all of them without a name. Prints a line per
 * file, what failed, a time per suite, and last one line `N passed, N failed[, N skipped]`. A suite that ran no test
 * has failed: a runner that finds nothing must not look like success.
 */
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import type { EventData } from 'node:test';

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
  readonly timeoutMs: number;
}

const ROOT = resolve(import.meta.dirname, '..');
const MINUTE_MS = 60_000;
const CORES = availableParallelism();

const CHECKS: Readonly<Record<string, string>> = {
  'types of the core': 'tsc -p tsconfig.core.json',
  'types of everything': 'tsc -p tsconfig.json',
  lint: 'npm run --silent lint',
  format: 'npm run --silent format:check',
};

const SUITES: Readonly<Record<string, TestSuite>> = {
  tidy: { files: ['test/tidy.test.ts', 'test/tidy/**/*.test.ts'], concurrency: 1, timeoutMs: MINUTE_MS },
  unit: {
    files: ['src/**/*.test.ts', 'sim/**/*.test.ts', 'test/contract/**/*.test.ts'],
    concurrency: CORES,
    timeoutMs: 3 * MINUTE_MS,
  },
  models: { files: ['test/models.test.ts'], concurrency: 1, timeoutMs: 10 * MINUTE_MS },
  conformance: { files: ['test/conformance/**/*.test.ts'], concurrency: 1, timeoutMs: 10 * MINUTE_MS },
  e2e: { files: ['test/e2e/**/*.test.ts'], concurrency: 1, timeoutMs: 10 * MINUTE_MS },
};

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
  for (const name of names.length > 0 ? names : known) {
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
  console.log(summary(total));
  return total.failed === 0;
}

async function runChecks(): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const outcomes = Object.entries(CHECKS).map(async ([title, command]) => {
    const { status, output } = await shell(command);
    counts[status === 0 ? 'passed' : 'failed']++;
    console.log(status === 0 ? `   ok     ${title}` : `   FAILED ${title}: ${command}\n${output}`);
  });
  await Promise.all(outcomes);
  return counts;
}

function shell(command: string): Promise<{ status: number | null; output: string }> {
  return new Promise((done) => {
    const child = spawn('sh', ['-c', `${command} 2>&1`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('close', (status) => done({ status, output }));
  });
}

async function runSuite(suite: TestSuite): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const files = globSync([...suite.files]).toSorted();
  if (files.length === 0) return counts;
  const events = run({ files, concurrency: suite.concurrency, timeout: suite.timeoutMs });
  events.on('test:fail', printFailure);
  events.on('test:pass', (test) => {
    if (test.skip !== undefined && test.skip !== false) console.log(`   skipped ${test.name}: ${test.skip}`);
  });
  events.on('test:summary', ({ file, counts: of, duration_ms }) => {
    if (file !== undefined) {
      const verdict = of.passed + of.skipped === of.tests ? 'ok    ' : 'FAILED';
      console.log(`   ${verdict} ${relative(ROOT, file)} (${of.tests} tests, ${seconds(duration_ms)})`);
      return;
    }
    counts.passed = of.passed;
    counts.skipped = of.skipped;
    counts.failed = of.tests - of.passed - of.skipped;
  });
  for await (const _ of events); // the stream must be read to its end
  return counts;
}

function printFailure(test: EventData.TestFail): void {
  const error = test.details.error;
  if ('failureType' in error && error.failureType === 'subtestsFailed') return; // its subtests have been printed
  const place = test.file === undefined ? '' : ` (${relative(ROOT, test.file)}:${test.line})`;
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
  const lines = cause.split('\n').filter((line) => !/^ +at .*(node:internal|\(native\))/.test(line));
  console.log(`   FAILED ${test.name}${place}\n${lines.map((line) => `      ${line}`).join('\n')}`);
}

function summary(counts: Counts): string {
  const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
