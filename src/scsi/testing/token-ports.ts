/** For tests only: a clock that is set by hand, and randomness that is only different each time. */

import type { Clock } from '../../ports/clock.ts';
import type { Crypto } from '../../ports/crypto.ts';

/** What is waited for comes at once; time passes only by `advance`. */
export class HandClock implements Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  after(_delayMs: number, action: () => void): { cancel(): void } {
    void Promise.resolve().then(action);
    return { cancel: () => undefined };
  }

  advance(ms: number): void {
    this.#now += ms;
  }
}

let drawn = 0;

export const testCrypto: Crypto = {
  digest: () => new Uint8Array(32),
  randomBytes(length) {
    drawn += 1;
    return Uint8Array.from({ length }, (_, at) => (drawn * 31 + at * 7 + (drawn >>> 8)) & 0xff).fill(
      drawn >>> 8,
      0,
      1,
    );
  },
  equal: (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]),
};
