/**
 * How many chunks may be on their way at once: as many as clients do not notice. Additive increase while their writes
 * stay within the target, halved when they do not; always one, so that a resync ends.
 */

const WINDOW_MAX = 32;
const WINDOW_START = 4;

export class ResyncPace {
  window = WINDOW_START;
  readonly #targetMs: number;
  #sum = 0;
  #count = 0;

  constructor(targetMs: number) {
    this.#targetMs = targetMs;
  }

  /** A client's write took this long. */
  observe(latencyMs: number): void {
    this.#sum += latencyMs;
    this.#count += 1;
  }

  /** Once in a while: looks at what was observed since. */
  adjust(): void {
    const mean = this.#count === 0 ? 0 : this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    if (mean > this.#targetMs) this.window = Math.max(1, this.window >> 1);
    else this.window = Math.min(WINDOW_MAX, this.window + 1);
  }
}
