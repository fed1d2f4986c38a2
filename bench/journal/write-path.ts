/** 4K random writes in write-through through a flat store, without a journal and with each strategy. */
import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import type { BlockDevice } from '../../src/ports/block-device.ts';
import { SLOTS_DEFAULT } from '../../src/journal/activity-log.ts';
import { Journal, journalLength, recoveredMap } from '../../src/journal/journal.ts';
import { openFileDisk } from '../../src/runtime/file-disk.ts';
import { openFlatStore } from '../../src/store/flat-store.ts';

const BLOCK = 4096;
const DATA_BYTES = 2 * 2 ** 30;
const BLOCKS = DATA_BYTES / BLOCK;
const DEPTH = 32;
const ROUNDS = 3;
const PARTNER = 2;
const DEVICE = '00112233445566778899aabbccddeeff';
const BASE = { term: 1, id: 'aabbccddeeff00112233445566778899' };

interface Way {
  readonly title: string;
  readonly journal: Journal | undefined;
}

export async function compareStrategies(folder: string, seconds: number): Promise<string[]> {
  const disk = await makeDisk(join(folder, 'data'), DATA_BYTES);
  const opened = openFlatStore({ disk, blockLength: BLOCK, writeCache: 'through' });
  if (!opened.ok) throw new Error(opened.fault.message);
  const ways: Way[] = [
    { title: 'no journal', journal: undefined },
    { title: 'ram', journal: await makeJournal(folder, 'ram') },
    { title: 'failure, partner absent', journal: await makeJournal(folder, 'failure') },
    { title: 'continuous', journal: await makeJournal(folder, 'continuous') },
  ];
  await ways[2]!.journal!.partnerLeft(PARTNER, BASE, []);
  const figures = ways.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    // oxlint-disable-next-line no-await-in-loop -- interleaved rounds
    for (const [index, { journal }] of ways.entries())
      figures[index]!.push(await measure(opened.value, journal, seconds));
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
  const floor = median(figures[0]!);
  const lines = ways.map(({ title }, index) => {
    const rate = median(figures[index]!);
    return `  ${title}: ${rate.toFixed(0)} writes/s, ${((100 * rate) / floor).toFixed(1)} %`;
  });
  for (const { journal } of ways) {
    // oxlint-disable-next-line no-await-in-loop -- four journals
    if (journal !== undefined) await journal.stop();
  }
  await opened.value.close();
  return [`4K random writes, write-through, depth ${DEPTH}, over ${DATA_BYTES / 2 ** 30} GiB:`, ...lines];
}

async function makeJournal(folder: string, strategy: 'ram' | 'failure' | 'continuous'): Promise<Journal> {
  const disk = await makeDisk(join(folder, strategy), journalLength(BLOCKS, BLOCK, 1));
  const shape = { strategy, device: DEVICE, blockCount: BLOCKS, blockLength: BLOCK };
  const options = { ...shape, slotCount: SLOTS_DEFAULT, partners: [PARTNER], disk, offset: 0 };
  const journal = new Journal(options);
  const found = await journal.load(true);
  const { proof } = recoveredMap(options, found, { partner: PARTNER, ending: 'stopInSync', base: BASE });
  const started = await journal.start(new Map());
  if (!started.ok || proof.kind !== 'fast') throw new Error('the journal did not start');
  return journal;
}

async function makeDisk(path: string, length: number) {
  const opened = await openFileDisk(path, { readOnly: false, create: { length, allocation: 'thick' } });
  if (!opened.ok) throw new Error(`no disk at ${path}`);
  return opened.value;
}

async function measure(store: BlockDevice, journal: Journal | undefined, seconds: number): Promise<number> {
  const random = createPrng(11);
  const data = [new Uint8Array(BLOCK).fill(7)];
  const end = performance.now() + seconds * 1000;
  let writes = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() < end) {
      const lba = random.integer(0, BLOCKS - 1);
      // oxlint-disable-next-line no-await-in-loop -- the writer's depth is one
      if (journal !== undefined) await journal.beforeWrite(lba, 1);
      // oxlint-disable-next-line no-await-in-loop
      const written = await store.write(lba, data, 'durable');
      if (!written.ok) throw new Error(written.fault.kind);
      journal?.written(lba, 1, 'durable');
      writes += 1;
    }
  };
  await Promise.all(Array.from({ length: DEPTH }, writer));
  return writes / seconds;
}
