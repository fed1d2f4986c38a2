/**
 * How long this process stood still: it had no CPU, was frozen, or its machine was. Nothing but its own heartbeats tells. What
 * initiators sent meanwhile is still to be read, and is older than it looks.
 *
 * Invariant: until a heartbeat is on time again one standstill adds to the other, as what is read between them may have come
 * before both.
 */

import { LATE_MS, STALL_MS } from '../../cluster/times.ts';
import type { Clock } from '../../ports/clock.ts';

export class Standstill {
  readonly #clock: Clock;
  #beatAt: number;
  /** Since the last heartbeat that was on time, up to the last one: by the former everything had been read that had come. */
  #stoodMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beatAt = clock.now();
  }

  /** Others may have gone on, and initiators by them. */
  get isTooLong(): boolean {
    return this.#standingMs() > STALL_MS;
  }

  /** Every BEAT_MS. Answers how long it was, in milliseconds, when it was too long; the next one begins then. */
  beat(): number | undefined {
    const stoodMs = this.#standingMs();
    this.#beatAt = this.#clock.now();
    const isTooLong = stoodMs > STALL_MS;
    this.#stoodMs = isTooLong ? 0 : stoodMs;
    return isTooLong ? stoodMs : undefined;
  }

  #standingMs(): number {
    const sinceMs = this.#clock.now() - this.#beatAt;
    return sinceMs > LATE_MS ? this.#stoodMs + sinceMs : 0;
  }
}
