/**
 * A planted fault: an edit of the product's source that is made while it is loaded, so that the product itself has no
 * switch by which it could be made wrong. A checker that does not find it is too weak, or the rule it breaks is kept by
 * another one, too.
 */

import type { FrontName } from '../fronts/table.ts';
import type { Violation } from '../judge.ts';

/** `neverEnds`: a run does not come to its end. */
export type FoundBy = Violation['rule'] | 'neverEnds';

/** Something old is seen after something new, or lost, or members do not hold the same. */
export const WRONG_DATA: readonly FoundBy[] = [
  'forwardZonesOverlap',
  'backwardInsideForward',
  'unwrittenValue',
  'acknowledgedWriteLost',
  'valueFromNowhere',
  'replicasDiffer',
  'membersDiffer',
  'lockNotAtomic',
  'reservationNotAtomic',
];
/** Locks and reservations alone. */
export const NOT_ATOMIC: readonly FoundBy[] = ['lockNotAtomic', 'reservationNotAtomic'];
/** Two serve side by side; later there is wrong data. */
export const WRONG_EPOCH: readonly FoundBy[] = ['oldEpochServes', 'twoEpochsServe', ...WRONG_DATA];
/** An assertion of the product, or the data that it protects. */
export const STOPPED: readonly FoundBy[] = ['stopped', ...WRONG_DATA];
/** The storage does not come back. */
export const NO_SERVICE: readonly FoundBy[] = ['unanswered', 'doesNotConverge', 'neverEnds'];

/** A test beside the code. */
export interface DirectTest {
  /** From the root of the project. */
  readonly file: string;
  /** The title of one that passes, and fails with the plant. */
  readonly test: string;
}

/** One of these says what becomes of it: `foundBy`, `killedBy`, `redundant`. */
export interface Plant {
  /** From the root of the project. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What the storage does wrong then. */
  readonly what: string;
  /** The simulator finds it, by one of these rules. */
  readonly foundBy?: readonly FoundBy[];
  /** No workload shows it soon enough, if any; a test does. */
  readonly killedBy?: DirectTest;
  /** Why nothing goes wrong with it: what else guards against the same. */
  readonly redundant?: string;
  /** The front whose faults make it likely; without: `mirror`. */
  readonly focus?: FrontName;
  /** Seeds from 1 on within which it is found; or, if it is redundant, that are tried. */
  readonly seedsMax?: number;
}

export type Catalogue = Readonly<Record<string, Plant>>;

/** The source with the fault in it. */
export function plantIn(source: string, { file, find, replace }: Plant): string {
  const parts = source.split(find);
  if (parts.length !== 2)
    throw new Error(`the text to replace occurs ${parts.length - 1} times in ${file}:\n${find}`);
  return parts.join(replace);
}
