/**
 * `npm run bench -- core`: decisions of the mirror's core alone. MirrorNodes of one process over RAM, mirrored 4K writes
 * through one of them, each decided on every node: writes per second of one core, by its own time, and the heap;
 * then what the messages of such a write cost as bytes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMirrorCluster, type MirrorCluster } from './cluster.ts';
import { benchCodec } from './codec.ts';

const REPLICAS = [1, 2, 3, 4];
const SLICES = 10;
const ROUND = 2000;
const QUIET_MS = 450;
/** Every page of the device is touched, and the compiler has seen everything. */
const WARM_ROUNDS = 30;

interface Figures {
  readonly replicas: number;
  readonly writesPerSecond: number;
  readonly nanosecondsPerReplica: number;
  readonly writes: number;
  /** After collection, mean of the slices of each half. */
  readonly heapMiB: readonly [first: number, second: number];
}

export async function benchCore(seconds: number, say: (text: string) => void): Promise<string> {
  const rows: Figures[] = [];
  for (const replicas of REPLICAS) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they share a core
    rows.push(await measureReplicas(replicas, seconds));
    say(`${replicas} replicas: ${rows.at(-1)!.writesPerSecond} writes/s`);
  }
  return `${table(rows)}\n${benchCodec()}`;
}

async function measureReplicas(replicas: number, seconds: number): Promise<Figures> {
  const collect = collector();
  const cluster = await createMirrorCluster(replicas);
  try {
    await cluster.ready();
    await rounds(cluster, () => WARM_ROUNDS);
    const heaps: number[] = [];
    let [writes, busyUs] = [0, 0];
    for (let slice = 0; slice < SLICES; slice++) {
      const begun = process.cpuUsage();
      const until = performance.now() + (1000 * seconds) / SLICES;
      // oxlint-disable-next-line no-await-in-loop -- one slice after the other
      writes += await rounds(cluster, (done) => (performance.now() < until ? done + 1 : done));
      const { user, system } = process.cpuUsage(begun);
      busyUs += user + system;
      // Two heartbeats later nothing is under way, and what need not be remembered is forgotten.
      // oxlint-disable-next-line no-await-in-loop -- one slice after the other
      await sleep(QUIET_MS);
      collect();
      heaps.push(process.memoryUsage().heapUsed / 2 ** 20);
    }
    const perSecond = writes / (busyUs / 1e6);
    return {
      replicas,
      writesPerSecond: Math.round(perSecond),
      nanosecondsPerReplica: Math.round(1e9 / perSecond / replicas),
      writes,
      heapMiB: [mean(heaps.slice(0, SLICES / 2)), mean(heaps.slice(SLICES / 2))],
    };
  } finally {
    cluster.stop();
  }
}

/** As many rounds as `wanted` says each time; answers with the number of writes. */
async function rounds(cluster: MirrorCluster, wanted: (done: number) => number): Promise<number> {
  let done = 0;
  for (; done < wanted(done); done++) {
    // oxlint-disable-next-line no-await-in-loop -- one round after the other
    await cluster.write(ROUND);
  }
  return done * ROUND;
}

function table(rows: readonly Figures[]): string {
  const alone = rows[0]!.writesPerSecond;
  const lines = rows.map(({ replicas, writesPerSecond, nanosecondsPerReplica, writes, heapMiB }) => {
    const [first, second] = heapMiB.map((heap) => heap.toFixed(2));
    const ratio = (writesPerSecond / alone).toFixed(2);
    return `| ${replicas} | ${writesPerSecond} | ${ratio} | ${nanosecondsPerReplica} | ${first} → ${second} | ${writes} |`;
  });
  return [
    '| Replicas | Mirrored writes/s of one core | × one replica | ns per write and replica | heap after collection, first → second half (MiB) | writes |',
    '|--:|--:|--:|--:|--:|--:|',
    ...lines,
    '',
  ].join('\n');
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `npm run` gives Node.js no flags. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
