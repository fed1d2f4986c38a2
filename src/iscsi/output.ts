/**
 * What a connection sends. Headers are encoded in place into a gather buffer, small data is copied behind them, large
 * data is listed by reference; one `flush` hands everything of a turn to the stream. Adds digests and padding.
 *
 * Invariant: bytes handed to the stream are not touched before it has taken them; a gather buffer goes back to the
 * pool, and a loan to its lender, only then.
 */

import type { Loan } from '../ports/block-device.ts';
import type { ByteStream } from '../ports/byte-stream.ts';
import type { Crc32c } from '../ports/crypto.ts';
import { BHS_LENGTH, DIGEST_LENGTH } from './pdu/bhs.ts';
import type { SegmentCursor } from './segments.ts';

const GATHER_BYTES = 160 * 1024;
const POOLED_BUFFERS_MAX = 64;
/** Pieces up to this length are copied: cheaper than an entry of its own in the kernel's vector. */
export const COPIED_BYTES_MAX = 16 * 1024;

export interface GatherBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Gather buffers of all connections of a node; the one used last is handed out first (it is in the CPU's cache). */
export class GatherPool {
  private readonly free: GatherBuffer[] = [];

  take(): GatherBuffer {
    const pooled = this.free.pop();
    if (pooled !== undefined) return pooled;
    const bytes = new Uint8Array(GATHER_BYTES);
    return { bytes, view: new DataView(bytes.buffer) };
  }

  give(buffer: GatherBuffer): void {
    if (this.free.length < POOLED_BUFFERS_MAX) this.free.push(buffer);
  }
}

export class Output {
  headerDigest = false;
  dataDigest = false;
  /** False while the stream has more queued than it should: stop producing. */
  flowing = true;
  private readonly stream: ByteStream;
  private readonly pool: GatherPool;
  private readonly crc32c: Crc32c;
  private gather: GatherBuffer | undefined;
  /** The part of the gather buffer that is not listed yet. */
  private from = 0;
  private at = 0;
  private segments: Uint8Array[] = [];
  private buffers: GatherBuffer[] = [];
  private loans: Loan[] = [];
  private crc = 0;

  constructor(stream: ByteStream, pool: GatherPool, crc32c: Crc32c) {
    this.stream = stream;
    this.pool = pool;
    this.crc32c = crc32c;
  }

  /** Room for a header; encode it into `view` at the offset returned, then call `endHeader`. */
  beginHeader(): number {
    this.makeRoom(BHS_LENGTH + DIGEST_LENGTH);
    return this.at;
  }

  get view(): DataView {
    return this.gather!.view;
  }

  endHeader(): void {
    const { at } = this;
    this.at = at + BHS_LENGTH;
    if (!this.headerDigest) return;
    const { bytes, view } = this.gather!;
    view.setUint32(this.at, this.crc32c(bytes.subarray(at, this.at), 0), true);
    this.at += DIGEST_LENGTH;
  }

  /** The data segment: the next `length` bytes under the cursor. True if any of it is referenced, not copied. */
  data(cursor: SegmentCursor, length: number): boolean {
    let referenced = false;
    let left = length;
    this.crc = 0;
    while (left > 0) {
      const segment = cursor.segments[cursor.index]!;
      const take = Math.min(segment.length - cursor.offset, left);
      if (take > 0) referenced = this.piece(segment, cursor.offset, take) || referenced;
      left -= take;
      cursor.offset += take;
      if (cursor.offset === segment.length) {
        cursor.index++;
        cursor.offset = 0;
      }
    }
    this.endData(length);
    return referenced;
  }

  /** A small data segment in one piece, copied. */
  smallData(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.data({ segments: [bytes], index: 0, offset: 0 }, bytes.length);
  }

  /** Gives the loan back when the stream has taken what is queued now. */
  releaseWhenTaken(loan: Loan): void {
    this.loans.push(loan);
  }

  flush(): void {
    this.list();
    if (this.segments.length === 0) return;
    if (this.gather !== undefined) this.buffers.push(this.gather);
    const { segments, buffers, loans } = this;
    this.segments = [];
    this.buffers = [];
    this.loans = [];
    this.gather = undefined;
    this.from = 0;
    this.at = 0;
    this.flowing = this.stream.send(segments, () => this.taken(buffers, loans));
  }

  /** Forgets what was not flushed. */
  discard(): void {
    if (this.gather !== undefined) this.buffers.push(this.gather);
    this.taken(this.buffers, this.loans);
    this.gather = undefined;
    this.segments = [];
    this.buffers = [];
    this.loans = [];
    this.from = 0;
    this.at = 0;
  }

  private taken(buffers: readonly GatherBuffer[], loans: readonly Loan[]): void {
    for (const buffer of buffers) this.pool.give(buffer);
    for (const loan of loans) loan.release();
  }

  private piece(segment: Uint8Array, offset: number, length: number): boolean {
    const whole = offset === 0 && length === segment.length;
    const bytes = whole ? segment : segment.subarray(offset, offset + length);
    if (this.dataDigest) this.crc = this.crc32c(bytes, this.crc);
    if (length > COPIED_BYTES_MAX) {
      this.list();
      this.segments.push(bytes);
      return true;
    }
    this.makeRoom(length);
    this.gather!.bytes.set(bytes, this.at);
    this.at += length;
    return false;
  }

  /** Padding and digest (RFC 7143 §11.2.3): the padding is zeros and is covered by the digest. */
  private endData(length: number): void {
    const pad = -length & 3;
    if (pad === 0 && !this.dataDigest) return;
    this.makeRoom(pad + DIGEST_LENGTH);
    const { bytes, view } = this.gather!;
    const at = this.at;
    for (let index = 0; index < pad; index++) bytes[at + index] = 0;
    this.at = at + pad;
    if (!this.dataDigest) return;
    if (pad > 0) this.crc = this.crc32c(bytes.subarray(at, this.at), this.crc);
    view.setUint32(this.at, this.crc, true);
    this.at += DIGEST_LENGTH;
  }

  private makeRoom(length: number): void {
    if (this.gather !== undefined) {
      if (this.at + length <= GATHER_BYTES) return;
      this.list();
      this.buffers.push(this.gather);
    }
    this.gather = this.pool.take();
    this.from = 0;
    this.at = 0;
  }

  /** Lists what was gathered since the last time. */
  private list(): void {
    if (this.at === this.from) return;
    this.segments.push(this.gather!.bytes.subarray(this.from, this.at));
    this.from = this.at;
  }
}
