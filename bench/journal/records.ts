/** The records of a replica in the benchmark: comparing histories, saving a superblock. */
import { join } from 'node:path';
import { compareHistories, type History, withDataWritten, withEpoch } from '../../src/cluster/history.ts';
import { SUPERBLOCK_FILE_LENGTH, SuperblockFile } from '../../src/cluster/superblock.ts';
import { openFileDisk } from '../../src/runtime/file-disk.ts';

export interface HistoryPair {
  compare(): void;
}

const id = (number: number): string => number.toString(16).padStart(32, '0');

/** Pairs that part ways after the first epoch, half way, or never. */
export function histories(): HistoryPair[] {
  return [1, 16, 32].map((common) => {
    const [mine, theirs] = [0, 1000].map((side) => {
      let history: History = [];
      for (let term = 1; term <= 32; term++) {
        const epoch = { term, id: id(term > common ? term + side : term), members: [1, 2], wroteData: false };
        history = withDataWritten(withEpoch(history, epoch));
      }
      return history;
    }) as [History, History];
    return { compare: () => void compareHistories(mine, theirs) };
  });
}

export async function superblockSave(folder: string): Promise<string> {
  const length = SUPERBLOCK_FILE_LENGTH;
  const opened = await openFileDisk(join(folder, 'superblock'), {
    readOnly: false,
    create: { length, allocation: 'thick' },
  });
  if (!opened.ok) throw new Error('no disk for the superblock');
  const file = new SuperblockFile(opened.value, 0);
  await file.load();
  const start = performance.now();
  const rounds = 50;
  for (let term = 1; term <= rounds; term++) {
    // oxlint-disable-next-line no-await-in-loop -- one save at a time is what is measured
    const saved = await file.save({
      reservations: new Uint8Array(1024),
      superblock: {
        device: id(1),
        node: 1,
        copy: id(2),
        promisedTerm: term,
        accepted: { term, id: id(term), members: [1, 2], learners: [3] },
        bound: [],
        hasCopy: true,
        installedTerm: term,
        copyTerm: 0,
        copySequence: 0,
        dataState: 'inSync',
        shutdown: 'none',
        writePolicy: 'through',
        journal: { strategy: 'continuous', isTrusted: true },
        blockLength: 4096,
        blockCount: 1 << 28,
        history: [{ term, id: id(term), members: [1, 2], wroteData: true }],
      },
    });
    if (!saved.ok) throw new Error('the superblock was not saved');
  }
  const each = (performance.now() - start) / rounds;
  await opened.value.close();
  return `${each.toFixed(2)} ms`;
}
