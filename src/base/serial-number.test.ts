import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { serialAdd, serialDistance, serialLess, serialLessOrEqual } from './serial-number.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });

test('a number is less than every number up to 2^31 - 1 steps ahead, across the wrap', () => {
  fc.assert(
    fc.property(u32, fc.integer({ min: 1, max: 0x7fffffff }), (serial, steps) => {
      const ahead = serialAdd(serial, steps);
      assert.equal(serialLess(serial, ahead), true);
      assert.equal(serialLess(ahead, serial), false);
      assert.equal(serialDistance(serial, ahead), steps);
      assert.equal(serialDistance(ahead, serial), -steps);
    }),
  );
});

test('zero follows 2^32 - 1', () => {
  assert.equal(serialAdd(0xffffffff, 1), 0);
  assert.equal(serialAdd(0, -1), 0xffffffff);
  assert.equal(serialLess(0xffffffff, 0), true);
});

test('a number equals itself and is not less than itself', () => {
  assert.equal(serialLess(7, 7), false);
  assert.equal(serialLessOrEqual(7, 7), true);
});

test('numbers exactly 2^31 apart are not ordered', () => {
  assert.equal(serialLess(0, 0x80000000), false);
  assert.equal(serialLess(0x80000000, 0), false);
});
