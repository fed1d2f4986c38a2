/** Reads through bytes that lie in several segments, from their beginning to their end. */

import { assert } from '../base/assert.ts';

export class Cursor {
  #segments: readonly Uint8Array[] = [];
  #index = 0;
  #taken = 0;

  begin(segments: readonly Uint8Array[]): void {
    this.#segments = segments;
    this.#index = 0;
    this.#taken = 0;
  }

  /** Holds on to nothing any more. */
  end(): void {
    this.#segments = [];
  }

  copyTo(target: Uint8Array, at: number, length: number): void {
    for (let left = length; left > 0; ) {
      const segment = this.#segments[this.#index];
      assert(segment !== undefined, 'there are as many bytes as are asked for');
      const run = Math.min(left, segment.length - this.#taken);
      const isWhole = run === segment.length;
      if (run > 0)
        target.set(isWhole ? segment : segment.subarray(this.#taken, this.#taken + run), at + length - left);
      left -= run;
      this.#advance(segment, run);
    }
  }

  skip(length: number): void {
    for (let left = length; left > 0; ) {
      const segment = this.#segments[this.#index];
      assert(segment !== undefined, 'there are as many bytes as are skipped');
      const run = Math.min(left, segment.length - this.#taken);
      left -= run;
      this.#advance(segment, run);
    }
  }

  #advance(segment: Uint8Array, run: number): void {
    this.#taken += run;
    if (this.#taken < segment.length) return;
    this.#index += 1;
    this.#taken = 0;
  }
}
