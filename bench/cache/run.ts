/**
 * `npm run bench -- cache`: the cache alone, over a device that answers at once and keeps nothing: operations per second
 * of one core by its own time, what each leaves for the collector, and whether the heap grows.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createPrng } from '../../src/base/prng.ts';
import { type Cache, createCache } from '../../src/cache/cache.ts';
import type { GrowableDevice } from '../../src/ports/block-device.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { NullDevice } from './null-device.ts';

const BLOCK = 4096;
const MIB = 2 ** 20;
const MEMORY = 128 * MIB;
const HOT_BLOCKS = (96 * MIB) / BLOCK;
const DEVICE_BLOCKS = (1024 * MIB) / BLOCK;
const SLICES = 10;
const ROUND = 1000;

interface Case {
  readonly title: string;
  readonly mode?: 'through';
  readonly prepare: (bench: Bench) => Promise<void>;
  readonly operate: (bench: Bench) => void;
}

interface Bench {
  readonly cache: Cache;
  readonly random: () => number;
  next: number;
}

const DATA = [new Uint8Array(BLOCK).fill(7)];
const LONG = [new Uint8Array(64 * BLOCK).fill(7)];

const CASES: readonly Case[] = [
  {
    title: '4K random read, hit',
    prepare: async ({ cache }) => await readThrough(cache, HOT_BLOCKS, 1),
    operate: ({ cache, random }) => read(cache, Math.floor(random() * HOT_BLOCKS), 1),
  },
  {
    title: '64K random read, hit',
    prepare: async ({ cache }) => await readThrough(cache, HOT_BLOCKS, 16),
    operate: ({ cache, random }) => read(cache, Math.floor((random() * HOT_BLOCKS) / 16) * 16, 16),
  },
  {
    title: '4K random read, miss and eviction',
    prepare: async ({ cache }) => await readThrough(cache, HOT_BLOCKS, 1),
    operate: ({ cache, random }) => read(cache, Math.floor(random() * DEVICE_BLOCKS), 1),
  },
  {
    title: '4K rewrite of what is dirty',
    prepare: async () => await Promise.resolve(),
    operate: ({ cache, random }) => write(cache, Math.floor(random() * 4096), DATA),
  },
  {
    title: '4K random write-back, with its writing out',
    prepare: async () => await Promise.resolve(),
    operate: ({ cache, random }) => write(cache, Math.floor(random() * DEVICE_BLOCKS), DATA),
  },
  {
    title: '4K random write-through',
    mode: 'through',
    prepare: async () => await Promise.resolve(),
    operate: ({ cache, random }) => write(cache, Math.floor(random() * DEVICE_BLOCKS), DATA),
  },
  {
    title: '256K sequential write-back, with its writing out',
    prepare: async () => await Promise.resolve(),
    operate: (bench) => {
      write(bench.cache, bench.next, LONG);
      bench.next = (bench.next + 64) % DEVICE_BLOCKS;
    },
  },
];

export async function benchCache(seconds: number, say: (text: string) => void): Promise<string> {
  const rows: string[] = [];
  for (const one of CASES) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they share a core
    rows.push(await measure(one, seconds));
    say(rows.at(-1)!);
  }
  const empty = createCache({ below: store(), clock: systemClock, mode: 'through', memory: MEMORY });
  const { memory } = empty.statistics;
  const frames = Math.floor(MEMORY / (BLOCK + 38) / 64) * 64;
  return [
    '| Operation | per second of one core | µs each | bytes for the collector each | heap after collection, first → second half (MiB) |',
    '|---|--:|--:|--:|--:|',
    ...rows,
    '',
    `Of ${MEMORY / MIB} MiB, ${((100 * (memory - frames * BLOCK)) / memory).toFixed(2)} % is bookkeeping.`,
    '',
  ].join('\n');
}

async function measure({ title, mode, prepare, operate }: Case, seconds: number): Promise<string> {
  const collect = collector();
  const prng = createPrng(1);
  const cache = createCache({ below: store(), clock: systemClock, mode: mode ?? 'back', memory: MEMORY });
  const bench: Bench = { cache, random: () => prng.next(), next: 0 };
  await prepare(bench);
  const heaps: number[] = [];
  let [operations, busyUs, left] = [0, 0, 0];
  for (let slice = -1; slice < SLICES; slice++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    const begun = process.cpuUsage();
    const until = performance.now() + (1000 * seconds) / SLICES;
    let [done, allocated] = [0, 0];
    while (performance.now() < until) {
      for (let i = 0; i < ROUND; i++) operate(bench);
      done += ROUND;
      if (done === ROUND) allocated = process.memoryUsage().heapUsed - before;
      // oxlint-disable-next-line no-await-in-loop -- what is asynchronous goes on
      await turn();
    }
    const { user, system } = process.cpuUsage(begun);
    if (slice < 0) continue;
    operations += done;
    busyUs += user + system;
    left += allocated / ROUND / SLICES;
    collect();
    heaps.push(process.memoryUsage().heapUsed / MIB);
  }
  await cache.abandon();
  const [first, second] = [heaps.slice(0, SLICES / 2), heaps.slice(SLICES / 2)].map((half) =>
    (half.reduce((sum, heap) => sum + heap, 0) / half.length).toFixed(2),
  );
  const perSecond = Math.round(operations / (busyUs / 1e6));
  return `| ${title} | ${perSecond} | ${(1e6 / perSecond).toFixed(2)} | ${Math.round(left)} | ${first} → ${second} |`;
}

function read(cache: Cache, lba: number, blocks: number): void {
  const answer = cache.read(lba, blocks);
  if (answer instanceof Promise || !answer.ok) throw new Error('a store in memory answers at once');
  answer.value.release();
}

function write(cache: Cache, lba: number, data: readonly Uint8Array[]): void {
  const answer = cache.write(lba, data, 'cached');
  if (answer instanceof Promise || !answer.ok) throw new Error('a cache over memory answers at once');
}

async function readThrough(cache: Cache, blocks: number, step: number): Promise<void> {
  for (let lba = 0; lba < blocks; lba += step) read(cache, lba, step);
  await turn();
}

function store(): GrowableDevice {
  return new NullDevice(DEVICE_BLOCKS, 64);
}

/** `npm run` gives Node.js no flags. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
