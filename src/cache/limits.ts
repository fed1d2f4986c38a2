/** What a cache of so many frames allows itself. */

import { PAGE_LENGTH } from './frames.ts';

export interface Limits {
  /** Pages that the device beneath does not have, or is getting. Beyond it writers wait. */
  readonly dirtyMax: number;
  /** Above this they are written out until `dirtyLow` are left. */
  readonly dirtyHigh: number;
  readonly dirtyLow: number;
  /** Frames whose bytes are lent; beyond it readers get a copy. */
  readonly pinnedMax: number;
  /** Pages of one write beneath. */
  readonly runPagesMax: number;
}

const DIRTY_SHARE = 0.5;
const PINNED_SHARE = 0.25;
const RUN_SHARE = 1 / 64;
const RUN_LENGTH_MAX = 1024 * 1024;

/** What is neither dirty nor lent, a quarter at least, can always be had for something else. */
export function limitsFor(frames: number): Limits {
  const dirtyMax = Math.floor(frames * DIRTY_SHARE);
  return {
    dirtyMax,
    dirtyHigh: Math.floor(dirtyMax / 2),
    dirtyLow: Math.floor(dirtyMax / 4),
    pinnedMax: Math.floor(frames * PINNED_SHARE),
    runPagesMax: Math.max(1, Math.min(RUN_LENGTH_MAX / PAGE_LENGTH, Math.floor(frames * RUN_SHARE))),
  };
}
