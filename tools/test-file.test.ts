/**
 * Goal: the runner ends and counts right whatever a test file does, and kills all that the file has started and nothing
 * else. Method: small test files in a temporary folder.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runTestFile } from './test-file.ts';

const HEAD = `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
const sleep = (options) => {
  const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  child.unref();
  return child.pid;
};
const note = (...pids) => writeFileSync(import.meta.filename + '.pids', pids.join(' '));
`;
const LONG_MS = 60_000;
const SHORT_MS = 3000;
const NEVER = new AbortController().signal;

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-runner-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.test.mjs'), HEAD + text);
  return join(folder, 'a.test.mjs');
}

const pidsOf = (file: string): number[] => readFileSync(`${file}.pids`, 'utf8').split(' ').map(Number);

/** A zombie does not run; who reaps it is not our matter. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('a file that hangs is killed at its limit, with all that holds its output open and nobody else', async (t) => {
  const bystander = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true });
  t.after(() => bystander.kill());
  await once(bystander, 'spawn');
  const file = fileOf(
    t,
    `test('good', () => undefined);
    test('stuck', async () => {
      note(sleep({}), sleep({ detached: true }), sleep({ detached: true, env: {} }));
      await new Promise(() => undefined);
    });`,
  );
  const begunAt = performance.now();
  const outcome = await runTestFile(file, { limitMs: SHORT_MS, graceMs: LONG_MS, signal: NEVER });
  assert.ok(performance.now() - begunAt < LONG_MS);
  assert.deepEqual({ ...outcome, messages: [] }, { passed: 1, failed: 1, skipped: 0, messages: [] });
  assert.match(
    outcome.messages.join(),
    /a\.test\.mjs: killed with all its processes after its limit of 3 s, while it ran: 'stuck'/,
  );
  const started = pidsOf(file);
  assert.equal(started.length, 3);
  assert.deepEqual(started.filter(runs), []);
  assert.ok(runs(bystander.pid!), 'what the file has not started lives on');
});

test('a file that leaves processes behind has failed, and they are killed', async (t) => {
  const file = fileOf(t, `test('good', () => { note(sleep({ detached: true })); });`);
  const outcome = await runTestFile(file, { limitMs: LONG_MS, graceMs: 0, signal: NEVER });
  assert.deepEqual([outcome.passed, outcome.failed], [1, 1]);
  const [pid = 0] = pidsOf(file);
  assert.match(
    outcome.messages.join(),
    new RegExp(`left processes behind, now killed:\\s+${pid} sleep 1000`),
  );
  assert.ok(!runs(pid));
});

test('at the end of the whole run a file is killed', async (t) => {
  const file = fileOf(
    t,
    `test('stuck', async () => { note(sleep({})); await new Promise(() => undefined); });`,
  );
  const outcome = await runTestFile(file, {
    limitMs: LONG_MS,
    graceMs: LONG_MS,
    signal: AbortSignal.timeout(SHORT_MS),
  });
  assert.deepEqual([outcome.passed, outcome.failed], [0, 1]);
  assert.match(outcome.messages.join(), /at the end of the whole run, while it ran: 'stuck'/);
  assert.deepEqual(pidsOf(file).filter(runs), []);
});

test('passed, failed and skipped tests are counted and told, and so is a failed hook', async (t) => {
  const file = fileOf(
    t,
    `test('good', () => undefined);
    test('bad', async (t) => {
      console.log('seen before it broke');
      await t.test('inner', () => { throw new Error('broken'); });
    });
    test('cannot', (t) => t.skip('no root'));
    describe('suite', () => { test('in it', () => undefined); });
    after(() => { throw new Error('does not end well'); });`,
  );
  const outcome = await runTestFile(file, { limitMs: LONG_MS, graceMs: LONG_MS, signal: NEVER });
  assert.deepEqual({ ...outcome, messages: [] }, { passed: 2, failed: 3, skipped: 1, messages: [] });
  const told = outcome.messages.join('\n');
  assert.match(told, /FAILED inner .*\n +Error: broken/);
  assert.match(told, /Error: does not end well/);
  assert.match(told, /skipped cannot: no root/);
  assert.match(told, /seen before it broke/);
});

for (const [title, text, told] of [
  ['cannot be loaded', `import './nothing.mjs';`, /ERR_MODULE_NOT_FOUND/],
  ['dies', `test('x', () => process.kill(process.pid, 'SIGKILL'));`, /ended with SIGKILL before/],
  ['ends too early', `test('x', () => process.exit(0));`, /ended with status 0 before/],
  [
    'ends badly',
    `test('x', () => void process.on('exit', () => (process.exitCode = 3)));`,
    /ended with status 3$/,
  ],
  ['has no test', '', /ended with status 0 before/],
] as const) {
  test(`a file that ${title} has failed`, async (t) => {
    const file = fileOf(t, text);
    const outcome = await runTestFile(file, { limitMs: LONG_MS, graceMs: LONG_MS, signal: NEVER });
    assert.equal(outcome.failed, 1);
    assert.match(outcome.messages.join('\n'), told);
  });
}
