/** Goal: a process without CPU drops nobody's session too early, and nobody's too late. Method: time that is jumped over. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { BEAT_MS, LATE_MS, STALL_MS } from '../../cluster/times.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { Standstill } from './standstill.ts';

function begun() {
  const clock = new ManualClock();
  const standstill = new Standstill(clock);
  const beatAfter = (ms: number): number | undefined => {
    clock.advance(ms);
    return standstill.beat();
  };
  return { clock, standstill, beatAfter };
}

test('a standstill shorter than what is left of a lease is none', () => {
  const { clock, standstill, beatAfter } = begun();
  clock.advance(STALL_MS);
  assert.equal(standstill.isTooLong, false);
  assert.equal(standstill.beat(), undefined);
  assert.equal(beatAfter(BEAT_MS), undefined);
  assert.equal(beatAfter(STALL_MS), undefined, 'the one before was over');
});

test('a longer one is seen at once, also before the next heartbeat, and is told once', () => {
  const { clock, standstill, beatAfter } = begun();
  clock.advance(STALL_MS + 1);
  assert.equal(standstill.isTooLong, true);
  assert.equal(standstill.beat(), STALL_MS + 1);
  assert.equal(standstill.isTooLong, false);
  assert.equal(beatAfter(BEAT_MS), undefined);
});

test('standstills in a row count together, until a heartbeat is on time', () => {
  const { beatAfter } = begun();
  assert.equal(beatAfter(STALL_MS / 2), undefined);
  assert.equal(beatAfter(STALL_MS / 2), undefined);
  assert.equal(beatAfter(LATE_MS + 1), STALL_MS + LATE_MS + 1);
  for (let times = 0; times < 10; times++) {
    assert.equal(beatAfter(LATE_MS + 1), undefined);
    assert.equal(beatAfter(LATE_MS), undefined, 'slow, and not late');
  }
});
