/** A node of a cluster on this machine as a process: started, stopped in order, and, for drills, killed and frozen. */

import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, closeSync, readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fail, ok, type Result } from '../../base/result.ts';

export interface NodeProcessOptions {
  readonly name: string;
  /** The configuration file. */
  readonly config: string;
  /** The command line of the program, up to its first argument. */
  readonly command: readonly string[];
  readonly logLevel: string;
  /** Where its log goes, at the end of the file; undefined: to our own standard error. */
  readonly logFile: string | undefined;
}

/** What `lockstep serve --json` says when logins are accepted. */
export interface ReadyLine {
  readonly portals: readonly string[];
  readonly targets: readonly string[];
  /** Supervisor first. */
  readonly pids: readonly number[];
}

export class NodeProcess {
  readonly options: NodeProcessOptions;
  #child: ChildProcess | undefined;
  #ready: ReadyLine | undefined;
  #frozen: readonly number[] = [];

  constructor(options: NodeProcessOptions) {
    this.options = options;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Of the last start. */
  get ready(): ReadyLine | undefined {
    return this.#ready;
  }

  /** Answers when the node accepts logins. */
  start(): Promise<Result<ReadyLine, string>> {
    const { name, config, command, logLevel, logFile } = this.options;
    const [program, ...first] = command;
    const args = [...first, 'serve', '--config', config, '--json', '--log-level', logLevel];
    const log = logFile === undefined ? 'inherit' : openSync(logFile, 'a', 0o600);
    // A group of its own: a terminal's Ctrl+C is passed on by us, in order.
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', log], detached: true });
    if (typeof log === 'number') closeSync(log);
    this.#child = child;
    return new Promise((resolve) => {
      child.once('error', (error) => resolve(fail(`Node ${name} cannot be started: ${error.message}.`)));
      child.once('exit', (status, signal) =>
        resolve(fail(`Node ${name} ended (${signal ?? `status ${status}`}) while it started.`)),
      );
      createInterface({ input: child.stdout! }).once('line', (line) => {
        this.#ready = JSON.parse(line) as ReadyLine;
        resolve(ok(this.#ready));
      });
    });
  }

  /** True: it ended in order, or had ended before. */
  stop(): Promise<boolean> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return Promise.resolve(true);
    return new Promise((resolve) => {
      child.once('exit', (status) => resolve(status === 0));
      child.kill('SIGTERM');
    });
  }

  /** SIGKILL to all its processes as if at one moment: nobody is left to act on the end of another. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.freeze();
    const pids = this.#frozen;
    this.#frozen = [];
    signalAll(pids, 'SIGKILL');
    await ended;
    await Promise.all(pids.map((pid) => untilGone(pid)));
  }

  /** SIGKILL to its engines alone: the supervisor starts others. */
  killEngines(): void {
    const pid = this.#child?.pid;
    if (pid !== undefined && this.isRunning)
      signalAll(
        childrenOf(pid).filter((other) => nameOf(other).includes('engine')),
        'SIGKILL',
      );
  }

  freeze(): void {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.isRunning) return;
    // The supervisor first: it starts no others then.
    signalAll([pid], 'SIGSTOP');
    const others = childrenOf(pid);
    signalAll(others, 'SIGSTOP');
    this.#frozen = [pid, ...others];
  }

  thaw(): void {
    const pids = this.#frozen;
    this.#frozen = [];
    signalAll(pids.toReversed(), 'SIGCONT');
  }
}

/** Runs a command of the program to its end; what it prints on failure is the fault. */
export function runToEnd(command: readonly string[], args: readonly string[]): Promise<Result<void, string>> {
  const [program, ...first] = command;
  const child = spawn(program!, [...first, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(fail(error.message)));
    child.once('close', (status) => resolve(status === 0 ? ok(undefined) : fail(text.trim())));
  });
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const thread of read(() => readdirSync(`/proc/${pid}/task`)) ?? [])
    found.push(...numbersIn(read(() => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')) ?? ''));
  return found;
}

function nameOf(pid: number): string {
  return read(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')) ?? '';
}

function numbersIn(text: string): number[] {
  return text.split(' ').filter(Boolean).map(Number);
}

/** Undefined: the process is gone. */
function read<T>(from: () => T): T | undefined {
  try {
    return from();
  } catch {
    return undefined;
  }
}

const GONE_LOOK_MS = 5;

/** A killed process holds its files and ports until the kernel has taken it apart. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    const state = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))?.replace(/^.*\) /s, '')[0];
    if (state === undefined || state === 'Z' || state === 'X') return;
    // oxlint-disable-next-line no-await-in-loop -- until it is gone
    await new Promise((resolve) => setTimeout(resolve, GONE_LOOK_MS));
  }
}
