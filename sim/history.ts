/** Everything initiators did and saw, in the form in which the checkers want it. */

import type { CommandRecord } from './checkers/answers.ts';
import type { SizeSeen } from './checkers/growth.ts';
import type { LockOperation } from '../src/judge/locks.ts';
import type { ReadResult, WriteAttempt } from '../src/judge/registers.ts';
import type { ReservationOperation } from './checkers/objects.ts';

/** A record that is written before its end is known. */
export type Open<T> = { -readonly [K in keyof T]: T[K] };

export interface History {
  /** Unique in the run; 0 is never among them. */
  newValue(): number;
  readonly writes: Open<WriteAttempt>[];
  readonly reads: ReadResult[];
  readonly locks: Open<LockOperation>[];
  readonly reservations: Open<ReservationOperation>[];
  readonly commands: Open<CommandRecord>[];
  /** Blocks that the device gets when it grows, numbered from 0. */
  readonly newWrites: Open<WriteAttempt>[];
  readonly newReads: ReadResult[];
  readonly sizes: SizeSeen[];
}

export function createHistory(): History {
  let value = 0;
  return {
    newValue: () => ++value,
    writes: [],
    reads: [],
    locks: [],
    reservations: [],
    commands: [],
    newWrites: [],
    newReads: [],
    sizes: [],
  };
}
