/** Goal: a report says what was measured, and never calls good what was not. Method: reports made by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drillPage } from './page.ts';
import { type DrillReport, drillText, isClean } from './report.ts';
import type { FaultReport } from './sequence.ts';

const fault: FaultReport = {
  fault: 'kill',
  title: 'node killed',
  victim: 'alpha',
  measured: {
    commands: 1200,
    stallMs: 2340,
    stallAtMs: 500,
    longestMs: 2500,
    failed: 0,
    unknown: 1,
    failures: [],
  },
  redundantAfterMs: 4000,
  resynchronizedBytes: 3 * 2 ** 20,
  fullResyncs: 0,
  wrong: [],
};
const report: DrillReport = {
  nodes: 2,
  strategy: 'heartbeat',
  profile: 'mixed',
  seed: 1,
  faults: [fault],
  wrong: [],
};

test('a table has a row for each fault, and the verdict below', () => {
  const text = drillText(report);
  assert.match(text, /node killed {2}alpha {2}2\.34 s {3}2\.50 s {6}1200 {7}0/);
  assert.match(text, /3 MiB/);
  assert.match(text, /none of 1200 commands failed/);
  assert.ok(isClean(report));
});

test('whatever is wrong is told, and spoils the verdict', () => {
  const broken = { ...fault, redundantAfterMs: undefined, wrong: ['2 commands failed: <no path>'] };
  for (const bad of [
    { ...report, faults: [broken] },
    { ...report, wrong: ['replicasDiffer: block 7'] },
  ]) {
    assert.equal(isClean(bad), false);
    assert.doesNotMatch(drillText(bad), /Nothing was lost/);
  }
  const page = drillPage({ ...report, faults: [broken] }, new Date(0));
  assert.match(page, /class="verdict bad"/);
  assert.match(page, /node killed: 2 commands failed: &lt;no path&gt;/);
  assert.match(page, /never/);
});

test('a page needs nothing but itself', () => {
  const page = drillPage(report, new Date(0));
  assert.match(page, /class="verdict good"/);
  assert.doesNotMatch(page, /src=|href=|url\(/);
});
