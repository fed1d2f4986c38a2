/** A demo cluster for tests: its nodes as processes on loopback addresses, each of which can be killed and started again. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
const LOOK_MS = 100;
/** What a node says of itself is up to a second old, and on a busy machine nodes lose each other for a moment. */
const STEADY_MS = 1500;

interface NodeLine {
  readonly name: string;
  readonly portals: readonly string[];
  readonly target: string | undefined;
  readonly management: string;
  readonly pids: readonly number[];
}

export interface ClusterNode {
  readonly name: string;
  /** For QEMU's initiator. */
  readonly url: string;
  readonly image: string;
  readonly stateDirectory: string;
  /** Lines of its log since it was started again. */
  readonly log: readonly string[];
  kill(): void;
  /** In order. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface MirrorStatus {
  readonly role: string;
  readonly isServing: boolean;
  readonly members: readonly number[];
}

export interface CacheStatus {
  readonly mode: string;
  readonly memory: number;
  readonly dirty: number;
  readonly hits: number;
  readonly destaged: number;
}

interface DeviceStatus {
  readonly cache?: CacheStatus;
  readonly mirror: MirrorStatus;
}

export interface Cluster extends AsyncDisposable {
  /** With a copy. */
  readonly nodes: readonly ClusterNode[];
  /** Of its only device, as the node says; undefined when it does not answer. */
  status(node: ClusterNode): Promise<MirrorStatus | undefined>;
  /** Likewise, of the cache of the node's copy. */
  cache(node: ClusterNode): Promise<CacheStatus | undefined>;
  /** Answers when all that `names` say they serve with so many members; fails when that takes too long. */
  together(nodes: readonly ClusterNode[], members: number): Promise<void>;
}

/** `first`: address of the first node, unlike that of other tests. */
export async function startCluster(first: string, words: readonly string[]): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-cluster-'));
  const args = ['demo', '--dir', directory, '--address', first, '--json', ...words];
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const line = await firstLine(child);
  const { nodes: lines } = JSON.parse(line) as { nodes: readonly NodeLine[] };
  const restarted: ChildProcess[] = [];
  const nodes = lines
    .filter(({ target }) => target !== undefined)
    .map((node) => nodeOf(directory, node, restarted));
  const device = async (node: ClusterNode): Promise<DeviceStatus | undefined> => {
    try {
      const { stdout } = await run(PROGRAM, ['status', '--state', node.stateDirectory, '--json']);
      const { engines } = JSON.parse(stdout) as {
        engines: readonly { devices: readonly DeviceStatus[] }[];
      };
      return engines[0]?.devices[0];
    } catch {
      return undefined;
    }
  };
  const status = async (node: ClusterNode): Promise<MirrorStatus | undefined> => (await device(node))?.mirror;
  return {
    nodes,
    status,
    cache: async (node) => (await device(node))?.cache,
    async together(wanted, members) {
      const until = performance.now() + READY_MS_MAX;
      let since = Infinity;
      for (;;) {
        const found = await Promise.all(wanted.map((node) => status(node)));
        const now = performance.now();
        const isSo = found.every((one) => one?.isServing === true && one.members.length === members);
        since = isSo ? Math.min(since, now) : Infinity;
        if (now - since > STEADY_MS) return;
        if (now > until) throw new Error(`the nodes do not come together: ${JSON.stringify(found)}`);
        await new Promise((again) => setTimeout(again, LOOK_MS));
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([child, ...restarted].map((one) => ended(one)));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function nodeOf(directory: string, line: NodeLine, restarted: ChildProcess[]): ClusterNode {
  let pids = line.pids;
  let log: string[] = [];
  const { name, portals, target } = line;
  return {
    name,
    url: `iscsi://${portals[0]!.replace(':3260', '')}/${target}/0`,
    image: join(directory, name, 'disk1.img'),
    stateDirectory: join(directory, name, 'state'),
    get log() {
      return log;
    },
    kill: () => {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
    },
    async stop() {
      const [supervisor = 0] = pids;
      process.kill(supervisor, 'SIGTERM');
      const until = performance.now() + STOP_MS_MAX;
      while (isAlive(supervisor) && performance.now() < until)
        await new Promise((again) => setTimeout(again, LOOK_MS));
    },
    async start() {
      const config = join(directory, name, 'node.toml');
      const child = spawn(PROGRAM, ['serve', '--config', config, '--json'], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      restarted.push(child);
      const lines: string[] = [];
      log = lines;
      createInterface({ input: child.stderr }).on('line', (text) => lines.push(text));
      ({ pids } = JSON.parse(await firstLine(child)) as NodeLine);
    },
  };
}

/** Fails with what the program complained of when it ends before. */
async function firstLine(child: ChildProcess): Promise<string> {
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-10_000);
  });
  const timer = setTimeout(() => child.kill('SIGTERM'), READY_MS_MAX);
  const line = await new Promise<string | undefined>((found) => {
    createInterface({ input: child.stdout! }).once('line', found);
    child.once('exit', () => found(undefined));
  });
  clearTimeout(timer);
  child.stdout?.resume();
  if (line === undefined) throw new Error(`it did not start\n${complaints}`);
  return line;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await new Promise<void>((done) => {
    child.once('exit', () => done());
    child.kill('SIGTERM');
  });
  clearTimeout(force);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
