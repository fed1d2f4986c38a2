/**
 * Goal: nothing in libiscsi's own test suite fails on a mirrored device, with the second path of each test through another node
 * than the first. Method: a demo cluster of two nodes; each test is a process with its own logins, first path through alpha,
 * second through beta. CONFORMANCE_ONLY=REGEXP runs a part.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCluster } from '../e2e/cluster.ts';
import { EXPECTED_SKIPS, MIRROR_SKIPS } from './libiscsi/expected-skips.ts';
import { NOT_ON_A_MIRROR } from './libiscsi/matrix.ts';
import { listTests, runTest, type SuiteTest, type TestResult } from './libiscsi/suite.ts';

const LIMIT_MS = 600_000;
/** Below 1 GiB, where Read6.BeyondEol is a real test. */
const SIZE = '64M';
const only = new RegExp(process.env['CONFORMANCE_ONLY'] ?? '');

test('no test of the suite fails with its paths on two nodes, and what skips is known', {
  timeout: LIMIT_MS,
}, async (context) => {
  await using cluster = await startCluster('127.0.27.1', ['--size', SIZE]);
  const urls = cluster.nodes.map(({ url }) => url);
  const results = new Map<string, TestResult>();
  for (const one of await chosenTests()) results.set(one.name, await runTest(one, urls));
  await cluster.together(cluster.nodes, 2);
  const of = (outcome: TestResult['outcome']) =>
    [...results].filter(([, result]) => result.outcome === outcome);
  context.diagnostic(
    `${of('passed').length} passed, ${of('failed').length} failed, ${of('skipped').length} skipped`,
  );
  assert.ok(results.size > 0, 'tests were run');
  assert.equal(
    of('failed')
      .map(([name, { why }]) => `${name}: ${why}`)
      .join('\n'),
    '',
  );
  const known = { ...EXPECTED_SKIPS, ...MIRROR_SKIPS };
  const unexpected = of('skipped').filter(([name]) => known[name] === undefined);
  assert.equal(unexpected.map(([name, { why }]) => `${name}: ${why}`).join('\n'), '');
  const passing = of('passed').filter(([name]) => known[name] !== undefined);
  assert.equal(passing.map(([name]) => name).join('\n'), '', 'no longer skipped: take them off the list');
});

async function chosenTests(): Promise<readonly SuiteTest[]> {
  const all = await listTests();
  return all.filter(({ name }) => only.test(name) && NOT_ON_A_MIRROR[name] === undefined);
}
