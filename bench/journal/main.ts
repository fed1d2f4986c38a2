/**
 * `node bench/journal/main.ts [DIRECTORY] [SECONDS]`: what the journal and the records of a replica cost. Decisions in
 * nanoseconds; how many writes wait, by size of the working set; and 4K random writes in write-through on a real disk
 * with each strategy, as a ratio to none, in interleaved rounds. Never a pass or fail: tables to read.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import { type HistoryPair, histories, superblockSave } from './records.ts';
import { ActivityLog, HOT, SLOTS_DEFAULT } from '../../src/journal/activity-log.ts';
import { CHUNK_LENGTH, DirtyMap } from '../../src/journal/dirty-map.ts';
import { CACHE } from '../build.ts';
import { compareStrategies } from './write-path.ts';

const TIB = 2 ** 40;
const GIB = 2 ** 30;
const BLOCK = 4096;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const [directory = CACHE, seconds = '3'] = process.argv.slice(2);
await mkdir(directory, { recursive: true });
const folder = await mkdtemp(join(directory, 'journal-'));
try {
  decisions();
  waits();
  say(`superblock save: ${await superblockSave(folder)}`);
  for (const line of await compareStrategies(folder, Number(seconds))) say(line);
} finally {
  await rm(folder, { recursive: true, force: true });
}

function decisions(): void {
  const random = createPrng(1);
  const blocks = TIB / BLOCK;
  const places = Float64Array.from({ length: 1 << 20 }, () => random.integer(0, blocks - 1));
  const map = new DirtyMap(blocks, BLOCK);
  const other = new DirtyMap(blocks, BLOCK);
  time('mark, 1 TiB, random, new', places.length, () => {
    for (const lba of places) map.mark(lba, 1);
  });
  time('mark, 1 TiB, random, known', places.length, () => {
    for (const lba of places) map.mark(lba, 1);
  });
  time('mark, known, 4096 places', places.length, () => {
    for (let i = 0; i < places.length; i++) map.mark(places[i & 4095]!, 1);
  });
  for (let i = 0; i < 100; i++) other.mark(places[i]!, 1);
  time('walk 1 TiB with 100 dirty chunks (per walk)', 100, () => {
    for (let round = 0; round < 100; round++)
      for (let chunk = other.next(0); chunk >= 0; chunk = other.next(chunk + 1));
  });
  time('walk 1 TiB, 1 M marks (per chunk)', map.count, () => {
    for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1));
  });
  time('union of a mostly clean TiB (per union)', 100, () => {
    for (let round = 0; round < 100; round++) map.union(other);
  });
  const log = new ActivityLog(blocks, BLOCK, SLOTS_DEFAULT);
  const hot = Float64Array.from({ length: 1 << 20 }, () => random.integer(0, (GIB / BLOCK) * 4 - 1));
  const pass = (): void => {
    for (const lba of hot) {
      log.admit(lba, 1);
      log.settle(lba, 1);
    }
  };
  pass();
  log.takeBatch();
  log.batchDurable();
  time('admit and settle, hot', hot.length, pass);
  const pairs: HistoryPair[] = histories();
  time('compare two histories of 32', 100_000, () => {
    for (let i = 0; i < 100_000; i++) pairs[i % pairs.length]!.compare();
  });
  say(`map: ${map.chunkCount / 8 / 2 ** 20} MiB per TiB and partner, chunks of ${CHUNK_LENGTH / 1024} KiB`);
}

/** Share of 4K random writes that wait, after a warm-up, when a batch is durable once per 32 writes. */
function waits(): void {
  say('waiting writes by working set (uniform; 90 % in a tenth of it), and batches per 1000 writes:');
  for (const gib of [4, 16, 32, 64, 256]) {
    const cells = [1024, SLOTS_DEFAULT, 16_384].map((slots) => {
      const uniform = share(gib, slots, 1);
      const skewed = share(gib, slots, 0.1);
      return `${slots} slots ${uniform} ${skewed}`;
    });
    say(`  ${String(gib).padStart(3)} GiB: ${cells.join(' | ')}`);
  }
}

function share(gib: number, slots: number, hotPart: number): string {
  const random = createPrng(gib);
  const blocks = (gib * GIB) / BLOCK;
  const log = new ActivityLog(TIB / BLOCK, BLOCK, slots);
  let waited = 0;
  let batches = 0;
  const writes = 200_000;
  for (let i = -writes; i < writes; i++) {
    const range = random.chance(0.9) ? Math.floor(blocks * hotPart) : blocks;
    const lba = random.integer(0, range - 1);
    if (log.admit(lba, 1) !== HOT && i >= 0) waited += 1;
    log.settle(lba, 1);
    if (i % 32 !== 0 || log.takeBatch() === undefined) continue;
    log.batchDurable();
    if (i >= 0) batches += 1;
  }
  return `${((100 * waited) / writes).toFixed(2)} % (${((1000 * batches) / writes).toFixed(1)})`;
}

function time(title: string, count: number, action: () => void): void {
  const start = process.hrtime.bigint();
  action();
  const each = Number(process.hrtime.bigint() - start) / count;
  say(`${title}: ${each < 1000 ? `${each.toFixed(1)} ns` : `${(each / 1000).toFixed(1)} µs`}`);
}
