/** Whole numbers from 0 to 2^53 − 1 as eight bytes, big-endian: counts, sequences, terms, block addresses. */

import { assert } from './assert.ts';

const HIGH = 0x1_0000_0000;
const HIGH_MAX = 0x1f_ffff;

export function putCount(view: DataView, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a count is a whole number');
  view.setUint32(offset, Math.floor(value / HIGH));
  view.setUint32(offset + 4, value >>> 0);
}

/** −1: more than a count can be. */
export function getCount(view: DataView, offset: number): number {
  const high = view.getUint32(offset);
  return high > HIGH_MAX ? -1 : high * HIGH + view.getUint32(offset + 4);
}
