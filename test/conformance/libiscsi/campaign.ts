/** Runs the suite over lanes, several at a time, and gathers one result per test and medium. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lane, Medium } from './matrix.ts';
import { type Outcome, runTest, type SuiteTest, type TestResult } from './suite.ts';

export interface LaneResult extends Omit<TestResult, 'transcript'> {
  readonly medium: Medium;
  readonly lun: string;
  readonly test: string;
  readonly seconds: number;
}

export interface Verdict {
  readonly test: string;
  readonly outcome: Outcome;
  /** Of the LUN that decided. */
  readonly why: string;
  readonly lun: string;
}

/** Tests wait on purpose as often as they work: more of them at once than cores. */
const AT_ONCE = 4;

export interface CampaignOptions {
  readonly lanes: readonly Lane[];
  readonly tests: readonly SuiteTest[];
  readonly portals: readonly [string, string];
  /** Transcripts of what did not pass go here. */
  readonly directory: string;
}

export async function runCampaign(options: CampaignOptions): Promise<LaneResult[]> {
  const results: LaneResult[] = [];
  const queues = new Map<string, SuiteTest[]>();
  for (const { lun, medium } of options.lanes)
    queues.set(`${lun.id} ${medium}`, testsFor(lun, options.tests));
  const waiting = [...options.lanes];
  const worker = async (): Promise<void> => {
    for (let lane = waiting.shift(); lane !== undefined; lane = waiting.shift()) {
      const queue = queues.get(`${lane.lun.id} ${lane.medium}`)!;
      for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
        results.push(await runIn(lane, test, options));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

function testsFor(lun: Lane['lun'], tests: readonly SuiteTest[]): SuiteTest[] {
  return tests.filter(
    ({ suite, name }) => (lun.suites?.includes(suite) ?? true) && lun.without[name] === undefined,
  );
}

async function runIn(lane: Lane, test: SuiteTest, options: CampaignOptions): Promise<LaneResult> {
  const { lun, medium, target } = lane;
  const urls = options.portals.map((portal, path) => {
    const credentials = lun.users[path % lun.users.length];
    return `iscsi://${credentials === undefined ? '' : `${credentials.user}%${credentials.secret}@`}${portal}/${target}/0`;
  });
  const startedAt = performance.now();
  const { outcome, why, transcript } = await runTest(test, urls);
  const seconds = (performance.now() - startedAt) / 1000;
  if (outcome !== 'passed') {
    const directory = join(options.directory, medium, lun.id);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${test.name}.${outcome}.txt`), transcript);
  }
  return { medium, lun: lun.id, test: test.name, outcome, why, seconds };
}

/** Failed anywhere is failed; otherwise passed anywhere is passed. */
export function verdicts(results: readonly LaneResult[], medium: Medium): Verdict[] {
  const rank: Readonly<Record<Outcome, number>> = { failed: 2, passed: 1, skipped: 0 };
  const best = new Map<string, Verdict>();
  for (const { medium: where, test, outcome, why, lun } of results) {
    const former = best.get(test);
    if (where !== medium || (former !== undefined && rank[former.outcome] >= rank[outcome])) continue;
    best.set(test, { test, outcome, why, lun });
  }
  return [...best.values()].toSorted((a, b) => a.test.localeCompare(b.test));
}

export function tableOf(results: readonly LaneResult[]): string {
  const rows = results
    .toSorted(
      (a, b) => a.test.localeCompare(b.test) || a.lun.localeCompare(b.lun) || (a.medium < b.medium ? 1 : -1),
    )
    .map(({ test, lun, medium, outcome, seconds, why }) =>
      [test, lun, medium, outcome, seconds.toFixed(1), why].join('\t'),
    );
  return `${['test\tLUN\tmedium\toutcome\tseconds\twhy', ...rows].join('\n')}\n`;
}
