/** Goal: a resync goes as fast as clients do not notice, and never stands still. Method: latencies in, window out. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ResyncPace } from './resync-pace.ts';

const TARGET = 20;

function after(pace: ResyncPace, rounds: number, ...latencies: number[]): number {
  for (let round = 0; round < rounds; round++) {
    for (const latency of latencies) pace.observe(latency);
    pace.adjust();
  }
  return pace.window;
}

test('without clients, and with ones that are fast enough, the window grows one by one up to a limit', () => {
  const pace = new ResyncPace(TARGET);
  const start = pace.window;
  assert.equal(after(pace, 1), start + 1);
  assert.equal(after(pace, 3, TARGET), start + 4);
  assert.equal(after(pace, 1000, TARGET), 32);
});

test('clients that wait too long halve it, down to one', () => {
  const pace = new ResyncPace(TARGET);
  after(pace, 1000);
  assert.deepEqual(
    [16, 8, 4, 2, 1, 1].map(() => after(pace, 1, TARGET + 1)),
    [16, 8, 4, 2, 1, 1],
  );
  assert.equal(after(pace, 1), 2);
});

test('the mean decides, of what came since the last look only', () => {
  const pace = new ResyncPace(TARGET);
  const start = pace.window;
  assert.equal(after(pace, 1, 1, 1, 50), start + 1);
  assert.equal(after(pace, 1, 15, 30), (start + 1) >> 1);
  assert.equal(after(pace, 1, TARGET), ((start + 1) >> 1) + 1);
});
