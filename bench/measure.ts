/** One measurement: the load against a contestant, and what the contestant's processes spent meanwhile. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { build } from './build.ts';
import type { Contestant } from './contestants.ts';

export interface Workload {
  readonly title: string;
  readonly operation: 'read' | 'write' | 'mixed';
  readonly pattern: 'random' | 'sequential';
  readonly block: number;
  readonly depth: number;
}

export interface Latency {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Measurement {
  readonly iops: number;
  readonly megabytesPerSecond: number;
  readonly latencyUs: Latency;
  /** CPU time of the target's processes. */
  readonly cpuUsPerOperation: number;
  /** Share of one core that the load itself used: near 1, the load is the limit. */
  readonly loadBusy: number;
}

interface LoadReport {
  readonly operations: number;
  readonly seconds: number;
  readonly iops: number;
  readonly megabytesPerSecond: number;
  readonly latencyUs: Latency;
  readonly loadCpuSeconds: number;
}

const START_ALLOWANCE_MS = 60_000;
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const run = promisify(execFile);

/** Writes the whole disk once, so that no contestant reads holes. */
export async function fill({ url }: Contestant): Promise<void> {
  await load(['--url', url, '--fill', '--seconds', '0'], START_ALLOWANCE_MS * 10);
}

export async function measure(contestant: Contestant, work: Workload, seconds: number): Promise<Measurement> {
  const words = ['--operation', work.operation, '--pattern', work.pattern, '--block', String(work.block)];
  const more = ['--depth', String(work.depth), '--seconds', String(seconds)];
  const before = cpuSeconds(contestant.pids);
  const report = await load(
    ['--url', contestant.url, ...words, ...more],
    seconds * 1000 + START_ALLOWANCE_MS,
  );
  const cpu = cpuSeconds(contestant.pids) - before;
  return {
    iops: report.iops,
    megabytesPerSecond: report.megabytesPerSecond,
    latencyUs: report.latencyUs,
    cpuUsPerOperation: (cpu / report.operations) * 1e6,
    loadBusy: report.loadCpuSeconds / report.seconds,
  };
}

async function load(words: readonly string[], timeout: number): Promise<LoadReport> {
  const { stdout } = await run(build('load', ['-liscsi']), words, { timeout, killSignal: 'SIGKILL' });
  return JSON.parse(stdout) as LoadReport;
}

/** User and system time of processes with all their threads and ended children. */
function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    // The name in brackets may hold blanks: fields count from behind it. utime, stime, cutime, cstime: 14 to 17.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
    return sum + ticks / TICKS_PER_SECOND;
  }, 0);
}

export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kibibytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
    return sum + Number(kibibytes) * 1024;
  }, 0);
}

/** The measurement whose IOPS are the median of these. */
export function median(measurements: readonly Measurement[]): Measurement {
  return measurements.toSorted((a, b) => a.iops - b.iops)[Math.floor((measurements.length - 1) / 2)]!;
}
