// Brute force: the delays, that they end, that they are one source's own, and that the table is bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  authenticationFailed,
  createLoginThrottle,
  DELAY_FIRST_MS,
  DELAY_MS_MAX,
  FAILURES_FREE,
  FORGIVEN_AFTER_MS,
  type LoginThrottle,
  refusedForMs,
  throttleKey,
} from './throttle.ts';

test('the first failures cost nothing, each further one doubles the delay up to the maximum', () => {
  const throttle = createLoginThrottle();
  const delays = Array.from({ length: 16 }, () => {
    authenticationFailed(throttle, 'a', 0);
    return refusedForMs(throttle, 'a', 0);
  });
  assert.deepEqual(delays.slice(0, FAILURES_FREE - 1), Array(FAILURES_FREE - 1).fill(0));
  assert.deepEqual(
    delays.slice(FAILURES_FREE - 1, FAILURES_FREE + 2),
    [1, 2, 4].map((n) => n * DELAY_FIRST_MS),
  );
  assert.equal(delays.at(-1), DELAY_MS_MAX);
});

test('a delay ends with time, and other sources never have it', () => {
  const throttle = failing('a', FAILURES_FREE);
  assert.equal(refusedForMs(throttle, 'a', DELAY_FIRST_MS - 1), 1);
  assert.equal(refusedForMs(throttle, 'a', DELAY_FIRST_MS), 0);
  assert.equal(refusedForMs(throttle, 'b', 0), 0);
});

test('an hour without failures forgets them', () => {
  const later = failing('a', 10);
  authenticationFailed(later, 'a', FORGIVEN_AFTER_MS + 1);
  assert.equal(refusedForMs(later, 'a', FORGIVEN_AFTER_MS + 1), 0);
});

test('a source has one entry for each target and one for discovery', () => {
  const keys = [
    throttleKey('a', 'x'),
    throttleKey('a', 'y'),
    throttleKey('a', undefined),
    throttleKey('b', 'x'),
  ];
  assert.equal(new Set(keys).size, 4);
});

test('the table is bounded and forgets the oldest failure first', () => {
  const throttle = createLoginThrottle(3);
  for (const source of ['a', 'b', 'a', 'c', 'd']) authenticationFailed(throttle, source, 0);
  assert.deepEqual([...throttle.failures.keys()], ['a', 'c', 'd']);
});

function failing(source: string, times: number): LoginThrottle {
  const throttle = createLoginThrottle();
  for (let i = 0; i < times; i++) authenticationFailed(throttle, source, 0);
  return throttle;
}
