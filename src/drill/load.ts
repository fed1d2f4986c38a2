/**
 * Loads: what workers do to a disk until they are told to stop.
 *
 *   mixed   reads and writes of 4 KiB to 64 KiB, aligned to 4 KiB, most of them over one another in a small place, the
 *           rest anywhere; locks taken by COMPARE AND WRITE; a flush now and then
 *   mail    a mail system of 2,000 users: 9.1 transactions a second, 5.6 MB/s of changed blocks (mail.ts)
 *
 *   blocks  0 … LOCKS−1 locks | hot place | everything else
 */

import { TORN } from '../judge/block-codec.ts';
import { mailUsers } from './mail.ts';
import { LOCK_BYTES, type LoadOptions, pause, type Worker } from './worker.ts';

export interface Load {
  /** Answers when nothing is under way. */
  stop(): Promise<void>;
}

const KIB = 1024;
const UNIT_BYTES = 4 * KIB;
const EXTENT_BYTES_MAX = 64 * KIB;
const LOCKS = 4;
const HOT_BYTES = 512 * KIB;
const HOT_SHARE = 0.6;
const READ_SHARE = 0.4;
const FLUSH_SHARE = 0.02;
const WORKERS = 8;
/** In the mean; all workers together stay below 1,000 commands a second. */
const THINK_MS = 8;
const LOCK_THINK_MS = 50;

export function startLoad(options: LoadOptions): Load {
  let stopped = false;
  const workers =
    options.profile === 'mail'
      ? [mailUsers(options)]
      : [
          ...Array.from({ length: WORKERS }, (_, i) => readerAndWriter(options, `worker ${i}`)),
          locker(options, 'locker 0'),
          locker(options, 'locker 1'),
        ];
  const ended = Promise.all(workers.map((worker) => worker(() => stopped)));
  return {
    async stop() {
      stopped = true;
      await ended;
    },
  };
}

function readerAndWriter({ disk, clock, random }: LoadOptions, name: string): Worker {
  const draws = random.fork(name);
  const unitBlocks = UNIT_BYTES / disk.capacity.blockLength;
  const units = Math.floor(disk.capacity.blocks / unitBlocks);
  const extent = (): readonly [lba: number, blocks: number] => {
    const length = 1 << draws.integer(0, Math.log2(EXTENT_BYTES_MAX / UNIT_BYTES));
    const [from, to] = draws.chance(HOT_SHARE)
      ? [LOCK_BYTES / UNIT_BYTES, (LOCK_BYTES + HOT_BYTES) / UNIT_BYTES]
      : [(LOCK_BYTES + HOT_BYTES) / UNIT_BYTES, units];
    return [draws.integer(from, to - length) * unitBlocks, length * unitBlocks];
  };
  return async (isStopped) => {
    while (!isStopped()) {
      const [lba, blocks] = extent();
      // oxlint-disable no-await-in-loop -- a worker does one thing at a time
      if (draws.chance(FLUSH_SHARE)) await disk.flush();
      else if (draws.chance(READ_SHARE)) await disk.read(lba, blocks);
      else await disk.write(lba, blocks);
      await pause(clock, draws.exponential(THINK_MS));
      // oxlint-enable no-await-in-loop
    }
  };
}

function locker({ disk, clock, random }: LoadOptions, name: string): Worker {
  const draws = random.fork(name);
  const unitBlocks = UNIT_BYTES / disk.capacity.blockLength;
  return async (isStopped) => {
    while (!isStopped()) {
      const lba = draws.integer(0, LOCKS - 1) * unitBlocks;
      // oxlint-disable no-await-in-loop -- a worker does one thing at a time
      const found = await disk.readLock(lba);
      if (found !== undefined && found !== TORN) await disk.compareAndWrite(lba, found);
      await pause(clock, draws.exponential(LOCK_THINK_MS));
      // oxlint-enable no-await-in-loop
    }
  };
}
