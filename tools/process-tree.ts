/**
 * A command with all that it starts, as one thing that ends: by itself, or killed when its time is over. Whatever it
 * left running is killed, too, so that nothing can hold its output, and with it the caller, open.
 *
 * The tree is what carries the mark of this run in its environment, and what lives in a session or below a process of
 * the tree: processes change their group and session, and orphans lose their parent, but few lose their environment.
 * Invariant: nothing is killed that the command did not start.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface TreeOptions {
  readonly limitMs: number;
  /** What still runs some time after the command itself has ended is left behind. */
  readonly graceMs: number;
  /** Ends the tree early. */
  readonly signal: AbortSignal;
}

export interface TreeEnd {
  readonly status: number | null;
  readonly terminatedBy: string | null;
  /** What was printed last, standard output and error together. */
  readonly output: string;
  readonly killed: 'over its limit' | 'run over' | undefined;
  /** Processes that outlived the command: 'PID WORDS'. */
  readonly leftBehind: readonly string[];
}

const MARK = 'LOCKSTEP_TEST_TREE';
const OUTPUT_CHARACTERS_MAX = 100_000;
const LOOK_EVERY_MS = 100;
/** A killed process is gone by then, unless the kernel cannot let it go. */
const KILL_MS_MAX = 5000;

/** Trees that run. Whoever ends this process ends them first (`killAllTrees`). */
const running = new Set<Tree>();

interface Tree {
  readonly mark: string;
  /** The command: leader of a session of its own. */
  readonly leader: number;
  leaderEnded: boolean;
}

export async function runTree(words: readonly string[], options: TreeOptions): Promise<TreeEnd> {
  const { limitMs, graceMs, signal } = options;
  const [command = '', ...rest] = words;
  const mark = `${process.env[MARK] ?? ''}/${randomUUID()}`; // trees of a tree belong to both
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, [MARK]: mark, NODE_TEST_CONTEXT: undefined },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
    });
  }
  const closed = new Promise((resolve) => child.once('close', resolve));
  await once(child, 'spawn');
  const tree: Tree = { mark, leader: child.pid!, leaderEnded: false };
  running.add(tree);
  let killed: TreeEnd['killed'];
  const ended = Promise.withResolvers<void>();
  child.once('exit', () => ended.resolve());
  const end = (reason: TreeEnd['killed']) => (): void => {
    killed ??= reason;
    killTree(tree);
    setTimeout(ended.resolve, KILL_MS_MAX).unref();
  };
  const runOver = end('run over');
  const timer = setTimeout(end('over its limit'), limitMs);
  signal.addEventListener('abort', runOver);
  if (signal.aborted) runOver();
  if (child.exitCode === null && child.signalCode === null) await ended.promise;
  tree.leaderEnded = true;
  clearTimeout(timer);
  const leftBehind = killed === undefined ? await leftAfter(tree, graceMs, signal) : [];
  signal.removeEventListener('abort', runOver);
  await killWhole(tree);
  running.delete(tree);
  // Somebody who escaped may still hold the pipes.
  await Promise.race([closed, delay(LOOK_EVERY_MS * 10, undefined, { ref: false })]);
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  return { status: child.exitCode, terminatedBy: child.signalCode, output, killed, leftBehind };
}

/** At once, so that it may be the last thing this process does. */
export function killAllTrees(): void {
  for (const tree of running) killTree(tree);
}

async function leftAfter(tree: Tree, graceMs: number, signal: AbortSignal): Promise<string[]> {
  const until = performance.now() + graceMs;
  for (;;) {
    const left = processesOf(tree);
    if (left.length === 0 || signal.aborted || performance.now() >= until) {
      return left.map(({ pid }) => `${pid} ${wordsOf(pid)}`);
    }
    // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
    await delay(LOOK_EVERY_MS);
  }
}

async function killWhole(tree: Tree): Promise<void> {
  const until = performance.now() + KILL_MS_MAX;
  while (killTree(tree) > 0 && performance.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- who was being forked shows only now
    await delay(LOOK_EVERY_MS);
  }
}

function killTree(tree: Tree): number {
  const processes = processesOf(tree);
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone by itself
    }
  }
  return processes.length;
}

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

function processesOf({ mark, leader, leaderEnded }: Tree): ProcessEntry[] {
  const rest = new Set(allProcesses());
  const mine: ProcessEntry[] = [];
  const parents = new Set<number>();
  const sessions = new Set<number>();
  const add = (entry: ProcessEntry): void => {
    rest.delete(entry);
    mine.push(entry);
    parents.add(entry.pid);
    sessions.add(entry.session);
  };
  // A number that is in use again belongs to somebody else.
  if (!leaderEnded || ![...rest].some(({ pid }) => pid === leader)) sessions.add(leader);
  for (const entry of rest) if (carries(entry.pid, mark)) add(entry);
  for (let count = -1; count < mine.length; ) {
    count = mine.length;
    for (const entry of rest) if (sessions.has(entry.session) || parents.has(entry.parent)) add(entry);
  }
  return mine;
}

/** All but this one and those that have ended. */
function allProcesses(): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // 'pid (name) state ppid pgrp session …'; the name may hold anything.
    const [state = 'X', parent, , session] = (textOf(pid, 'stat').split(') ').at(-1) ?? '').split(' ');
    if (!/^[ZX]?$/.test(state)) found.push({ pid, parent: Number(parent), session: Number(session) });
  }
  return found;
}

function carries(pid: number, mark: string): boolean {
  return textOf(pid, 'environ').includes(`${MARK}=${mark}`);
}

function wordsOf(pid: number): string {
  return textOf(pid, 'cmdline').replaceAll('\0', ' ').trim().slice(0, 200);
}

/** Empty when the process is gone. */
function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
