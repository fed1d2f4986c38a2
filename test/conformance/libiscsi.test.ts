/**
 * Goal: nothing in libiscsi's own test suite fails, on RAM and on a flat file, and whatever it skips is known.
 * Method: one node serves the LUNs of the matrix; each test is a process with its own logins. Results go to
 * .cache/conformance. CONFORMANCE_ONLY=REGEXP runs a part; CONFORMANCE_WRITE=1 rewrites the section of
 * docs/COMPLIANCE.md.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { lockstep, type Served } from '../e2e/lockstep.ts';
import { type LaneResult, runCampaign, tableOf, verdicts } from './libiscsi/campaign.ts';
import { withSuiteSection } from './libiscsi/compliance.ts';
import { EXPECTED_SKIPS } from './libiscsi/expected-skips.ts';
import { configOf, lanesOf, MEDIA } from './libiscsi/matrix.ts';
import { judge, listTests } from './libiscsi/suite.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const REPORTS = join(ROOT, process.env['CONFORMANCE_REPORTS'] ?? '.cache/conformance');
const COMPLIANCE = join(ROOT, 'docs/COMPLIANCE.md');
const only = process.env['CONFORMANCE_ONLY'];

let directory: string;
let node: Served;
let results: LaneResult[];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-conformance-'));
  const lanes = lanesOf(MEDIA);
  await mkdir(join(directory, 'state'));
  await writeFile(join(directory, 'node.toml'), configOf(lanes, directory));
  node = await lockstep(['serve', '--config', join(directory, 'node.toml')]);
  const [first, second] = node.ready.portals;
  assert.ok(first !== undefined && second !== undefined, 'two portals');
  const all = await listTests();
  const tests = only === undefined ? all : all.filter(({ name }) => new RegExp(only).test(name));
  await rm(REPORTS, { recursive: true, force: true });
  await mkdir(REPORTS, { recursive: true });
  results = await runCampaign({ lanes, tests, portals: [first, second], directory: REPORTS });
  await writeFile(join(REPORTS, 'libiscsi.tsv'), tableOf(results));
});

after(async () => {
  const status = await node?.stop();
  await rm(directory, { recursive: true, force: true });
  assert.equal(status, 0, 'the node stops in order after the suite');
});

for (const medium of MEDIA) {
  test(`no test of the suite fails on ${medium === 'ram' ? 'RAM' : 'a flat file'}`, (context) => {
    const all = results.filter((result) => result.medium === medium);
    const counts = Object.groupBy(verdicts(results, medium), ({ outcome }) => outcome);
    context.diagnostic(
      `${counts.passed?.length ?? 0} passed, ${counts.failed?.length ?? 0} failed, ${counts.skipped?.length ?? 0} skipped`,
    );
    const failed = all.filter(({ outcome }) => outcome === 'failed');
    assert.ok(all.length > 0, 'tests were run');
    assert.equal(failed.map(({ lun, test: name, why }) => `${lun} ${name}: ${why}`).join('\n'), '');
  });

  test(`what skips on every LUN is listed with its reason, and nothing else is (${medium})`, () => {
    const all = verdicts(results, medium);
    const skipped = all.filter(({ outcome }) => outcome === 'skipped');
    const unexpected = skipped.filter(({ test: name }) => EXPECTED_SKIPS[name] === undefined);
    assert.equal(unexpected.map(({ test: name, why, lun }) => `${name} on ${lun}: ${why}`).join('\n'), '');
    const passing = all.filter(
      ({ test: name, outcome }) => outcome === 'passed' && EXPECTED_SKIPS[name] !== undefined,
    );
    assert.equal(
      passing.map(({ test: name }) => name).join('\n'),
      '',
      'no longer skipped: take them off the list',
    );
  });
}

test('docs/COMPLIANCE.md says what the matrix and the list of skips say', async () => {
  const document = await readFile(COMPLIANCE, 'utf8');
  const wanted = withSuiteSection(document);
  assert.ok(wanted !== undefined, 'the section is there');
  if (process.env['CONFORMANCE_WRITE'] === '1') await writeFile(COMPLIANCE, wanted);
  else assert.equal(document, wanted, 'run with CONFORMANCE_WRITE=1');
});

test('a transcript that skipped, failed or never ran is not counted as passed', () => {
  const summary = (ran: number, passed: number) =>
    `\n               tests      1      ${ran}      ${passed}      0        0\n`;
  assert.equal(judge(`passed${summary(1, 1)}`, undefined).outcome, 'passed');
  assert.equal(judge(`    [SKIPPED] no UNMAP\npassed${summary(1, 1)}`, undefined).outcome, 'skipped');
  const skippedAtOnce = `  Test: Simple ...    [SKIPPED] thick\npassed${summary(1, 1)}`;
  assert.deepEqual(judge(skippedAtOnce, undefined), {
    outcome: 'skipped',
    why: 'thick',
    transcript: skippedAtOnce,
  });
  assert.equal(judge(`FAILED${summary(1, 0)}`, undefined).outcome, 'failed');
  assert.equal(judge(summary(0, 0), undefined).outcome, 'failed');
  assert.equal(judge(`passed${summary(1, 1)}`, 'ended with SIGSEGV').outcome, 'failed');
  assert.equal(judge('', 'no end within 45 s').outcome, 'failed');
});
