/**
 * What an event loop and its write thread share: a ring of write calls, in memory that both see. The loop fills slots
 * and raises `asked`; the thread does the calls in order, leaves each result in its slot and raises `done`.
 *
 * Layout in bytes: asked u32 @0, done u32 @4; @16 per slot: offset f64, segment count s32, result s32;
 * then per slot its `struct iovec`s (base address u64, length u64), little-endian. The counters wrap at 2^32.
 */

export const SLOTS = 256;
export const SLOT_SEGMENTS = 16;

const SLOT_BYTES = 16;
const IOVEC_BYTES = 16;
const SLOTS_AT = 16;
const IOVECS_AT = SLOTS_AT + SLOTS * SLOT_BYTES;

const WORD = 2 ** 32;

export const ASKED = 0;
export const COMPLETED = 1;

export class WriteRing {
  readonly memory: SharedArrayBuffer;
  /** Indices: ASKED, COMPLETED. */
  readonly counters: Int32Array;
  readonly #view: DataView;

  constructor(memory = new SharedArrayBuffer(IOVECS_AT + SLOTS * SLOT_SEGMENTS * IOVEC_BYTES)) {
    this.memory = memory;
    this.counters = new Int32Array(memory, 0, 2);
    this.#view = new DataView(memory);
  }

  setCall(slot: number, offset: number, segments: number): void {
    this.#view.setFloat64(SLOTS_AT + slot * SLOT_BYTES, offset, true);
    this.#view.setInt32(SLOTS_AT + slot * SLOT_BYTES + 8, segments, true);
  }

  setSegment(slot: number, index: number, address: number, length: number): void {
    const at = IOVECS_AT + (slot * SLOT_SEGMENTS + index) * IOVEC_BYTES;
    this.#view.setUint32(at, address % WORD, true);
    this.#view.setUint32(at + 4, Math.floor(address / WORD), true);
    this.#view.setUint32(at + 8, length, true);
  }

  offset(slot: number): number {
    return this.#view.getFloat64(SLOTS_AT + slot * SLOT_BYTES, true);
  }

  segments(slot: number): number {
    return this.#view.getInt32(SLOTS_AT + slot * SLOT_BYTES + 8, true);
  }

  setResult(slot: number, result: number): void {
    this.#view.setInt32(SLOTS_AT + slot * SLOT_BYTES + 12, result, true);
  }

  result(slot: number): number {
    return this.#view.getInt32(SLOTS_AT + slot * SLOT_BYTES + 12, true);
  }

  /** Where in `memory` the slot's iovecs lie. */
  iovecsAt(slot: number): number {
    return IOVECS_AT + slot * SLOT_SEGMENTS * IOVEC_BYTES;
  }
}
