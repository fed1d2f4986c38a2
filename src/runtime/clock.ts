/** Time of the machine for the `Clock` port: the monotonic clock, and Node's timers. */

import type { Clock, Timer } from '../ports/clock.ts';

/** setTimeout takes a signed 32-bit count; a longer one would fire at once. */
const DELAY_MS_MAX = 0x7fff_ffff;

export const systemClock: Clock = {
  now: () => performance.now(),
  after,
};

/**
 * Node counts whole milliseconds from the loop's own, slightly old, time and may fire up to one early; the port says
 * "not before", so an early or a cut-off timer is armed again for what is left.
 */
function after(delayMs: number, action: () => void): Timer {
  const dueAt = performance.now() + delayMs;
  let handle: NodeJS.Timeout;
  const arm = (left: number): void => {
    handle = setTimeout(fire, Math.min(Math.max(Math.ceil(left), 0), DELAY_MS_MAX));
  };
  const fire = (): void => {
    const left = dueAt - performance.now();
    if (left > 0) arm(left);
    else action();
  };
  arm(delayMs);
  return { cancel: () => clearTimeout(handle) };
}
