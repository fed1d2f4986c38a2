// Goal: the clock never goes back and no timer fires early. Method: real time, a few short timers.

import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from './clock.ts';

test('a timer fires once and never before its delay is over', async () => {
  for (const delayMs of [0, 0.4, 1, 1.6, 5]) {
    const begun = systemClock.now();
    await new Promise<void>((resolve) => {
      systemClock.after(delayMs, resolve);
    });
    assert.ok(systemClock.now() - begun >= delayMs);
  }
});

test('a cancelled timer does not fire', async () => {
  let fired = false;
  systemClock
    .after(1, () => {
      fired = true;
    })
    .cancel();
  await new Promise<void>((resolve) => {
    systemClock.after(10, resolve);
  });
  assert.equal(fired, false);
});

test('a delay longer than 32 bits of milliseconds does not fire at once', async () => {
  let fired = false;
  const timer = systemClock.after(2 ** 40, () => {
    fired = true;
  });
  await new Promise<void>((resolve) => {
    systemClock.after(10, resolve);
  });
  timer.cancel();
  assert.equal(fired, false);
});
