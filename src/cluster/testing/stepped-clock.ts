/** Time that moves when told, and what an action led to comes before the next one. */

import type { Clock, Timer } from '../../ports/clock.ts';

/** Promises that one action may settle one after the other. */
const TURNS = 20;

export class SteppedClock implements Clock {
  #time = 0;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { at: this.#time + Math.max(0, delayMs), action };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  async advance(ms: number): Promise<void> {
    const until = this.#time + ms;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- what an action led to comes before the next one
      for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#time = due.at;
      due.action();
    }
    this.#time = until;
  }
}
