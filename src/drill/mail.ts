/**
 * A mail system as its disk sees it: 2,000 users, 131 transactions each in 8 hours, which are 9.1 a second; 5 GB of blocks
 * change in 15 minutes. A transaction reads some pages, is written to the log, which is flushed, and then its pages are
 * written. Transactions begin when users want, not when the last one has ended.
 *
 *   blocks  locks | log, written round and round | pages of 32 KiB
 */

import type { Prng } from '../base/prng.ts';
import type { Disk } from './disk.ts';
import { LOCK_BYTES, type LoadOptions, pause, type Worker } from './worker.ts';

const KIB = 1024;
const PAGE_BYTES = 32 * KIB;
const LOG_BYTES = 4096 * KIB;
const LOG_RECORD_BYTES = 16 * KIB;
const TRANSACTIONS_PER_SECOND = (2000 * 131) / (8 * 3600);
/** Users who wait do not begin another one. */
const UNDER_WAY_MAX = 64;

interface Kind {
  /** Of 131 transactions. */
  readonly share: number;
  readonly pagesRead: number;
  readonly pagesWritten: number;
}

/** Mail received and sent, calendar, contacts, and looking around; 19 pages in the mean are written. */
const KINDS: readonly Kind[] = [
  { share: 80, pagesRead: 2, pagesWritten: 26 },
  { share: 13, pagesRead: 2, pagesWritten: 20 },
  { share: 12, pagesRead: 4, pagesWritten: 8 },
  { share: 9, pagesRead: 4, pagesWritten: 4 },
  { share: 17, pagesRead: 8, pagesWritten: 0 },
];
const SHARES = KINDS.reduce((sum, { share }) => sum + share, 0);

export function mailUsers({ disk, clock, random }: LoadOptions): Worker {
  const draws = random.fork('mail');
  const log = logOf(disk);
  return async (isStopped) => {
    const underWay = new Set<Promise<void>>();
    while (!isStopped()) {
      // oxlint-disable-next-line no-await-in-loop -- that is when the next one begins
      await pause(clock, draws.exponential(1000 / TRANSACTIONS_PER_SECOND));
      if (underWay.size === UNDER_WAY_MAX) continue;
      const one = transaction(disk, log, kindOf(draws), draws);
      underWay.add(one);
      void one.then(() => underWay.delete(one));
    }
    await Promise.all(underWay);
  };
}

function kindOf(draws: Prng): Kind {
  let left = draws.integer(1, SHARES);
  return KINDS.find(({ share }) => (left -= share) <= 0)!;
}

async function transaction(disk: Disk, log: () => Promise<void>, kind: Kind, draws: Prng): Promise<void> {
  const { blocks, blockLength } = disk.capacity;
  const pageBlocks = PAGE_BYTES / blockLength;
  const first = Math.ceil((LOCK_BYTES + LOG_BYTES) / PAGE_BYTES);
  const page = (): number => draws.integer(first, Math.floor(blocks / pageBlocks) - 1) * pageBlocks;
  await all(kind.pagesRead, () => disk.read(page(), pageBlocks));
  if (kind.pagesWritten === 0) return;
  await log();
  await all(kind.pagesWritten, () => disk.write(page(), pageBlocks));
}

/** Appends one record and makes it durable. */
function logOf(disk: Disk): () => Promise<void> {
  const { blockLength } = disk.capacity;
  let next = 0;
  return async () => {
    const at = LOCK_BYTES + next;
    next = (next + LOG_RECORD_BYTES) % LOG_BYTES;
    await disk.write(at / blockLength, LOG_RECORD_BYTES / blockLength);
    await disk.flush();
  };
}

async function all(count: number, begin: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, begin));
}
