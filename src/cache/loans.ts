/** What a reader is lent: pinned frames, loans of the device beneath, or both. */

import { assert } from '../base/assert.ts';
import { copyOf } from '../base/segments.ts';
import type { Loan } from '../ports/block-device.ts';
import type { Frames } from './frames.ts';

/** The usual loan: within one page. */
export class FrameLoan implements Loan {
  readonly segments: readonly Uint8Array[];
  readonly #frames: Frames;
  readonly #frame: number;
  #isReleased = false;

  constructor(frames: Frames, frame: number, view: Uint8Array) {
    this.segments = [view];
    this.#frames = frames;
    this.#frame = frame;
  }

  release(): void {
    assert(!this.#isReleased, 'a loan is released once');
    this.#isReleased = true;
    this.#frames.unpin(this.#frame);
  }
}

export class FramesLoan implements Loan {
  readonly segments: readonly Uint8Array[];
  readonly #frames: Frames;
  readonly #pins: readonly number[];
  readonly #below: readonly Loan[];
  #isReleased = false;

  constructor(
    frames: Frames,
    pins: readonly number[],
    segments: readonly Uint8Array[],
    below: readonly Loan[],
  ) {
    this.segments = segments;
    this.#frames = frames;
    this.#pins = pins;
    this.#below = below;
  }

  release(): void {
    assert(!this.#isReleased, 'a loan is released once');
    this.#isReleased = true;
    for (const frame of this.#pins) this.#frames.unpin(frame);
    for (const loan of this.#below) loan.release();
  }
}

/** A copy, for who cannot be lent the bytes themselves. */
export function copyLoan(segments: readonly Uint8Array[]): Loan {
  return { segments: [copyOf(segments)], release: () => undefined };
}
