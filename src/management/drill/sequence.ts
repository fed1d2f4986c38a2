/** A drill: one fault after another under a load, and a report of each. */

import type { Measured } from '../../drill/meter.ts';
import type { Fault, FaultTimes } from './faults.ts';
import { victimOf } from './faults.ts';
import { logOffsets, pause, resynchronizedSince, type Site, untilSynchronized } from './site.ts';

/** The load beside the faults; it may run in another process. */
export interface LoadControl {
  beginPart(): Promise<void>;
  part(): Promise<Measured>;
  /** Of everything seen so far: a violation as a sentence. */
  judge(): Promise<string | undefined>;
  /** Answers when every path of the host is usable, and is true; or false after `withinMs`. */
  untilAllPaths(withinMs: number): Promise<boolean>;
}

export interface FaultReport {
  readonly fault: string;
  readonly title: string;
  readonly victim: string;
  readonly measured: Measured;
  /** From the moment at which everything was whole again; undefined: not within the limit. */
  readonly redundantAfterMs: number | undefined;
  readonly resynchronizedBytes: number;
  readonly fullResyncs: number;
  /** What must not be: each a sentence. Empty: nothing happened. */
  readonly wrong: readonly string[];
}

export interface SequenceOptions {
  readonly site: Site;
  readonly load: LoadControl;
  readonly faults: readonly Fault[];
  readonly times: FaultTimes;
  /** Of load before each fault. */
  readonly beforeMs: number;
  /** … and in all, at least. */
  readonly eachMs: number;
  readonly redundantMsMax: number;
  /** Of the first fault, in the order of copies. */
  readonly firstVictim: number;
  onReport?(report: FaultReport): void;
}

/** Hosts find out by themselves, each second. */
const PATHS_MS_MAX = 30_000;

export async function runSequence(options: SequenceOptions): Promise<FaultReport[]> {
  const reports: FaultReport[] = [];
  for (const [index, fault] of options.faults.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const report = await runFault(options, fault, options.firstVictim + index);
    reports.push(report);
    options.onReport?.(report);
  }
  return reports;
}

async function runFault(options: SequenceOptions, fault: Fault, turn: number): Promise<FaultReport> {
  const { site, load, beforeMs, eachMs, redundantMsMax } = options;
  const victim = victimOf(site, turn);
  const offsets = logOffsets(site);
  const begunAt = performance.now();
  await load.beginPart();
  await pause(beforeMs);
  await fault.run(site, victim, options.times);
  const wholeAt = performance.now();
  const isRedundant = await untilSynchronized(site, redundantMsMax);
  const redundantAfterMs = isRedundant ? performance.now() - wholeAt : undefined;
  const hasAllPaths = await load.untilAllPaths(PATHS_MS_MAX);
  await pause(Math.max(0, begunAt + eachMs - performance.now()));
  const measured = await load.part();
  const violation = await load.judge();
  const { bytes, full } = resynchronizedSince(site, offsets);
  const wrong = violation === undefined ? [] : [violation];
  if (measured.failed > 0) wrong.push(`${measured.failed} commands failed: ${measured.failures.join('; ')}`);
  if (measured.commands === 0) wrong.push('no command was answered');
  if (!hasAllPaths) wrong.push(`not every path was usable within ${PATHS_MS_MAX / 1000} s`);
  if (!isRedundant) wrong.push(`not all copies were synchronized within ${redundantMsMax / 1000} s`);
  return {
    fault: fault.name,
    title: fault.title,
    victim: fault.leavesPath ? victim.name : 'all',
    measured,
    redundantAfterMs,
    resynchronizedBytes: bytes,
    fullResyncs: full,
    wrong,
  };
}
