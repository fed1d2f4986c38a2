/** Comparing bytes that lie in differently cut segments. */

import { assert } from '../base/assert.ts';

/**
 * Compares all of `actual` with `expected` from byte `start` on; with a finite `period`, `expected` repeats after so many
 * bytes. Answers with the first byte that differs, counted from the beginning of `actual`; -1 when there is none.
 */
export function firstDifference(
  actual: readonly Uint8Array[],
  expected: readonly Uint8Array[],
  start: number,
  period: number,
): number {
  let index = 0;
  let within = start;
  let base = 0;
  for (const bytes of actual) {
    for (let i = 0; i < bytes.length; ) {
      if (base + i > 0 && (start + base + i) % period === 0) {
        index = 0;
        within = 0;
      }
      while (index < expected.length && within >= expected[index]!.length) {
        within -= expected[index]!.length;
        index += 1;
      }
      const other = expected[index];
      assert(other !== undefined, 'nothing left to compare with');
      const left =
        period === Number.POSITIVE_INFINITY ? bytes.length : period - ((start + base + i) % period);
      const count = Math.min(bytes.length - i, other.length - within, left);
      for (let k = 0; k < count; k += 1) {
        if (bytes[i + k] !== other[within + k]) return base + i + k;
      }
      i += count;
      within += count;
    }
    base += bytes.length;
  }
  return -1;
}
