/** Starts the program as an administrator does, and stops it by its process id. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** What `--json` prints when logins are accepted. */
export interface Ready {
  readonly portals: readonly string[];
  readonly targets: readonly string[];
  readonly pids: readonly number[];
}

export interface Served extends AsyncDisposable {
  readonly ready: Ready;
  /** SIGTERM; answers with the exit status, or the signal's name when it had to be killed. */
  stop(): Promise<number | string>;
}

const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 20_000;

/**
 * `within` puts the command somewhere else, such as into a network namespace. A node that is not ready after
 * `readyLimit` milliseconds is killed.
 */
export async function lockstep(
  words: readonly string[],
  within: (...words: readonly string[]) => [string, ...string[]] = (first = '', ...rest) => [first, ...rest],
  readyLimit = READY_LIMIT_MS,
): Promise<Served> {
  const [command, ...rest] = within(PROGRAM, ...words, '--json');
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-10_000);
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<number | string> => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(force);
    return child.exitCode ?? child.signalCode ?? 'unknown';
  };
  const timer = setTimeout(() => child.kill('SIGKILL'), readyLimit);
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = parseReady(line);
    if (ready === undefined) continue;
    clearTimeout(timer);
    child.stdout.resume();
    return { ready, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
  }
  clearTimeout(timer);
  await exited;
  throw new Error(
    `lockstep ${words.join(' ')}: ended with ${child.exitCode ?? child.signalCode}\n${complaints}`,
  );
}

function parseReady(line: string): Ready | undefined {
  if (!line.startsWith('{')) return undefined;
  const parsed = JSON.parse(line) as Ready & { ready?: boolean };
  return parsed.ready === true ? parsed : undefined;
}
