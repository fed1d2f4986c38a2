/** A drill: one fault after another under a load, and a report of each. */

import type { Measured } from '../../drill/meter.ts';
import type { Fault } from './faults.ts';
import { victimOf } from './faults.ts';
import { logOffsets, pause, resynchronizedSince, type Site, untilSynchronized } from './site.ts';

/** The load beside the faults; it may run in another process. */
export interface LoadControl {
  beginPart(): Promise<void>;
  part(): Promise<Measured>;
  /** Of everything seen so far: a violation as a sentence. */
  judge(): Promise<string | undefined>;
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
  /** Of load before each fault. */
  readonly beforeMs: number;
  /** … and in all, at least. */
  readonly eachMs: number;
  readonly redundantMsMax: number;
  /** Of the first fault, in the order of copies. */
  readonly firstVictim: number;
  onReport?(report: FaultReport): void;
}

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
  await fault.run(site, victim);
  const wholeAt = performance.now();
  const isRedundant = await untilSynchronized(site, redundantMsMax);
  const redundantAfterMs = isRedundant ? performance.now() - wholeAt : undefined;
  await pause(Math.max(0, begunAt + eachMs - performance.now()));
  const measured = await load.part();
  const violation = await load.judge();
  const { bytes, full } = resynchronizedSince(site, offsets);
  const wrong = violation === undefined ? [] : [violation];
  if (measured.failed > 0) wrong.push(`${measured.failed} commands failed: ${measured.failures.join('; ')}`);
  if (measured.commands === 0) wrong.push('no command was answered');
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
