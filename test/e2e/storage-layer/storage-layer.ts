/**
 * A disk that fails and loses power on command: a folder, served through a process of ours (`layer.c`). What is written
 * through it and not flushed is gone when it is powered off, but for parts that reached the folder before.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const command = promisify(execFile);
const SOURCES = ['layer.c', 'pending.c', 'faults.c'].map((name) => join(import.meta.dirname, name));
const READY_MS_MAX = 10_000;

export type DiskOperation = 'read' | 'write' | 'flush';
/** `full`: what has no place on the disk yet gets none. `hang`: no answer until it is cleared. `slow:MS`. */
export type DiskEffect = 'eio' | 'full' | 'hang' | `slow:${number}`;

export interface DiskFault {
  /** Shell pattern of files, from the mount point on: `/*.img`. A star stands for slashes, too. */
  readonly files: string;
  readonly operation: DiskOperation;
  readonly effect: DiskEffect;
}

/** Undefined: what is needed is there. */
export function layerLacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'a file system of its own needs root';
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  return existsSync('/usr/include/fuse3/fuse.h') ? undefined : 'package libfuse3-dev is missing';
}

/** The program, compiled into `directory`. */
export async function compileLayer(directory: string): Promise<string> {
  const program = join(directory, 'layer');
  const words = ['-O2', '-Wall', '-Wextra', '-Werror', '-I/usr/include/fuse3', '-o', program];
  await command('gcc', [...words, ...SOURCES, '-lfuse3', '-lpthread']);
  return program;
}

export interface LayerOptions {
  readonly program: string;
  /** Where its content really is. */
  readonly folder: string;
  readonly mountPoint: string;
  readonly seed: number;
  /** False: it has no power to lose, everything is written at once. */
  readonly isVolatile: boolean;
}

export class StorageLayer implements AsyncDisposable {
  readonly #options: LayerOptions;
  #child: ChildProcess | undefined;
  #answers: AsyncIterableIterator<string> | undefined;
  #starts = 0;

  constructor(options: LayerOptions) {
    this.#options = options;
  }

  /** Also after a loss of power: with what is in the folder, and other chances. */
  async start(): Promise<void> {
    const { program, folder, mountPoint, seed, isVolatile } = this.#options;
    mkdirSync(folder, { recursive: true });
    mkdirSync(mountPoint, { recursive: true });
    const chances = String(seed * 1009 + this.#starts++);
    const words = [folder, mountPoint, chances, isVolatile ? 'volatile' : 'durable'];
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), READY_MS_MAX);
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = await this.#answers.next();
    clearTimeout(timer);
    if (line.value !== 'ready') throw new Error(`the storage layer at ${mountPoint} did not start`);
  }

  async set({ files, operation, effect }: DiskFault): Promise<void> {
    await this.#ask(`set ${files} ${operation} ${effect}`);
  }

  /** Ends all faults; what hangs is done. Answers how many operations they have hit so far. */
  async clear(): Promise<number> {
    return this.#ask('clear');
  }

  hits(): Promise<number> {
    return this.#ask('hits');
  }

  /** At once; whoever uses it gets errors, and is expected to be dead already. */
  async powerOff(): Promise<void> {
    await this.#end('SIGKILL');
    await command('umount', ['--lazy', this.#options.mountPoint]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.powerOff();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async #ask(line: string): Promise<number> {
    this.#child!.stdin!.write(`${line}\n`);
    const { value } = (await this.#answers!.next()) as { value: string | undefined };
    const [word, hits] = value?.split(' ') ?? [];
    if (word !== 'ok') throw new Error(`the storage layer does not obey '${line}'`);
    return Number(hits);
  }
}
