/**
 * What initiators do all day: each has several workers, and each worker one command at a time.
 *
 *   readers and writers   random extents of a few hot blocks of device 0, overlapping, aligned to nothing
 *   lockers, reservers    workload-objects.ts
 *   settlers              workload-growth.ts
 *
 * Every attempt of a write has values of its own.
 */

import type { Prng } from '../src/base/prng.ts';
import type { WriteAttempt } from '../src/judge/registers.ts';
import type { Open } from './history.ts';
import type { Outcome } from './initiator.ts';
import { drawRhythm } from './rhythm.ts';
import type { Command } from './storage.ts';
import { startSettler } from './workload-growth.ts';
import { locker, reserver } from './workload-objects.ts';
import type { Worker, WorkloadOptions, WorkloadShape } from './worker.ts';
import { DATA_DEVICE, execute } from './worker.ts';

export function blocksOf(shape: WorkloadShape): number {
  return shape.dataBlocks + shape.locks * shape.lockBlocks;
}

/** Draws sizes and rates, for so many initiators. */
export function drawShape(random: Prng, initiators: number, lockBlocksMax: number): WorkloadShape {
  const readWriteWorkers = random.integer(2, 4);
  const [lockWorkers, reservationWorkers] = [random.integer(0, 1), random.integer(0, 1)];
  return {
    dataBlocks: random.integer(4, 24),
    extentMax: random.integer(1, 8),
    hotShare: random.pick([0, 0.4, 0.8]),
    locks: random.integer(1, 3),
    lockBlocks: random.integer(1, lockBlocksMax),
    readWriteWorkers,
    lockWorkers,
    reservationWorkers,
    readShare: random.pick([0.2, 0.5, 0.8]),
    rhythm: drawRhythm(random, initiators * (readWriteWorkers + lockWorkers + reservationWorkers)),
    islandBlocks: random.pick([2, 4, Infinity]),
  };
}

export function startWorkload(options: WorkloadOptions): void {
  const { shape, clock, rhythm } = options;
  const start = (worker: Worker): void => {
    const go = (): void => {
      if (!options.stopped()) worker(next);
    };
    const next = (): void => rhythm.next(clock, go);
    next();
  };
  for (let i = 0; i < shape.readWriteWorkers; i++) start(readerOrWriter(options));
  for (let i = 0; i < shape.lockWorkers; i++) start(locker(options));
  for (let i = 0; i < shape.reservationWorkers; i++) start(reserver(options));
  if (options.grows) startSettler(options);
}

function readerOrWriter(options: WorkloadOptions): Worker {
  const { shape, random, history, now } = options;
  const extent = (): { lba: number; blocks: number } => {
    const { dataBlocks, islandBlocks } = shape;
    const middle = dataBlocks >> 1;
    const isHot = random.chance(shape.hotShare);
    const island = Math.floor((isHot ? middle : random.integer(0, dataBlocks - 1)) / islandBlocks);
    const begin = island === 0 ? 0 : island * islandBlocks;
    const end = Math.min(dataBlocks, begin + islandBlocks);
    const blocks = random.integer(1, Math.min(shape.extentMax, end - begin));
    const [first, last] = isHot
      ? [Math.max(begin, middle - blocks + 1), Math.min(middle, end - blocks)]
      : [begin, end - blocks];
    return { lba: random.integer(first, last), blocks };
  };

  function read(next: () => void): void {
    const { lba, blocks } = extent();
    const invokedAt = now();
    const done = (outcome: Outcome): void => {
      if (outcome.status === 'good')
        for (const [i, value] of outcome.values.entries())
          history.reads.push({ block: lba + i, value, invokedAt, returnedAt: now() });
      next();
    };
    const command = (): Command => ({ kind: 'read', lba, blocks });
    execute(options, 'read', { device: DATA_DEVICE, repeatable: true, command, done });
  }

  function write(next: () => void): void {
    const { lba, blocks } = extent();
    const attempts: Open<WriteAttempt>[] = [];
    const command = (): Command => {
      const values = Array.from({ length: blocks }, () => history.newValue());
      for (const [i, value] of values.entries()) {
        const attempt = {
          block: lba + i,
          value,
          invokedAt: now(),
          returnedAt: Infinity,
          acknowledged: false,
        };
        attempts.push(attempt);
        history.writes.push(attempt);
      }
      return { kind: 'write', lba, values };
    };
    const done = (outcome: Outcome): void => {
      for (const attempt of attempts) attempt.returnedAt = now();
      if (outcome.status === 'good')
        for (const attempt of attempts.slice(-blocks)) attempt.acknowledged = true;
      next();
    };
    execute(options, 'write', { device: DATA_DEVICE, repeatable: true, command, done });
  }

  return (next) => (random.chance(shape.readShare) ? read(next) : write(next));
}
