/** The results of `npm run bench -- mirror` as Markdown: our mirror first, then what it is compared with. */
import type { Measurement, Workload } from '../measure.ts';
import type { Machine } from '../table.ts';
import { rate, ratio } from '../table.ts';

export interface Row {
  readonly work: Workload;
  /** The median of each contestant's rounds, the mirror's first. */
  readonly medians: readonly Measurement[];
}

export function mirrorTable(
  titles: readonly string[],
  rows: readonly Row[],
  on: Machine,
  how: string,
): string {
  const others = titles.slice(1);
  const head = ['Workload', ...titles, ...others.map((title) => `× ${title}`), 'latency µs p50 / p99, each'];
  const lines = rows.map(({ work, medians }) => {
    const cells = [
      work.title,
      ...medians.map((one) => rate(work, one)),
      ...medians.slice(1).map((one) => ratio(medians[0], one)),
      medians.map(({ latencyUs }) => `${latencyUs.p50.toFixed(0)} / ${latencyUs.p99.toFixed(0)}`).join(', '),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    `${on.date}, ${on.processor}, ${on.cores} cores, ${on.memoryGiB} GiB, Linux ${on.kernel}, Node.js ${on.node}, commit ${on.commit}. ${how}`,
    '',
    `| ${head.join(' | ')} |`,
    `|---|${head
      .slice(1)
      .map(() => '--:|')
      .join('')}`,
    ...lines,
    '',
  ].join('\n');
}
