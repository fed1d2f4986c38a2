// Goal: a link that is too slow for mirroring is told once, and once when it is swift again. Method: round trips by number.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ROUND_TRIP_MS_MAX } from '../../ports/partner-network.ts';
import { countRoundTrip, newLinkCounters } from './link-counters.ts';

test('a link becomes slow and swift once each, and a single late answer makes it neither', () => {
  const counters = newLinkCounters();
  const tell = (ms: number, times: number): string[] =>
    Array.from({ length: times }, () => countRoundTrip(counters, ms) ?? []).flat();
  assert.deepEqual(tell(0.3, 10), []);
  assert.deepEqual(tell(30, 1), []);
  assert.deepEqual(tell(0.3, 30), []);
  assert.deepEqual(tell(ROUND_TRIP_MS_MAX + 1, 50), ['slow']);
  assert.deepEqual(tell(ROUND_TRIP_MS_MAX - 0.5, 50), []);
  assert.deepEqual(tell(1, 50), ['swift']);
});
