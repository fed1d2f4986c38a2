/**
 * The targets that are compared. Each listens on a loopback port of its own, serves one disk, and is stopped by its
 * process id. RAM is RAM for Lockstep and the floor and a file on tmpfs for tgt, which has no better; the flat file
 * lies in the bench's directory for both. tgt acknowledges writes from the page cache, so Lockstep's write-back is
 * its equal and write-through promises more.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { lockstep } from '../test/e2e/lockstep.ts';
import { build } from './build.ts';

export type Medium = 'RAM' | 'file' | 'file, write-through';

export interface Contestant {
  readonly name: 'lockstep' | 'mirror' | 'tgt' | 'floor';
  readonly medium: Medium;
  readonly url: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export interface Place {
  /** Bytes of each disk. */
  readonly size: number;
  /** Where flat files are made. */
  readonly directory: string;
}

const TMPFS = '/dev/shm';
/** Control numbers of tgtd are 15 bits; free ports all have the same 16th. */
const CONTROL_MASK = 0x7fff;
const TGTD_START_LIMIT_MS = 5_000;
const STOP_LIMIT_MS = 5_000;
const run = promisify(execFile);

export async function startFloor({ size }: Place): Promise<Contestant> {
  const child = spawn(build('floor', []), ['--size', String(size)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const [, port, target] = line.split(' ');
  return {
    name: 'floor',
    medium: 'RAM',
    url: `iscsi://127.0.0.1:${port}/${target}/0`,
    pids: [child.pid!],
    stop: () => end(child, 'SIGTERM'),
  };
}

export async function startLockstep(medium: Medium, { size, directory }: Place): Promise<Contestant> {
  const file = join(directory, `lockstep-${medium === 'file' ? 'back' : 'through'}.img`);
  const cache = ['--write-cache', medium === 'file, write-through' ? 'through' : 'back'];
  const disk = medium === 'RAM' ? ['--ram', String(size)] : [file, '--size', String(size), ...cache];
  const served = await lockstep(['export', ...disk, '--portal', '127.0.0.1:0']);
  const { portals, targets, pids } = served.ready;
  return {
    name: 'lockstep',
    medium,
    url: `iscsi://${portals[0]}/${targets[0]}/0`,
    pids,
    stop: async () => {
      await served.stop();
      await rm(file, { force: true });
    },
  };
}

export async function startTgt(medium: 'RAM' | 'file', { size, directory }: Place): Promise<Contestant> {
  const port = await freePort();
  const file = join(medium === 'RAM' ? TMPFS : directory, `bench-tgt-${port}.img`);
  await writeFile(file, '');
  await truncate(file, size);
  const portal = `portal=127.0.0.1:${port}`;
  const control = String(port & CONTROL_MASK);
  const child = spawn('tgtd', ['-f', '-C', control, '--iscsi', portal], { stdio: 'ignore' });
  const admin = (...words: readonly string[]) => run('tgtadm', ['-C', control, '--lld', 'iscsi', ...words]);
  const target = 'iqn.2026-01.example.tgt:disk';
  const stop = async () => {
    await end(child, 'SIGKILL'); // it ignores SIGTERM while it has targets, and has nothing to save
    await rm(file, { force: true });
  };
  try {
    await retry(() => admin('--op', 'new', '--mode', 'target', '--tid', '1', '-T', target));
    await admin('--op', 'new', '--mode', 'logicalunit', '--tid', '1', '--lun', '1', '-b', file);
    await admin('--op', 'bind', '--mode', 'target', '--tid', '1', '-I', 'ALL');
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'tgt', medium, url: `iscsi://127.0.0.1:${port}/${target}/1`, pids: [child.pid!], stop };
}

/** Also makes tgtd's control number, so that it meets no other tgtd. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function retry(action: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + TGTD_START_LIMIT_MS;
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
  await exited;
  clearTimeout(force);
}
