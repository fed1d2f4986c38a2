/**
 * Receive buffers of TCP streams. Handed-out bytes are never rewritten: while somebody retains views into a slab,
 * reading goes on behind them; a full slab is replaced and comes back to the pool with its last release.
 *
 * A stream starts with a small slab (a thousand half-open connections hold little) and changes to large ones when
 * a read fills the small one.
 */

import { assert } from '../base/assert.ts';
import type { ReceivedBytes } from '../ports/byte-stream.ts';

const SMALL_BYTES = 16 * 1024;
const LARGE_BYTES = 512 * 1024;
/** Less room than this at the end of a large slab is not worth a read. */
const LARGE_ROOM_BYTES_MIN = 64 * 1024;
const SMALL_ROOM_BYTES_MIN = 2 * 1024;
const POOLED_SLABS_MAX = 64;
/** This many short reads in a row and a large slab goes back to the pool. */
const SHORT_READS_TO_SHRINK = 256;

const pool: ArrayBuffer[] = [];

export class ReceiveSlab implements ReceivedBytes {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  start = 0;
  end = 0;
  /** Views held by the receiver. */
  private holds = 0;
  /** No longer read into. */
  private retired = false;

  constructor(memory: ArrayBuffer) {
    this.buffer = new Uint8Array(memory);
    this.view = new DataView(memory);
  }

  get held(): boolean {
    return this.holds > 0;
  }

  retain(): void {
    this.holds++;
  }

  release(): void {
    assert(this.holds > 0, 'a receive slab was released more often than retained');
    this.holds--;
    if (this.retired && this.holds === 0) recycle(this);
  }

  retire(): void {
    this.retired = true;
    if (this.holds === 0) recycle(this);
  }
}

/** The slabs of one stream. */
export class ReceiveBuffers {
  private slab: ReceiveSlab | undefined = new ReceiveSlab(new ArrayBuffer(SMALL_BYTES));
  private shortReads = 0;
  private wantLarge = false;

  /** Where the next read goes. */
  next(): Uint8Array<ArrayBuffer> {
    let slab = this.slab ?? this.replace();
    const large = slab.buffer.length > SMALL_BYTES;
    if (!slab.held) {
      if (large !== this.wantLarge) slab = this.replace();
      slab.end = 0;
      return slab.buffer;
    }
    const room = slab.buffer.length - slab.end;
    if (room < (large ? LARGE_ROOM_BYTES_MIN : SMALL_ROOM_BYTES_MIN)) {
      slab = this.replace();
      return slab.buffer;
    }
    return slab.buffer.subarray(slab.end);
  }

  /** `length` bytes were read to where `next` had said. */
  filled(length: number): ReceiveSlab {
    const slab = this.slab;
    assert(slab !== undefined, 'bytes were read into a closed stream');
    slab.start = slab.end;
    slab.end += length;
    if (slab.end === slab.buffer.length) {
      this.wantLarge = true;
      this.shortReads = 0;
    } else if (length >= SMALL_BYTES) {
      this.shortReads = 0;
    } else if (++this.shortReads > SHORT_READS_TO_SHRINK) {
      this.wantLarge = false;
    }
    return slab;
  }

  close(): void {
    this.slab?.retire();
    this.slab = undefined;
  }

  private replace(): ReceiveSlab {
    this.slab?.retire();
    const memory = this.wantLarge
      ? (pool.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES).buffer)
      : new ArrayBuffer(SMALL_BYTES);
    this.slab = new ReceiveSlab(memory);
    return this.slab;
  }
}

function recycle(slab: ReceiveSlab): void {
  const memory = slab.buffer.buffer;
  if (memory.byteLength === LARGE_BYTES && pool.length < POOLED_SLABS_MAX) pool.push(memory);
}
