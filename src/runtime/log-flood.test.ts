/** Goal: a flood of one event costs few lines, hides no other event, and is told in numbers. Method: time by hand. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLOOD_PERIOD_MS, LINES_PER_PERIOD_MAX, limitFloods } from './log-flood.ts';

function bench() {
  const lines: unknown[][] = [];
  const timers: { readonly at: number; readonly action: () => void }[] = [];
  let now = 500;
  const trace = limitFloods((...line) => lines.push(line), {
    now: () => now,
    after: (delayMs, action) => {
      timers.push({ at: now + delayMs, action });
      return { cancel: () => undefined };
    },
  });
  const advance = (ms: number): void => {
    now += ms;
    for (const timer of timers.splice(0)) {
      if (timer.at <= now) timer.action();
      else timers.push(timer);
    }
  };
  return { lines, trace, advance, timers };
}

test('an event has its lines in a period; then one line says how many were left out', () => {
  const { lines, trace, advance } = bench();
  for (let i = 0; i < 1000; i += 1) trace('warn', 'peer.failed', { i });
  trace('info', 'peer.opened');
  assert.equal(lines.length, LINES_PER_PERIOD_MAX + 1);
  assert.deepEqual(lines.at(-1), ['info', 'peer.opened', undefined], 'other events have lines of their own');
  advance(FLOOD_PERIOD_MS);
  assert.deepEqual(lines.at(-1), ['warn', 'log.leftOut', { of: 'peer.failed', lines: 980 }]);
  trace('warn', 'peer.failed');
  assert.deepEqual(lines.at(-1), ['warn', 'peer.failed', undefined]);
  assert.equal(lines.length, LINES_PER_PERIOD_MAX + 3);
});

test('events below the limit leave nothing out, however long they go on', () => {
  const { lines, trace, advance, timers } = bench();
  for (let i = 0; i < 200; i += 1) {
    trace('warn', 'peer.failed');
    advance(FLOOD_PERIOD_MS / LINES_PER_PERIOD_MAX);
  }
  assert.deepEqual([lines.length, timers.length], [200, 0]);
});

test('debug is not limited', () => {
  const { lines, trace } = bench();
  for (let i = 0; i < 100; i += 1) trace('debug', 'detail');
  assert.equal(lines.length, 100);
});
