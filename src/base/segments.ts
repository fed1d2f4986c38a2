/**
 * Payloads that lie in several buffers ("segments"): what can be asked and done without ever joining them.
 */

import { assert } from './assert.ts';

/** Bytes in all. */
export function lengthOf(segments: readonly Uint8Array[]): number {
  let length = 0;
  for (const segment of segments) length += segment.length;
  return length;
}

/** One buffer of its own with all that is in them: for who gives a loan back before he has done with it. */
export function copyOf(segments: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(segments));
  copyTo(segments, bytes, 0);
  return bytes;
}

/** Views of `length` bytes from `offset` on: a segment itself where all of it is wanted. */
export function slice(segments: readonly Uint8Array[], offset: number, length: number): Uint8Array[] {
  const views: Uint8Array[] = [];
  let skip = offset;
  let left = length;
  for (const segment of segments) {
    if (left === 0) break;
    if (skip >= segment.length) {
      skip -= segment.length;
      continue;
    }
    const taken = Math.min(left, segment.length - skip);
    views.push(taken === segment.length ? segment : segment.subarray(skip, skip + taken));
    left -= taken;
    skip = 0;
  }
  assert(left === 0, 'slice lies within the segments');
  return views;
}

/** Copies all bytes, one segment after the other, to `target` from `at` on. */
export function copyTo(segments: readonly Uint8Array[], target: Uint8Array, at: number): void {
  let position = at;
  for (const segment of segments) {
    target.set(segment, position);
    position += segment.length;
  }
}

/** Position of the first byte that differs, or -1; both have the same length in all. */
export function firstDifference(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  let [indexA, indexB, inA, inB, position] = [0, 0, 0, 0, 0];
  while (indexA < a.length && indexB < b.length) {
    const segmentA = a[indexA]!;
    const segmentB = b[indexB]!;
    const run = Math.min(segmentA.length - inA, segmentB.length - inB);
    for (let i = 0; i < run; i++) if (segmentA[inA + i] !== segmentB[inB + i]) return position + i;
    position += run;
    inA += run;
    inB += run;
    if (inA === segmentA.length) [indexA, inA] = [indexA + 1, 0];
    if (inB === segmentB.length) [indexB, inB] = [indexB + 1, 0];
  }
  assert(restIsEmpty(a, indexA) && restIsEmpty(b, indexB), 'both have the same length');
  return -1;
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

function restIsEmpty(segments: readonly Uint8Array[], from: number): boolean {
  return segments.slice(from).every((segment) => segment.length === 0);
}
