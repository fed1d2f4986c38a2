/** Breaks one thing after another on a cluster, and fails the test where anything was lost, mixed up or refused. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Fault, FaultTimes } from '../../src/management/drill/faults.ts';
import { type FaultReport, runSequence } from '../../src/management/drill/sequence.ts';
import { logsOf } from './cluster-nodes.ts';
import type { DrillCluster } from './drill-cluster.ts';

export interface DrillRun {
  readonly faults: readonly Fault[];
  readonly times: FaultTimes;
  /** Which copy the first fault hits. */
  readonly firstVictim: number;
  /** All copies are synchronized again within this time after each fault. */
  readonly redundantMsMax?: number;
}

const BEFORE_MS = 500;
const REDUNDANT_MS_MAX = 60_000;

/** Answers when the nodes have stopped in order and their images are equal. */
export async function runDrill(
  t: TestContext,
  cluster: DrillCluster,
  { faults, times, firstVictim, redundantMsMax = REDUNDANT_MS_MAX }: DrillRun,
): Promise<readonly FaultReport[]> {
  const { site, load } = cluster;
  const reports = await runSequence({
    site,
    load,
    faults,
    times,
    beforeMs: BEFORE_MS,
    eachMs: 0,
    redundantMsMax,
    firstVictim,
    onReport: (report) => t.diagnostic(told(report)),
  });
  const wrong = reports.flatMap((report) => report.wrong.map((text) => `${report.title}: ${text}`));
  const logs = wrong.length > 0 ? logsOf(site.nodes) : '';
  assert.deepEqual([...wrong, ...(await cluster.end())], [], logs);
  return reports;
}

function told(report: FaultReport): string {
  const { fault, victim, measured, redundantAfterMs, resynchronizedBytes, fullResyncs } = report;
  const { commands, stallMs, stallAtMs } = measured;
  return (
    `${fault}, ${victim}: ${commands} commands, stall ${Math.round(stallMs)} ms at ${Math.round(stallAtMs)} ms, ` +
    `redundant after ${Math.round(redundantAfterMs ?? Infinity)} ms, ${resynchronizedBytes >> 10} KiB compared, ${fullResyncs} full`
  );
}
