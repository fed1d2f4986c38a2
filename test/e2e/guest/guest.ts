/**
 * A real Linux kernel with open-iscsi in a process of its own: boots in a few seconds, needs no virtualization, lives
 * in a network namespace. Scripts run in it one at a time, as through ssh.
 *
 *   await using network = await createNetwork(1);
 *   await using guest = await bootGuest(network, { number: 1 });
 *   const { status, output } = await guest.run('uname -r');
 *
 * What a script leaves running in the background must not hold its output, or the script does not end.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { guestImage } from './image.ts';
import type { Kernel } from './kernel.ts';
import type { GuestNetwork } from './network.ts';
import { USER_MODE } from './uml.ts';

export interface Guest extends AsyncDisposable {
  /** Runs a bash script. Standard output and error come back together. A script over its time ends the guest. */
  run(script: string, limitMs?: number): Promise<{ readonly status: number; readonly output: string }>;
  /** Like `run`, but any status other than 0 is an error with the output in it. */
  must(script: string, limitMs?: number): Promise<string>;
}

type Machine = ChildProcessByStdio<Writable, Readable, null>;

const BOOT_LIMIT_MS = 120_000;
const SCRIPT_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 3_000;
/** Ends a script's output; its status and a newline follow. */
const END = '\x1e';

/** What this machine lacks to run guests; undefined when it has everything. */
export function guestLacks(kernel = USER_MODE): string | undefined {
  if (process.getuid?.() !== 0) return 'guests need root: network namespaces, tap devices, mmdebstrap';
  if (!existsSync('/dev/net/tun')) return 'guests need /dev/net/tun';
  return kernel.lacks();
}

interface GuestOptions {
  /** Within its network, from 1. */
  readonly number: number;
  readonly kernel?: Kernel;
}

export async function bootGuest(network: GuestNetwork, options: GuestOptions): Promise<Guest> {
  const { number, kernel = USER_MODE } = options;
  const image = await guestImage();
  const ports = await network.attach(number);
  const folder = await mkdtemp(join(tmpdir(), `${network.namespace}-guest-`));
  const addresses = ports.map(({ address }) => address).join(' ');
  const { words, settings } = await kernel.commandLine({ folder, image, ports });
  await writeFile(join(folder, 'settings'), `NAME=guest${number} ADDRESSES="${addresses}" ${settings}\n`);
  await copyFile(join(import.meta.dirname, 'init.sh'), join(folder, 'init.sh'));
  const machine = await start(network.inside(...words), folder);
  const replies = repliesOf(machine);
  const lost = async (what: string): Promise<Error> => {
    await stop(machine, folder);
    const kernel = await readFile(join(folder, 'console'), 'utf8');
    return new Error(`guest: ${what}; ${replies.pending()}\nkernel: ${kernel.slice(-2000)}`);
  };
  if ((await replies.next('ready\n', BOOT_LIMIT_MS)) === undefined) throw await lost('did not boot');
  let scripts = 0;
  const run: Guest['run'] = async (script, limitMs = SCRIPT_LIMIT_MS) => {
    if (machine.exitCode !== null || machine.signalCode !== null) throw new Error('guest: has ended before');
    const name = String(++scripts);
    await writeFile(join(folder, `${name}.sh`), script);
    machine.stdin.write(`${name}\n`);
    const deadline = performance.now() + limitMs;
    const output = await replies.next(END, limitMs);
    const status =
      output === undefined ? undefined : await replies.next('\n', deadline - performance.now() + 1000);
    if (output === undefined || status === undefined)
      throw await lost(`no end after ${limitMs} ms of: ${script}`);
    return { status: Number(status), output };
  };
  return {
    run,
    async must(script, limitMs) {
      const { status, output } = await run(script, limitMs);
      if (status !== 0) throw new Error(`guest: status ${status} of: ${script}\n${output}`);
      return output;
    },
    async [Symbol.asyncDispose]() {
      await stop(machine, folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function start([command, ...rest]: [string, ...string[]], folder: string): Promise<Machine> {
  const log = await open(join(folder, 'console'), 'a');
  const stdio = ['pipe', 'pipe', log.fd, log.fd] as const; // the types know only the first three
  const machine = spawn(command, rest, { stdio: [...stdio], detached: true }) as ChildProcess as Machine;
  await once(machine, 'spawn');
  await log.close();
  machine.stdin.on('error', () => {}); // a guest that is gone is noticed by its missing replies
  return machine;
}

interface Replies {
  /** Text up to `mark`, which is taken away too; undefined when it does not come in time or at all. */
  next(mark: string, limitMs: number): Promise<string | undefined>;
  /** What has come and was not asked for yet. */
  pending(): string;
}

function repliesOf(machine: Machine): Replies {
  let text = '';
  let ended = false;
  let wake = (): void => {};
  machine.stdout.setEncoding('utf8');
  machine.stdout.on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  machine.on('exit', () => {
    ended = true;
    wake();
  });
  return {
    pending: () => text,
    async next(mark, limitMs) {
      const deadline = performance.now() + limitMs;
      for (;;) {
        const at = text.indexOf(mark);
        if (at !== -1) {
          const reply = text.slice(0, at);
          text = text.slice(at + mark.length);
          return reply;
        }
        const left = deadline - performance.now();
        if (ended || left <= 0) return undefined;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}

/** Hangs up, which ends the guest; then by force, with the helpers that a killed kernel leaves behind. */
async function stop(machine: Machine, folder: string): Promise<void> {
  if (machine.exitCode === null && machine.signalCode === null) {
    machine.stdin.end();
    const limit = AbortSignal.timeout(STOP_LIMIT_MS);
    await once(machine, 'exit', { signal: limit }).catch(() => {});
  }
  for (const pid of await processesOf(machine, folder)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // gone by itself
    }
  }
}

/** Processes of this guest: they all carry its folder in their command line. */
async function processesOf(machine: Machine, folder: string): Promise<number[]> {
  const mine: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (words.includes(folder)) mine.push(Number(name));
  }
  return machine.exitCode === null && machine.pid !== undefined ? [machine.pid, ...mine] : mine;
}
