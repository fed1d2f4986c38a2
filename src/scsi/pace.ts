/**
 * Giving way. SANITIZE, EXTENDED COPY and long VERIFYs work in chunks; between chunks the event loop serves everybody
 * else, and a rate, when there is one, is kept over the whole of the work.
 */

import type { MaybeAsync } from '../base/result.ts';
import type { Clock } from '../ports/clock.ts';

/** Longest stretch without a turn of the event loop, in milliseconds. */
const STRETCH_MS = 5;

export interface Pace {
  /** Called after each chunk: answers when the next may begin. */
  worked(bytes: number): MaybeAsync<void>;
}

const UNPACED: Pace = { worked: () => undefined };

export function createPace(clock: Clock | undefined, bytesPerSecondMax = Number.POSITIVE_INFINITY): Pace {
  if (clock === undefined) return UNPACED;
  const start = clock.now();
  let turnStart = start;
  let done = 0;
  return {
    worked(bytes) {
      done += bytes;
      const due = start + (done * 1000) / bytesPerSecondMax;
      const now = clock.now();
      if (due <= now && now - turnStart < STRETCH_MS) return undefined;
      return new Promise((resolve) => {
        clock.after(Math.max(0, due - now), () => {
          turnStart = clock.now();
          resolve();
        });
      });
    },
  };
}
