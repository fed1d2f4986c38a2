/** What all workers of the workload share. */

import type { Prng } from '../src/base/prng.ts';
import type { Clock } from '../src/ports/clock.ts';
import type { History } from './history.ts';
import type { Initiator, Outcome, Task } from './initiator.ts';
import type { Rhythm, RhythmShape } from './rhythm.ts';

export const DATA_DEVICE = 0;
export const RESERVATION_DEVICE = 1;
/** What device 0 gets when it grows. */
export const NEW_DEVICE = 2;

export interface WorkloadShape {
  /** Blocks of device 0 for reads and writes; locks lie behind them. */
  readonly dataBlocks: number;
  readonly extentMax: number;
  /** Data lies in islands of so many blocks, far from each other on the medium: what one command does to the journal of
   *  one of them says nothing about the others. Infinity: in one piece. */
  readonly islandBlocks: number;
  /** Chance of an extent to lie over the block in the middle, where all meet. */
  readonly hotShare: number;
  readonly locks: number;
  readonly lockBlocks: number;
  readonly readWriteWorkers: number;
  readonly lockWorkers: number;
  readonly reservationWorkers: number;
  readonly readShare: number;
  readonly rhythm: RhythmShape;
}

export interface WorkloadOptions {
  readonly shape: WorkloadShape;
  readonly random: Prng;
  readonly history: History;
  /** True time. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly initiator: Initiator;
  readonly rhythm: Rhythm;
  /** The device may grow. */
  readonly grows: boolean;
  /** Nobody begins anything new afterwards. */
  readonly stopped: () => boolean;
}

/** One command, then `next`. */
export type Worker = (next: () => void) => void;

/** Executes a task and keeps the record of the whole command. */
export function execute(options: WorkloadOptions, what: string, task: Task): void {
  const { history, now, initiator } = options;
  const record = { initiator: initiator.id, what, issuedAt: now(), returnedAt: Infinity };
  history.commands.push(record);
  const done = (outcome: Outcome): void => {
    record.returnedAt = now();
    task.done(outcome);
  };
  initiator.execute({ ...task, done });
}
