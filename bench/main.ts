/**
 * `npm run bench -- target`: Lockstep beside tgt and the floor on this machine, in interleaved rounds, as ratios.
 * `npm run bench -- core`: the mirror's core alone, with one to four replicas.
 * `npm run bench -- network`: what carries mirrored writes from node to node.
 * `npm run bench -- cache`: the cache alone.
 * `npm run bench -- mirror`: a mirror of two nodes beside one node, tgt and the floor.
 * Never a pass or fail on time: a table to read. Progress goes to standard error, results to standard output.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseSize } from '../src/base/units.ts';
import { CACHE } from './build.ts';
import { benchCache } from './cache/run.ts';
import { benchCore } from './core/run.ts';
import { benchMirror, MIRROR_TITLES } from './mirror/run.ts';
import { benchNetwork } from './network/run.ts';
import {
  type Contestant,
  type Medium,
  type Place,
  startFloor,
  startLockstep,
  startTgt,
} from './contestants.ts';
import { fill, measure, type Measurement, median, type Workload } from './measure.ts';
import { watchMemory } from './memory.ts';
import { machine, markdown, type Result } from './table.ts';

const USAGE = `usage: npm run bench -- target [--seconds S] [--rounds N] [--size SIZE] [--only REGEXP] [--medium ram|file|all]
                       [--directory DIR] [--json]
       npm run bench -- target --memory MINUTES
       npm run bench -- mirror [--seconds S] [--rounds N] [--size SIZE] [--only REGEXP] [--directory DIR]
       npm run bench -- core|cache|network [--seconds S]

  --seconds S     of one measurement, number of replicas or operation (default 3)
  --rounds N      A B C A B C …; the table shows medians (default 3)
  --size SIZE     of each disk (default 1G; of a mirror 256M)
  --only REGEXP   of the workloads' titles
  --directory DIR where flat files are made (default: the cache folder; of a mirror /dev/shm, memory)
  --memory M      resident memory of Lockstep over M minutes of mixed load, instead`;

const SUBJECTS = ['target', 'core', 'cache', 'network', 'mirror'] as const;
const KIB = 1024;
const small = (['read', 'write'] as const).flatMap((operation) =>
  [1, 32, 128].map((depth): Workload => {
    const title = `4K random ${operation}, depth ${depth}`;
    return { title, operation, pattern: 'random', block: 4 * KIB, depth };
  }),
);
const WORKLOADS: readonly Workload[] = [
  ...small,
  { title: '64K random read, depth 32', operation: 'read', pattern: 'random', block: 64 * KIB, depth: 32 },
  {
    title: '1M sequential read, depth 8',
    operation: 'read',
    pattern: 'sequential',
    block: 1024 * KIB,
    depth: 8,
  },
  {
    title: '1M sequential write, depth 8',
    operation: 'write',
    pattern: 'sequential',
    block: 1024 * KIB,
    depth: 8,
  },
];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

process.exitCode = await main();

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    say(USAGE);
    return 2;
  }
  if (options.subject === 'network') {
    console.log(await benchNetwork(options.seconds, say));
    return 0;
  }
  if (options.subject === 'core') {
    console.log(await benchCore(options.seconds, say));
    return 0;
  }
  if (options.subject === 'cache') {
    console.log(await benchCache(options.seconds, say));
    return 0;
  }
  await mkdir(options.directory, { recursive: true });
  if (options.subject === 'mirror') {
    console.log(await benchMirror(options, say));
    return 0;
  }
  const directory = await mkdtemp(join(options.directory, 'disks-'));
  const place: Place = { size: options.size, directory };
  const running: Contestant[] = [];
  try {
    if (options.memory > 0) await memoryRun(place, options.memory, running);
    else await compare(place, options, running);
  } finally {
    for (const contestant of running) await contestant.stop();
    await rm(directory, { recursive: true, force: true });
  }
  return 0;
}

interface Options {
  readonly subject: (typeof SUBJECTS)[number];
  readonly seconds: number;
  readonly rounds: number;
  readonly size: number;
  readonly memory: number;
  readonly media: readonly Medium[];
  readonly directory: string;
  readonly works: readonly Workload[];
  readonly json: boolean;
}

function readOptions(): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      size: { type: 'string' },
      only: { type: 'string', default: '' },
      medium: { type: 'string', default: 'all' },
      directory: { type: 'string' },
      memory: { type: 'string', default: '0' },
      json: { type: 'boolean', default: false },
    },
  });
  const subject = positionals.join();
  const defaults =
    subject === 'mirror' ? { size: '256M', directory: '/dev/shm' } : { size: '1G', directory: CACHE };
  const size = parseSize(values.size ?? defaults.size);
  const [seconds, rounds, memory] = [values.seconds, values.rounds, values.memory].map(Number) as [
    number,
    number,
    number,
  ];
  const media: Readonly<Record<string, readonly Medium[]>> = {
    ram: ['RAM'],
    file: ['file', 'file, write-through'],
    all: ['RAM', 'file', 'file, write-through'],
  };
  const only = new RegExp(values.only);
  const isMeasured = (title: string): boolean => subject !== 'mirror' || MIRROR_TITLES.includes(title);
  const works = WORKLOADS.filter(({ title }) => isMeasured(title) && only.test(title));
  const chosen = media[values.medium];
  const sensible = seconds > 0 && rounds >= 1 && memory >= 0 && size.ok && works.length > 0;
  const known = SUBJECTS.find((one) => one === subject);
  if (known === undefined || !sensible || chosen === undefined) return undefined;
  return {
    subject: known,
    seconds,
    rounds,
    size: size.value,
    memory,
    media: chosen,
    directory: values.directory ?? defaults.directory,
    works,
    json: values.json,
  };
}

async function compare(place: Place, options: Options, running: Contestant[]): Promise<void> {
  const start = async (contestant: Promise<Contestant>) => {
    running.push(await contestant);
    const { name, medium } = running.at(-1)!;
    say(`${name} (${medium}): filling`);
    await fill(running.at(-1)!);
  };
  await start(startFloor(place));
  for (const medium of options.media) {
    await start(startLockstep(medium, place));
    if (medium !== 'file, write-through') await start(startTgt(medium, place));
  }
  const results: Result[] = [];
  for (const work of options.works) {
    const rounds = new Map<Contestant, Measurement[]>(running.map((contestant) => [contestant, []]));
    for (let round = 0; round < options.rounds; round++) {
      for (const contestant of running) {
        const measured = await measure(contestant, work, options.seconds);
        rounds.get(contestant)!.push(measured);
        const { name, medium } = contestant;
        say(`${work.title} · round ${round + 1} · ${name} (${medium}): ${Math.round(measured.iops)} IOPS`);
      }
    }
    for (const [{ name, medium }, measured] of rounds) {
      results.push({
        work,
        name,
        medium,
        median: median(measured),
        iopsOfRounds: measured.map(({ iops }) => iops),
      });
    }
  }
  const how = `${options.rounds} interleaved rounds of ${options.seconds} s, medians; one session of libiscsi.`;
  const on = machine();
  console.log(options.json ? JSON.stringify({ machine: on, how, results }) : markdown(results, on, how));
}

async function memoryRun(place: Place, minutes: number, running: Contestant[]): Promise<void> {
  for (const medium of ['RAM', 'file'] as const) {
    running.push(await startLockstep(medium, place));
    say(`lockstep (${medium}): mixed load for ${minutes} min`);
    const growth = await watchMemory(running.at(-1)!, minutes);
    console.log(JSON.stringify({ medium, ...growth }));
    await running.pop()!.stop();
  }
}
