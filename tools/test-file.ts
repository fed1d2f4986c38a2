/**
 * One test file in a process tree of its own: what its tests said, and what became of the file. A file has failed when
 * a test of it has, when it ran none, ended badly, took too long, or left processes behind.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { runTree, type TreeEnd, type TreeOptions } from './process-tree.ts';
import type { Line } from './test-reporter.ts';

export interface FileOutcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What is to be told: the skipped, the failed, and why the file itself has failed. */
  readonly messages: readonly string[];
}

const REPORTER = new URL('./test-reporter.ts', import.meta.url).href;
const OUTPUT_LINES_SHOWN = 40;

export async function runTestFile(file: string, options: TreeOptions): Promise<FileOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-test-file-'));
  try {
    const told = join(folder, 'told');
    const reporter = [`--test-reporter=${REPORTER}`, `--test-reporter-destination=${told}`];
    const end = await runTree([process.execPath, ...reporter, file], options);
    return outcomeOf(file, linesOf(told), end, options);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function outcomeOf(file: string, lines: readonly Line[], end: TreeEnd, options: TreeOptions): FileOutcome {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const messages: string[] = [];
  for (const line of lines) {
    if (line.kind === 'passed') {
      if (line.skipped !== undefined) messages.push(`skipped ${line.name}: ${line.skipped}`);
      if (!line.suite) counts[line.skipped === undefined ? 'passed' : 'skipped']++;
    } else if (line.kind === 'failed') {
      // A suite without a failed test has a failed hook.
      if (!line.suite || line.cause !== undefined) counts.failed++;
      const { name, cause } = line;
      const place = `${relative('', file)}:${line.line ?? 1}`;
      if (cause !== undefined) messages.push(`FAILED ${name} (${place})\n${indented(cause)}`);
    }
  }
  const ownFault = faultOf(lines, end, options, counts.failed);
  if (ownFault !== undefined) {
    counts.failed++;
    messages.push(`FAILED ${file}: ${ownFault}`);
  }
  const shown = end.output.trimEnd().split('\n').slice(-OUTPUT_LINES_SHOWN).join('\n');
  if (counts.failed > 0 && shown !== '') messages.push(`what ${file} printed last:\n${indented(shown)}`);
  return { ...counts, messages };
}

/** What is wrong with the file as a whole. */
function faultOf(
  lines: readonly Line[],
  end: TreeEnd,
  options: TreeOptions,
  failed: number,
): string | undefined {
  const { killed, leftBehind, status, terminatedBy } = end;
  const limit = `its limit of ${options.limitMs / 1000} s`;
  const during = `while it ran: ${runningIn(lines).join(', ') || 'no test; a hook, or what nobody has closed'}`;
  if (killed === 'over its limit') return `killed with all its processes after ${limit}, ${during}`;
  if (killed === 'run over') return `killed with all its processes at the end of the whole run, ${during}`;
  const over = lines.some(({ kind }) => kind === 'over');
  const how = terminatedBy ?? `status ${status}`;
  if (!over) return `ended with ${how} before tests of it had, ${during}`;
  if (leftBehind.length > 0) return `left processes behind, now killed:\n${indented(leftBehind.join('\n'))}`;
  if (status !== 0 && failed === 0) return `ended with ${how}`;
  return undefined;
}

function runningIn(lines: readonly Line[]): string[] {
  const names = new Map<number, string>();
  for (const line of lines) {
    if (line.kind === 'begun') names.set(line.id, `'${line.name}'`);
    if (line.kind === 'ended') names.delete(line.id);
  }
  return [...names.values()];
}

/** A process that was killed may have written half of its last line. */
function linesOf(told: string): Line[] {
  let text = '';
  try {
    text = readFileSync(told, 'utf8');
  } catch {
    // it ended before it could tell anything
  }
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Line);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '   ');
}
