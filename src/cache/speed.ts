/** How fast the device beneath takes what is written out, from what was seen: recent bytes count more than old ones. */

/** Older than this counts half. */
const HALF_LIFE_MS = 30_000;
/** Less than this tells nothing. */
const SEEN_MS_MIN = 1;

export class Speed {
  #bytes = 0;
  #busyMs = 0;
  #active = 0;
  #since = 0;

  /** A write begins. */
  begin(now: number): void {
    if (this.#active === 0) this.#since = now;
    this.#active += 1;
  }

  /** A write has ended; `bytes` of it are beneath. */
  end(now: number, bytes: number): void {
    const busyMs = Math.max(0, now - this.#since);
    const kept = 0.5 ** (busyMs / HALF_LIFE_MS);
    this.#bytes = this.#bytes * kept + bytes;
    this.#busyMs = this.#busyMs * kept + busyMs;
    this.#since = now;
    this.#active -= 1;
  }

  /** Milliseconds for so many bytes; undefined as long as nothing has been seen. */
  forecastMs(bytes: number): number | undefined {
    if (bytes === 0) return 0;
    if (this.#busyMs < SEEN_MS_MIN || this.#bytes === 0) return undefined;
    return (bytes * this.#busyMs) / this.#bytes;
  }
}
