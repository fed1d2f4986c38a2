/** What came of a drill: as a table for people, and as plain data (`DrillReport`) for programs. */

import { formatSize } from '../../base/units.ts';
import type { FaultReport } from './sequence.ts';

export interface DrillReport {
  readonly nodes: number;
  readonly strategy: string;
  readonly profile: string;
  readonly seed: number;
  readonly faults: readonly FaultReport[];
  /** What was found in the copies in the end, or why they could not be judged: each a sentence. */
  readonly wrong: readonly string[];
}

/** Nothing was lost or mixed up, no command failed, and all copies came together each time. */
export function isClean({ faults, wrong }: DrillReport): boolean {
  return wrong.length === 0 && faults.every((fault) => fault.wrong.length === 0);
}

export const HEADINGS = [
  'Fault',
  'Node',
  'Stall',
  'Longest',
  'Commands',
  'Failed',
  'Redundant after',
  'Resynchronized',
] as const;

export function cellsOf(report: FaultReport): string[] {
  const { title, victim, measured, redundantAfterMs, resynchronizedBytes, fullResyncs } = report;
  const full = fullResyncs > 0 ? ' (full)' : '';
  return [
    title,
    victim,
    secondsText(measured.stallMs),
    secondsText(measured.longestMs),
    String(measured.commands),
    String(measured.failed),
    redundantAfterMs === undefined ? 'never' : secondsText(redundantAfterMs),
    `${formatSize(resynchronizedBytes)}${full}`,
  ];
}

export function verdictText(report: DrillReport): string {
  const commands = report.faults.reduce((sum, { measured }) => sum + measured.commands, 0);
  return isClean(report)
    ? `Nothing was lost, nothing was mixed up, and none of ${commands} commands failed.`
    : 'This must not be:';
}

export function complaintsOf({ faults, wrong }: DrillReport): string[] {
  return [...faults.flatMap((fault) => fault.wrong.map((text) => `${fault.title}: ${text}`)), ...wrong];
}

export function drillText(report: DrillReport): string {
  const rows = [[...HEADINGS], ...report.faults.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
  const complaints = complaintsOf(report).map((text) => `  ${text}`);
  return [...lines, '', verdictText(report), ...complaints, ''].join('\n');
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
