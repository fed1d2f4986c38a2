/** What all workers of a load share. */

import type { Prng } from '../base/prng.ts';
import type { Clock } from '../ports/clock.ts';
import type { Disk } from './disk.ts';

export type Profile = 'mixed' | 'mail';

export interface LoadOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Prng;
  readonly profile: Profile;
}

/** One thing after another, until `isStopped`. */
export type Worker = (isStopped: () => boolean) => Promise<void>;

/** The place of the locks, from the first block on: nobody else writes there. */
export const LOCK_BYTES = 64 * 1024;

export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}
