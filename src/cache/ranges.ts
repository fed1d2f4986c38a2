/** Several extents held at once. */

import type { HeldRange, RangeLock } from '../base/range-lock.ts';
import { isAsync, type MaybeAsync } from '../base/result.ts';
import type { Extent } from '../ports/block-device.ts';

/** The same blocks as extents that neither overlap nor adjoin, in order. */
export function merged(extents: readonly Extent[]): readonly Extent[] {
  if (extents.length === 1 && extents[0]!.blocks > 0) return extents;
  const sorted = extents.filter(({ blocks }) => blocks > 0).toSorted((a, b) => a.lba - b.lba);
  const result: { lba: number; blocks: number }[] = [];
  for (const { lba, blocks } of sorted) {
    const last = result.at(-1);
    if (last === undefined || last.lba + last.blocks < lba) result.push({ lba, blocks });
    else last.blocks = Math.max(last.blocks, lba + blocks - last.lba);
  }
  return result;
}

/**
 * Holds extents that do not overlap. All are asked for at the same moment, so that of two that want the same ones the
 * earlier gets all of them first.
 */
export function holdAll(lock: RangeLock, extents: readonly Extent[]): MaybeAsync<HeldRange> {
  if (extents.length === 1) return lock.hold(extents[0]!.lba, extents[0]!.blocks, 'exclusive');
  const asked = extents.map(({ lba, blocks }) => lock.hold(lba, blocks, 'exclusive'));
  const all = (held: readonly HeldRange[]): HeldRange => ({
    release: () => {
      for (const range of held) range.release();
    },
  });
  if (!asked.some(isAsync)) return all(asked as HeldRange[]);
  return Promise.all(asked.map((range) => Promise.resolve(range))).then(all);
}
