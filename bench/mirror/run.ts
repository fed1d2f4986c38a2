/**
 * `npm run bench -- mirror`: a mirror of two nodes on loopback, used through one of them, beside one node of ours,
 * tgt without a mirror, and the floor, in interleaved rounds. All images lie in one directory; the floor has memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lockstep } from '../../test/e2e/lockstep.ts';
import {
  type Contestant,
  freePort,
  type Place,
  startFloor,
  startLockstep,
  startTgt,
} from '../contestants.ts';
import { fill, measure, type Measurement, median, type Workload } from '../measure.ts';
import { machine } from '../table.ts';
import { mirrorTable, type Row } from './table.ts';

export interface MirrorOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** Bytes of each disk; a mirror keeps them twice. */
  readonly size: number;
  /** Where every image is made. */
  readonly directory: string;
  readonly works: readonly Workload[];
}

/** Of the workloads of one node, those that are measured here. */
export const MIRROR_TITLES: readonly string[] = [
  '4K random write, depth 1',
  '4K random write, depth 32',
  '1M sequential write, depth 8',
  '4K random read, depth 1',
  '4K random read, depth 32',
];

/** The mirror first: the others are what its ratios are to. */
const STARTS: readonly [title: string, start: (place: Place) => Promise<Contestant>][] = [
  ['Lockstep, 2 nodes', startMirror],
  ['Lockstep, 1 node', (place) => startLockstep('file, write-through', place)],
  ['tgt', (place) => startTgt('file', place)],
  ['floor', startFloor],
];

/** Nodes of the bench's mirror, on networks that a demo on this machine does not use. */
const FIRST_ADDRESS = '127.71.0.1';
/** The demo gives up by itself before, and then stops its nodes in order. */
const READY_MS_MAX = 180_000;

export async function benchMirror(options: MirrorOptions, say: (text: string) => void): Promise<string> {
  const directory = await mkdtemp(join(options.directory, 'lockstep-bench-'));
  const running: Contestant[] = [];
  const rows: Row[] = [];
  try {
    for (const [title, start] of STARTS) {
      say(`${title}: filling`);
      running.push(await start({ size: options.size, directory }));
      await fill(running.at(-1)!);
    }
    for (const work of options.works)
      rows.push({ work, medians: await interleave(work, running, options, say) });
  } finally {
    for (const contestant of running) await contestant.stop();
    await rm(directory, { recursive: true, force: true });
  }
  const how = `${options.rounds} interleaved rounds of ${options.seconds} s, medians; one session of libiscsi; every image in ${options.directory}, ${options.size / 2 ** 20} MiB.`;
  return mirrorTable(
    STARTS.map(([title]) => title),
    rows,
    machine(),
    how,
  );
}

async function interleave(
  work: Workload,
  running: readonly Contestant[],
  { rounds, seconds }: MirrorOptions,
  say: (text: string) => void,
): Promise<Measurement[]> {
  const measured = running.map((): Measurement[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [at, contestant] of running.entries()) {
      const one = await measure(contestant, work, seconds);
      measured[at]!.push(one);
      say(`${work.title} · round ${round + 1} · ${STARTS[at]![0]}: ${Math.round(one.iops)} IOPS`);
    }
  return measured.map(median);
}

/** What `lockstep demo --json` says of a node. */
interface DemoNode {
  readonly portals: readonly string[];
  readonly target: string;
  readonly pids: readonly number[];
}

/** Both nodes' processes count for its CPU time. */
async function startMirror({ size, directory }: Place): Promise<Contestant> {
  const where = ['--dir', join(directory, 'mirror'), '--address', FIRST_ADDRESS];
  const ports = ['--portal-port', String(await freePort()), '--partner-port', String(await freePort())];
  const words = ['demo', '--nodes', '2', '--size', String(size), ...where, ...ports];
  const served = await lockstep(words, undefined, READY_MS_MAX);
  const { nodes } = served.ready as typeof served.ready & { readonly nodes: readonly [DemoNode, DemoNode] };
  return {
    name: 'mirror',
    medium: 'file, write-through',
    url: `iscsi://${nodes[0].portals[0]}/${nodes[0].target}/0`,
    pids: nodes.flatMap(({ pids }) => pids),
    stop: async () => void (await served.stop()),
  };
}
