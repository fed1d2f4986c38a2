/** Time that only moves when told. */

import type { Clock, Timer } from '../../ports/clock.ts';

export class ManualClock implements Clock {
  #time = 1000;
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { at: this.#time + delayMs, action };
    this.#timers.push(timer);
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  advance(ms: number): void {
    const until = this.#time + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#time = Math.max(this.#time, due.at);
      due.action();
    }
    this.#time = until;
  }
}
