/**
 * The bytes of a block that holds a number, for fronts whose blocks are bytes. 0 is all zeros, as a block is before its
 * first write. Any other value v stands in every 8 bytes, so that a block of two values, or one that slipped, shows:
 *
 *   word i (little endian, 32 bits)   even i: low(v) * ODD + i * STEP + 1     odd i: high(v) * ODD + i * STEP + 1
 *
 * A block decodes to v only if each of its words is exactly that of v; otherwise to TORN, which nobody ever writes.
 */

import { assert } from '../base/assert.ts';

export const TORN = -1;

const WORD_BYTES = 4;
const HIGH = 0x1_0000_0000;
/** Odd, so that the product names the value; INVERSE * ODD is 1 modulo 2^32. */
const ODD = 0x9e3779b1;
const INVERSE = 0x0e8b2f51;
const STEP = 0x85ebca6b;

/** One block after the other. */
export function encodeBlocks(values: readonly number[], blockLength: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * blockLength);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) encode(value, view, i * blockLength, blockLength);
  return bytes;
}

export function decodeBlocks(bytes: Uint8Array, blockLength: number): number[] {
  assert(bytes.length % blockLength === 0, 'whole blocks are decoded');
  const view = viewOf(bytes);
  const values: number[] = [];
  for (let at = 0; at < bytes.length; at += blockLength) values.push(decode(view, at, blockLength));
  return values;
}

/** The bytes are one block. Exported for tests: the simulator. */
export function decodeBlock(bytes: Uint8Array): number {
  return decode(viewOf(bytes), 0, bytes.length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function encode(value: number, view: DataView, at: number, blockLength: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a block holds a whole number');
  if (value === 0) return;
  let even = Math.imul(value | 0, ODD) + 1;
  let odd = Math.imul(Math.floor(value / HIGH), ODD) + STEP + 1;
  for (let i = 0; i < blockLength; i += 2 * WORD_BYTES) {
    view.setInt32(at + i, even, true);
    view.setInt32(at + i + WORD_BYTES, odd, true);
    even = (even + 2 * STEP) | 0;
    odd = (odd + 2 * STEP) | 0;
  }
}

function decode(view: DataView, at: number, blockLength: number): number {
  let even = view.getInt32(at, true);
  let odd = view.getInt32(at + WORD_BYTES, true);
  const empty = even === 0 && odd === 0;
  const step = empty ? 0 : 2 * STEP;
  const low = Math.imul(even - 1, INVERSE) >>> 0;
  const high = Math.imul(odd - STEP - 1, INVERSE) >>> 0;
  for (let i = 0; i < blockLength; i += 2 * WORD_BYTES) {
    if (view.getInt32(at + i, true) !== even || view.getInt32(at + i + WORD_BYTES, true) !== odd) return TORN;
    even = (even + step) | 0;
    odd = (odd + step) | 0;
  }
  if (empty) return 0;
  const value = high * HIGH + low;
  return value > 0 && Number.isSafeInteger(value) ? value : TORN;
}
