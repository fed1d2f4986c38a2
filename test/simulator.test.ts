/**
 * Goal: whatever fails in whatever order, the mirror loses and mixes up nothing, comes together again, and explains itself.
 * Method: the simulator over many seeds, as many as a few minutes allow; the long runs are `npm run sim`.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import test from 'node:test';

const SEEDS = 600;
const SECONDS = 60;

test(`the mirror in ${SEEDS} runs of ${SECONDS} s`, (t) => {
  const options = ['--front', 'mirror', '--seed', '1', '--seeds', `${SEEDS}`, '--seconds', `${SECONDS}`];
  const jobs = ['--jobs', `${availableParallelism()}`];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`${import.meta.dirname}/../sim/main.ts`, ...options, ...jobs],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  const lines = stdout.split('\n');
  const report = lines.filter((line) => !line.startsWith('ok ')).join('\n');
  t.diagnostic(report);
  assert.equal(status, 0, `${report}\n${stderr}`);
  assert.match(stdout, new RegExp(`^${SEEDS} seeds, `, 'm'));
  // Every kind of fault that the settings know did something.
  assert.match(stdout, /never: none/);
});
