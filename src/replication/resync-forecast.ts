/** How fast a resync goes, and how long it still takes: from what was left at each look, the last minute counting most. */

const MEMORY_MS = 60_000;
/** Before that a rate says nothing. */
const FIRST_MS = 1000;

export class ResyncForecast {
  readonly #total: number;
  readonly #begunAt: number;
  #left: number;
  #lookedAt: number;
  #perMs = 0;

  constructor(total: number, now: number) {
    this.#total = total;
    this.#left = total;
    this.#begunAt = now;
    this.#lookedAt = now;
  }

  look(left: number, now: number): void {
    const passed = now - this.#lookedAt;
    if (passed <= 0) return;
    const rate = (this.#left - left) / passed;
    const isYoung = now - this.#begunAt < MEMORY_MS;
    // At first the plain mean, later one that forgets.
    const weight = isYoung ? passed / (now - this.#begunAt) : Math.min(1, passed / MEMORY_MS);
    this.#perMs += (rate - this.#perMs) * weight;
    this.#left = left;
    this.#lookedAt = now;
  }

  /** Of what had to be compared at the beginning, in whole percent; 100 only when nothing is left. */
  get percent(): number {
    return this.#total === 0 ? 100 : Math.floor((100 * (this.#total - this.#left)) / this.#total);
  }

  get chunksPerSecond(): number {
    return Math.max(0, this.#perMs * 1000);
  }

  /** Undefined: not to be told yet, or it does not come any nearer. */
  get secondsLeft(): number | undefined {
    if (this.#left === 0) return 0;
    if (this.#lookedAt - this.#begunAt < FIRST_MS || this.#perMs <= 0) return undefined;
    return this.#left / this.#perMs / 1000;
  }
}
