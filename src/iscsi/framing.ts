/**
 * Cuts the byte stream into PDUs (RFC 7143 §11.1, §11.2) without copying data: header, additional headers, header
 * digest, data, padding, data digest. A PDU that lies whole in one receive buffer is parsed in place; only a header
 * cut in two is put together in a staging buffer. Never buffers before the length was allowed.
 *
 * Ownership: the pieces of the data segment are views into receive buffers, each retained once; who wants to keep them
 * calls `takeData` and owes one `release` per source, otherwise they are released when the handler returns.
 */

import type { ReceivedBytes } from '../ports/byte-stream.ts';
import type { Crc32c } from '../ports/crypto.ts';
import { ahsLengthOf, BHS_LENGTH, DIGEST_LENGTH, dataLengthOf } from './pdu/bhs.ts';

const AHS_LENGTH_MAX = 255 * 4;
const STAGING_LENGTH = BHS_LENGTH + AHS_LENGTH_MAX + DIGEST_LENGTH;
const TRAILER_LENGTH_MAX = 3 + DIGEST_LENGTH;
const NOTHING: never[] = [];

export interface PduData {
  readonly segments: readonly Uint8Array[];
  readonly sources: readonly ReceivedBytes[];
}

/** One received PDU; the record is used again for the next. */
export interface Pdu {
  /** The header is at `at` of this view, additional headers behind it. Valid during the handler only. */
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly ahsLength: number;
  readonly dataLength: number;
  readonly segments: readonly Uint8Array[];
  readonly dataDigestCorrect: boolean;
  takeData(): PduData;
}

export type FramingFault = 'headerDigest' | 'dataTooLong';

export interface PduHandler {
  /** Bytes of data this PDU may carry. */
  dataLengthMax(view: DataView, at: number): number;
  /** False ends framing: the connection is over. */
  onPdu(pdu: Pdu): boolean;
}

export class Framing implements Pdu {
  headerDigest = false;
  dataDigest = false;
  view: DataView;
  bytes: Uint8Array;
  at = 0;
  ahsLength = 0;
  dataLength = 0;
  segments: Uint8Array[] = NOTHING;
  dataDigestCorrect = true;
  private sources: ReceivedBytes[] = NOTHING;
  private readonly handler: PduHandler;
  private readonly crc32c: Crc32c;
  private readonly staging = new Uint8Array(STAGING_LENGTH);
  private readonly stagingView = new DataView(this.staging.buffer);
  private phase: 'header' | 'data' | 'trailer' | 'over' = 'header';
  /** Bytes of the header in staging. */
  private staged = 0;
  private dataLeft = 0;
  private readonly trailer = new Uint8Array(TRAILER_LENGTH_MAX);
  private readonly trailerView = new DataView(this.trailer.buffer);
  private trailerLength = 0;
  private trailerFilled = 0;
  private crc = 0;

  constructor(handler: PduHandler, crc32c: Crc32c) {
    this.handler = handler;
    this.crc32c = crc32c;
    this.view = this.stagingView;
    this.bytes = this.staging;
  }

  /** Undefined, or why the connection must end. */
  push(received: ReceivedBytes): FramingFault | undefined {
    let at = received.start;
    const { end } = received;
    while (at < end && this.phase !== 'over') {
      if (this.phase === 'header') {
        const next = this.header(received, at, end);
        if (next < 0) return this.fail(next === HEADER_DIGEST ? 'headerDigest' : 'dataTooLong');
        at = next;
      }
      if (this.phase === 'data') at = this.data(received, at, end);
      if (this.phase === 'trailer') at = this.fillTrailer(received, at, end);
    }
    if ((this.phase === 'data' || this.phase === 'trailer') && this.view !== this.stagingView) this.stage();
    return undefined;
  }

  takeData(): PduData {
    const taken = { segments: this.segments, sources: this.sources };
    this.segments = NOTHING;
    this.sources = NOTHING;
    return taken;
  }

  /** The connection is over: gives back what an unfinished PDU holds. */
  close(): void {
    this.phase = 'over';
    this.releaseData();
  }

