/** The results as Markdown for docs/PERFORMANCE.md. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import type { Contestant, Medium } from './contestants.ts';
import type { Measurement, Workload } from './measure.ts';

export interface Result {
  readonly work: Workload;
  readonly name: Contestant['name'];
  readonly medium: Medium;
  /** The median of the rounds. */
  readonly median: Measurement;
  readonly iopsOfRounds: readonly number[];
}

export interface Machine {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly commit: string;
}

/** Above this share of a core the load, not the target, sets the figure. */
const LOAD_BUSY = 0.95;

export function machine(): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
  };
}

export function markdown(results: readonly Result[], on: Machine, how: string): string {
  const media = [...new Set(results.filter(({ name }) => name === 'lockstep').map(({ medium }) => medium))];
  const head = `${on.date}, ${on.processor}, ${on.cores} cores, ${on.memoryGiB} GiB, Linux ${on.kernel}, Node.js ${on.node}, commit ${on.commit}. ${how}`;
  return [
    head,
    ...media.flatMap((medium) => ['', `### ${medium}`, '', ...tableOf(results, medium)]),
    '',
    `\\* The load used more than ${LOAD_BUSY * 100} % of a core: the figure is the load's limit, the target may do more.`,
    '',
  ].join('\n');
}

function tableOf(results: readonly Result[], medium: Medium): string[] {
  const find = (work: Workload, name: Contestant['name'], where: Medium) =>
    results.find((one) => one.work === work && one.name === name && one.medium === where)?.median;
  const works = [...new Set(results.map(({ work }) => work))];
  const rows = works.map((work) => {
    const own = find(work, 'lockstep', medium);
    const tgt = find(work, 'tgt', medium === 'RAM' ? 'RAM' : 'file');
    const floor = find(work, 'floor', 'RAM');
    const cells = [
      work.title,
      ...[own, tgt, floor].map((one) => rate(work, one)),
      ratio(own, tgt),
      ratio(own, floor),
      [own, tgt, floor].map((one) => one?.cpuUsPerOperation.toFixed(1) ?? '–').join(' / '),
      ...[own, tgt, floor].map(latency),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| Workload | Lockstep | tgt | floor | × tgt | × floor | CPU µs per I/O (L / tgt / floor) | latency µs Lockstep p50 / p99 / p99.9 | tgt | floor |',
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...rows,
  ];
}

export function rate(work: Workload, one: Measurement | undefined): string {
  if (one === undefined) return '–';
  const figure =
    work.block < 65536 ? `${Math.round(one.iops)} IOPS` : `${Math.round(one.megabytesPerSecond)} MB/s`;
  return one.loadBusy > LOAD_BUSY ? `${figure}\\*` : figure;
}

export function ratio(own: Measurement | undefined, other: Measurement | undefined): string {
  return own === undefined || other === undefined ? '–' : (own.iops / other.iops).toFixed(2);
}

function latency(one: Measurement | undefined): string {
  if (one === undefined) return '–';
  const { p50, p99, p999 } = one.latencyUs;
  return [p50, p99, p999].map((value) => value.toFixed(0)).join(' / ');
}
