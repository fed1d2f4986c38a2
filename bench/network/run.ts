/**
 * `npm run bench -- network`: mirrored writes from one node to another, each sent and answered, through everything that
 * carries them: channel, codec, certificates, sockets. Over loopback, and as root also between two network namespaces
 * that a veth pair joins; with TLS, and for comparison without.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { nodeNameIn } from '../../src/base/node-name.ts';
import type { NodeCredentials } from '../../src/runtime/partner-tls.ts';
import { PARTNER_PORT } from '../../src/runtime/partner-network.ts';
import type { Figures, Order } from './node.ts';

interface Way {
  readonly name: string;
  readonly address: string;
  /** What a process of either node is started with. */
  readonly prefix: readonly [low: readonly string[], high: readonly string[]];
}

const ROUNDS = 3;
const PORT = PARTNER_PORT + 10_000;
const PROGRAM = new URL('./node.ts', import.meta.url).pathname;
const LOOPBACK: Way = { name: 'loopback', address: '127.0.0.1', prefix: [[], []] };
const SPACES = ['lockstep-bench-a', 'lockstep-bench-b'] as const;
const ADDRESSES = ['198.18.0.1', '198.18.0.2'] as const;

export async function benchNetwork(seconds: number, say: (text: string) => void): Promise<string> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-bench-'));
  const ways = process.getuid?.() === 0 ? [LOOPBACK, makeSpaces()] : [LOOPBACK];
  try {
    const credentials = makeCredentials(directory);
    const rows = new Map<string, Figures[][]>();
    for (let round = 0; round < ROUNDS; round++)
      for (const way of ways)
        for (const isPlain of [false, true]) {
          const key = `${way.name} | ${isPlain ? 'none' : 'TLS 1.3'}`;
          // oxlint-disable-next-line no-await-in-loop -- they take turns
          const figures = await measure(way, isPlain, credentials, seconds);
          rows.set(key, [...(rows.get(key) ?? []), figures]);
          say(`${key}: ${figures.map(({ perSecond }) => perSecond).join(', ')} a second`);
        }
    return table(rows);
  } finally {
    rmSync(directory, { recursive: true });
    if (ways.length > 1) removeSpaces();
  }
}

async function measure(
  { address, prefix }: Way,
  isPlain: boolean,
  credentials: readonly [NodeCredentials, NodeCredentials],
  seconds: number,
): Promise<Figures[]> {
  const names = [nodeNameIn('bench', 'a'), nodeNameIn('bench', 'b')] as const;
  const orderOf = (node: 0 | 1): Order => ({
    isPlain,
    address,
    port: PORT,
    names,
    credentials: credentials[node],
    seconds,
  });
  const listener = start(prefix[1], 'listener', orderOf(1));
  await lineOf(listener);
  const load = start(prefix[0], 'load', orderOf(0));
  const line = await lineOf(load);
  listener.kill('SIGTERM');
  await once(listener, 'exit');
  return JSON.parse(line) as Figures[];
}

function start(prefix: readonly string[], role: string, order: Order): ChildProcess {
  const words = [...prefix, process.execPath, PROGRAM, role];
  const child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(order));
  return child;
}

async function lineOf({ stdout }: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: stdout! })) return line;
  throw new Error('a process ended without a word');
}

function makeCredentials(directory: string): [NodeCredentials, NodeCredentials] {
  const cli = path.resolve(import.meta.dirname, '../../bin/lockstep');
  const authority = path.join(directory, 'ca');
  execFileSync(cli, ['cluster', 'init', authority, '--name', 'bench']);
  const make = (node: string): NodeCredentials => {
    execFileSync(cli, ['cluster', 'certificate', authority, '--node', node]);
    const read = (file: string): string => readFileSync(path.join(authority, node, file), 'utf8');
    return { certificate: read('node.crt'), key: read('node.key'), authority: read('ca.crt') };
  };
  return [make('a'), make('b')];
}

/** Addresses for benchmarks (RFC 2544). */
function makeSpaces(): Way {
  const ip = (...args: string[]): unknown => execFileSync('ip', args);
  removeSpaces();
  for (const space of SPACES) ip('netns', 'add', space);
  ip('link', 'add', 'lsb-a', 'netns', SPACES[0], 'type', 'veth', 'peer', 'name', 'lsb-b', 'netns', SPACES[1]);
  for (const [at, device] of ['lsb-a', 'lsb-b'].entries()) {
    ip('-n', SPACES[at]!, 'address', 'add', `${ADDRESSES[at]}/30`, 'dev', device);
    ip('-n', SPACES[at]!, 'link', 'set', device, 'up');
  }
  const inSpace = (space: string): string[] => ['ip', 'netns', 'exec', space];
  return { name: 'veth', address: ADDRESSES[1], prefix: [inSpace(SPACES[0]), inSpace(SPACES[1])] };
}

function removeSpaces(): void {
  for (const space of SPACES)
    try {
      execFileSync('ip', ['netns', 'delete', space], { stdio: 'ignore' });
    } catch {
      continue; // it is not there
    }
}

function table(rows: ReadonlyMap<string, readonly Figures[][]>): string {
  const lines = [...rows].flatMap(([key, rounds]) =>
    rounds[0]!.map(({ bytes, depth }, at) => {
      const median = (of: (figures: Figures) => number): number =>
        rounds.map((round) => of(round[at]!)).toSorted((a, b) => a - b)[Math.floor(rounds.length / 2)]!;
      const perSecond = median((one) => one.perSecond);
      const rate = Math.round((perSecond * bytes) / 1e6);
      const latency = `${median((one) => one.p50Us)} / ${median((one) => one.p99Us)}`;
      const size = bytes >= 1 << 20 ? '1 MiB' : '4 KiB';
      return `| ${key} | ${size}, depth ${depth} | ${perSecond} | ${rate} | ${latency} | ${median((one) => one.cpuUs)} |`;
    }),
  );
  return [
    '| Network | Protection | Writes | per second | MB/s | round trip µs p50 / p99 | CPU µs per write, sender |',
    '|---|---|---|--:|--:|--:|--:|',
    ...lines,
    '',
  ].join('\n');
}