  /** Returns where to go on, or one of the negative faults. */
  private header(received: ReceivedBytes, at: number, end: number): number {
    const digestLength = this.headerDigest ? DIGEST_LENGTH : 0;
    if (this.staged === 0 && end - at >= BHS_LENGTH) {
      const length = BHS_LENGTH + ahsLengthOf(received.view, at) + digestLength;
      if (end - at >= length) {
        this.view = received.view;
        this.bytes = received.buffer;
        this.at = at;
        const fault = this.headerComplete(length - digestLength - BHS_LENGTH);
        return fault < 0 ? fault : at + length;
      }
    }
    if (this.staged < BHS_LENGTH) {
      at = this.stageBytes(received, at, end, BHS_LENGTH);
      if (this.staged < BHS_LENGTH) return at;
    }
    const length = BHS_LENGTH + ahsLengthOf(this.stagingView, 0) + digestLength;
    at = this.stageBytes(received, at, end, length);
    if (this.staged < length) return at;
    this.staged = 0;
    this.view = this.stagingView;
    this.bytes = this.staging;
    this.at = 0;
    const fault = this.headerComplete(length - digestLength - BHS_LENGTH);
    return fault < 0 ? fault : at;
  }

  private stageBytes(received: ReceivedBytes, at: number, end: number, upTo: number): number {
    const length = Math.min(end - at, upTo - this.staged);
    this.staging.set(received.buffer.subarray(at, at + length), this.staged);
    this.staged += length;
    return at + length;
  }

  private headerComplete(ahsLength: number): number {
    const { view, at } = this;
    if (this.headerDigest) {
      const end = at + BHS_LENGTH + ahsLength;
      if (this.crc32c(this.bytes.subarray(at, end), 0) !== view.getUint32(end, true)) return HEADER_DIGEST;
    }
    this.ahsLength = ahsLength;
    this.dataLength = dataLengthOf(view, at);
    this.dataDigestCorrect = true;
    if (this.dataLength === 0) {
      this.deliver();
      return 0;
    }
    if (this.dataLength > this.handler.dataLengthMax(view, at)) return DATA_TOO_LONG;
    this.phase = 'data';
    this.dataLeft = this.dataLength;
    this.trailerLength = (-this.dataLength & 3) + (this.dataDigest ? DIGEST_LENGTH : 0);
    this.trailerFilled = 0;
    this.crc = 0;
    this.segments = [];
    this.sources = [];
    return 0;
  }

  private data(received: ReceivedBytes, at: number, end: number): number {
    const length = Math.min(end - at, this.dataLeft);
    if (length > 0) {
      const piece = received.buffer.subarray(at, at + length);
      if (!this.extends(received, at, length)) {
        received.retain();
        this.segments.push(piece);
        this.sources.push(received);
      }
      if (this.dataDigest) this.crc = this.crc32c(piece, this.crc);
      this.dataLeft -= length;
    }
    if (this.dataLeft === 0) {
      if (this.trailerLength === 0) this.deliver();
      else this.phase = 'trailer';
    }
    return at + length;
  }

  /** Behind what came before in the same buffer: data that comes in bits is one piece all the same. */
  private extends(received: ReceivedBytes, at: number, length: number): boolean {
    const last = this.sources.length - 1;
    if (last < 0 || this.sources[last] !== received) return false;
    const former = this.segments[last]!;
    const from = former.byteOffset - received.buffer.byteOffset;
    if (from + former.length !== at) return false;
    this.segments[last] = received.buffer.subarray(from, at + length);
    return true;
  }

  private fillTrailer(received: ReceivedBytes, at: number, end: number): number {
    while (at < end && this.trailerFilled < this.trailerLength) {
      this.trailer[this.trailerFilled++] = received.buffer[at++]!;
    }
    if (this.trailerFilled < this.trailerLength) return at;
    if (this.dataDigest) {
      const pad = this.trailerLength - DIGEST_LENGTH;
      const crc = pad > 0 ? this.crc32c(this.trailer.subarray(0, pad), this.crc) : this.crc;
      this.dataDigestCorrect = crc === this.trailerView.getUint32(pad, true);
    }
    this.deliver();
    return at;
  }

  private deliver(): void {
    this.phase = 'header';
    const goOn = this.handler.onPdu(this);
    if (this.segments.length > 0) this.releaseData();
    if (!goOn) this.phase = 'over';
  }

  /** The receive buffer will be used again before this PDU is complete: keeps its header. */
  private stage(): void {
    const { at } = this;
    this.staging.set(this.bytes.subarray(at, at + BHS_LENGTH + this.ahsLength));
    this.view = this.stagingView;
    this.bytes = this.staging;
    this.at = 0;
  }

  private fail(fault: FramingFault): FramingFault {
    this.close();
    return fault;
  }

  private releaseData(): void {
    for (const source of this.sources) source.release();
    this.segments = NOTHING;
    this.sources = NOTHING;
  }
}

const HEADER_DIGEST = -1;
const DATA_TOO_LONG = -2;
