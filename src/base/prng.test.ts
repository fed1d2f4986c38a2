/** Goal: the simulator's randomness is reproducible and unbiased enough. Method: fixed sequences and moments. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from './prng.ts';

test('the same seed gives the same sequence, another seed another', () => {
  const draw = (seed: number): number[] => {
    const random = createPrng(seed);
    return Array.from({ length: 20 }, () => random.integer(0, 1_000_000));
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(7), draw(7 + 0x1_0000_0000));
});

test('a fork does not disturb its parent and differs by label', () => {
  const a = createPrng(1);
  const b = createPrng(1);
  const left = a.fork('left').integer(0, 1e9);
  assert.notEqual(left, a.fork('right').integer(0, 1e9));
  assert.equal(a.integer(0, 1e9), b.integer(0, 1e9));
});

test('integers cover both ends and stay inside', () => {
  const random = createPrng(3);
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) seen.add(random.integer(-2, 2));
  assert.deepEqual(
    [...seen].sort((x, y) => x - y),
    [-2, -1, 0, 1, 2],
  );
});

test('uniform, exponential and chance have the means they promise', () => {
  const random = createPrng(11);
  const n = 100_000;
  let uniform = 0;
  let exponential = 0;
  let hits = 0;
  for (let i = 0; i < n; i++) {
    uniform += random.next();
    exponential += random.exponential(50);
    if (random.chance(0.25)) hits++;
  }
  assert.ok(Math.abs(uniform / n - 0.5) < 0.01);
  assert.ok(Math.abs(exponential / n - 50) < 1);
  assert.ok(Math.abs(hits / n - 0.25) < 0.01);
});
