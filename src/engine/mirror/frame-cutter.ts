/**
 * Cuts the bytes of a connection into frames. A frame that came in one piece is handed out where it lies; one that came in
 * several is copied, once, into a buffer of its own.
 *
 * Invariants
 *  1. Every byte is handed out once, in order, whatever the pieces are.
 *  2. Nothing is made for a frame before its header is there and has been found good.
 */

import { fail, ok, type Result } from '../../base/result.ts';
import { type FrameFault, HEADER_LENGTH } from './frame.ts';

export interface FrameCutterOptions {
  /** Of the frame that begins at `at`; its header is there. */
  lengthAt(view: DataView, at: number): Result<number, FrameFault>;
  /** False: nothing more is wanted. */
  onFrame(view: DataView, at: number, end: number): boolean;
}

export class FrameCutter {
  readonly #options: FrameCutterOptions;
  readonly #header = new Uint8Array(HEADER_LENGTH);
  /** The frame that is under way, once its length is known. */
  #frame: Uint8Array | undefined;
  /** How much of it, or else of its header, is there. */
  #filled = 0;

  constructor(options: FrameCutterOptions) {
    this.#options = options;
  }

  /** The next bytes; they are kept. Answers why they are no frames. */
  push(bytes: Uint8Array): FrameFault | undefined {
    const options = this.#options;
    const begun = this.#complete(bytes);
    if (!begun.ok) return begun.fault;
    let at = begun.value;
    const view = viewOf(bytes);
    while (bytes.length - at >= HEADER_LENGTH) {
      const length = options.lengthAt(view, at);
      if (!length.ok) return length.fault;
      const end = at + length.value;
      if (end > bytes.length) {
        this.#frame = new Uint8Array(length.value);
        break;
      }
      if (!options.onFrame(view, at, end)) return undefined;
      at = end;
    }
    this.#fill(bytes, at);
    return undefined;
  }

  /** What has begun before. Answers how many bytes it took. */
  #complete(bytes: Uint8Array): Result<number, FrameFault> {
    if (this.#filled === 0) return ok(0);
    const options = this.#options;
    let at = 0;
    if (this.#frame === undefined) {
      at = this.#fill(bytes, 0);
      if (this.#filled < HEADER_LENGTH) return ok(at);
      const length = options.lengthAt(viewOf(this.#header), 0);
      if (!length.ok) return fail(length.fault);
      this.#frame = new Uint8Array(length.value);
      this.#frame.set(this.#header);
    }
    at += this.#fill(bytes, at);
    const frame = this.#frame;
    if (this.#filled < frame.length) return ok(at);
    this.#frame = undefined;
    this.#filled = 0;
    return ok(options.onFrame(viewOf(frame), 0, frame.length) ? at : bytes.length);
  }

  /** As many bytes as belong to the frame, or to its header. */
  #fill(bytes: Uint8Array, at: number): number {
    const target = this.#frame ?? this.#header;
    const count = Math.min(bytes.length - at, target.length - this.#filled);
    target.set(bytes.subarray(at, at + count), this.#filled);
    this.#filled += count;
    return count;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
