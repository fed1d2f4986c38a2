// Goal: what was written is read, and nothing else passes for it. Method: values of all sizes; every tear of a block.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../base/prng.ts';
import { decodeBlocks, encodeBlocks, TORN } from './block-codec.ts';

const LENGTHS = [512, 4096];
const VALUES = [0, 1, 2, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 2 ** 53 - 1];

test('values come back, from any place in a buffer; 0 is all zeros', () => {
  for (const blockLength of LENGTHS) {
    const bytes = encodeBlocks(VALUES, blockLength);
    assert.equal(bytes.length, VALUES.length * blockLength);
    assert.deepEqual(decodeBlocks(bytes, blockLength), VALUES);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    assert.deepEqual(decodeBlocks(shifted.subarray(3), blockLength), VALUES);
    assert.ok(bytes.subarray(0, blockLength).every((byte) => byte === 0));
  }
});

test('a block of two values is torn, wherever the seam is', () => {
  for (const [before, after] of [
    [0, 1],
    [1, 0],
    [1, 2],
    [7, 0x1_0000_0007],
    [0xffff_ffff, 0x1_0000_0000],
  ] as const) {
    const [old, young] = [encodeBlocks([before], 512), encodeBlocks([after], 512)];
    for (let seam = 0; seam <= 512; seam++) {
      const mixed = Uint8Array.from(old, (byte, i) => (i < seam ? young[i]! : byte));
      const [value] = decodeBlocks(mixed, 512);
      const whole = [old, young].findIndex((one) => one.every((byte, i) => byte === mixed[i]));
      assert.equal(value, whole < 0 ? TORN : [before, after][whole], `${before} ${after} ${seam}`);
    }
  }
});

test('a flipped bit and a slip are seen', () => {
  const random = createPrng(1);
  for (let round = 0; round < 1000; round++) {
    const bytes = encodeBlocks([random.integer(0, 2 ** 40)], 512);
    bytes[random.integer(0, 511)]! ^= 1 << random.integer(0, 7);
    assert.deepEqual(decodeBlocks(bytes, 512), [TORN]);
  }
  const two = encodeBlocks([5, 5], 512);
  assert.deepEqual(decodeBlocks(two.subarray(8, 520), 512), [TORN]);
});
