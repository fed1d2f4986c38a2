/**
 * What the codecs of messages between nodes have in common (docs/FORMATS.md, "Messages between nodes").
 *
 *   fields                          data
 *   one after the other, rows of    payloads one after the other, each as long as the fields say: segments that stay
 *   fixed length behind a count     where they are when sent, views of the receive buffer when received
 *
 * Invariants
 *  1. A reader never throws and never reads beyond its message, whatever the bytes are. After its first fault everything
 *     reads as zero and every count as none, so that a codec looks at `fault` once, at the end.
 *  2. Nothing is made for a count before as many bytes are there.
 *  3. What a codec answers can be encoded again.
 */

import { assert } from './assert.ts';
import { getCount, putCount } from './count.ts';
import type { Failed } from './result.ts';
import { lengthOf } from './segments.ts';
import { decodeUtf8, encodeUtf8 } from './text.ts';

export type WireFault =
  /** The message ends before its fields or its data do, or goes on behind them. */
  | { readonly kind: 'wrongLength' }
  /** Of a kind, or with a name, that this program does not know. */
  | { readonly kind: 'unknownKind' }
  /** A number, a count or an extent that cannot be. */
  | { readonly kind: 'outOfRange' }
  | { readonly kind: 'malformedText' };

/** One kind of message, or a part of one. */
export interface MessageCodec<M> {
  put(to: WireWriter, message: M): void;
  /** Undefined only with a fault in the reader. */
  get(from: WireReader): M | undefined;
}

/** Where a message lies in a view. */
export interface MessagePlace {
  readonly fields: number;
  readonly fieldsEnd: number;
  readonly data: number;
  readonly end: number;
}

/** In the place of a text's length: there is no text. */
const NO_TEXT = 0xffff;
const BUFFER_LENGTH = 16 * 1024;
const ZEROS = new DataView(new ArrayBuffer(64));

/** A message as it was written: what is before, its fields, what is behind them; and its data. */
export interface Written {
  /** Of a larger buffer, which is never written again where it was given away. */
  readonly view: DataView;
  readonly head: Uint8Array;
  readonly data: readonly Uint8Array[];
}

/**
 * Writes one message after the other, with room around the fields for whoever frames them. Buffers hold many messages:
 * making one for each takes longer than writing into it.
 */
export class WireWriter {
  readonly #before: number;
  readonly #behind: number;
  #bytes = new Uint8Array(BUFFER_LENGTH);
  #view = new DataView(this.#bytes.buffer);
  /** Where the message begins, with what is before its fields. */
  #start = 0;
  #at: number;
  #data: Uint8Array[] = [];
  #dataLength = 0;

  constructor(before: number, behind: number) {
    this.#before = before;
    this.#behind = behind;
    this.#at = before;
  }

  get fieldsLength(): number {
    return this.#at - this.#start - this.#before;
  }

  get dataLength(): number {
    return this.#dataLength;
  }

  /** The message that was put since the last time. */
  take(): Written {
    this.#room(this.#behind);
    const [start, end] = [this.#start, this.#at];
    const head = this.#bytes.subarray(start, end);
    const view = new DataView(this.#bytes.buffer, start, end - start);
    const data = this.#data;
    this.#start = end;
    this.#room(this.#before);
    this.#data = [];
    this.#dataLength = 0;
    return { view, head, data };
  }

  byte(value: number): void {
    const at = this.#room(1);
    this.#view.setUint8(at, value);
  }

  uint16(value: number): void {
    assert(value >= 0 && value <= 0xffff, 'a number has 16 bits');
    const at = this.#room(2);
    this.#view.setUint16(at, value);
  }

  uint32(value: number): void {
    assert(value >= 0 && value <= 0xffff_ffff, 'a number has 32 bits');
    const at = this.#room(4);
    this.#view.setUint32(at, value);
  }

  /** A whole number. */
  count(value: number): void {
    const at = this.#room(8);
    putCount(this.#view, at, value);
  }

  /** Any number. */
  number(value: number): void {
    assert(Number.isFinite(value), 'a number is finite');
    const at = this.#room(8);
    this.#view.setFloat64(at, value);
  }

  reserved(length: number): void {
    this.#room(length);
  }

  /** As its place among `values`. */
  oneOf<T>(values: readonly T[], value: T): void {
    const place = values.indexOf(value);
    assert(place >= 0, 'a name is among those that are known');
    this.byte(place);
  }

  text(text: string | undefined): void {
    if (text === undefined) return this.uint16(NO_TEXT);
    const bytes = encodeUtf8(text);
    assert(bytes.length < NO_TEXT, 'a text is short');
    this.uint16(bytes.length);
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** By a function that writes into so many zeros at an offset. */
  fixed<T>(length: number, put: (view: DataView, at: number, value: T) => void, value: T): void {
    const at = this.#room(length);
    put(this.#view, at, value);
  }

  /** What follows the fields: not copied. */
  data(segments: readonly Uint8Array[]): void {
    for (const segment of segments) if (segment.length > 0) this.#data.push(segment);
    this.#dataLength += lengthOf(segments);
  }

  /** Zeros. */
  #room(length: number): number {
    if (this.#at + length > this.#bytes.length) this.#renew(length);
    const at = this.#at;
    this.#at = at + length;
    return at;
  }

  /** Another buffer, which begins with what of the message is written. */
  #renew(length: number): void {
    const begun = this.#bytes.subarray(this.#start, this.#at);
    this.#bytes = new Uint8Array(Math.max(BUFFER_LENGTH, 2 * (begun.length + length)));
    this.#bytes.set(begun);
    this.#view = new DataView(this.#bytes.buffer);
    this.#start = 0;
    this.#at = begun.length;
  }
}

/** Reads one message after the other. */
export class WireReader {
  #fault: Failed<WireFault> | undefined;
  #view: DataView = ZEROS;
  #at = 0;
  #fieldsEnd = 0;
  #dataAt = 0;
  #end = 0;

  begin(view: DataView, place: MessagePlace): void {
    this.#fault = undefined;
    this.#view = view;
    this.#at = place.fields;
    this.#fieldsEnd = place.fieldsEnd;
    this.#dataAt = place.data;
    this.#end = place.end;
  }

  get fault(): Failed<WireFault> | undefined {
    return this.#fault;
  }

  /** Fields that a later program has added count as read. */
  skipFields(): void {
    this.#at = this.#fieldsEnd;
  }

  /** To be called last: all of the message has been read. */
  finish(): Failed<WireFault> | undefined {
    if (this.#at !== this.#fieldsEnd || this.#dataAt !== this.#end) this.refuse('wrongLength');
    return this.#fault;
  }

  /** The first fault counts. */
  refuse(kind: WireFault['kind']): undefined {
    this.#fault ??= { ok: false, fault: { kind } };
    this.#view = ZEROS;
    return undefined;
  }

  byte(): number {
    const at = this.#take(1);
    return this.#view.getUint8(at);
  }

  uint16(): number {
    const at = this.#take(2);
    return this.#view.getUint16(at);
  }

  uint32(): number {
    const at = this.#take(4);
    return this.#view.getUint32(at);
  }

  count(): number {
    const at = this.#take(8);
    const value = getCount(this.#view, at);
    if (value >= 0) return value;
    this.refuse('outOfRange');
    return 0;
  }

  number(): number {
    const at = this.#take(8);
    const value = this.#view.getFloat64(at);
    if (Number.isFinite(value)) return value;
    this.refuse('outOfRange');
    return 0;
  }

  reserved(length: number): void {
    this.#take(length);
  }

  oneOf<T>(values: readonly [T, ...T[]]): T {
    const value = values[this.byte()];
    if (value !== undefined) return value;
    this.refuse('unknownKind');
    return values[0];
  }

  text(): string | undefined {
    const length = this.uint16();
    if (length === NO_TEXT) return undefined;
    if (length > this.#fieldsEnd - this.#at || this.#fault !== undefined) return this.refuse('wrongLength');
    const text = decodeUtf8(bytesAt(this.#view, this.#at, length));
    this.#at += length;
    return text.ok ? text.value : this.refuse('malformedText');
  }

  /** By a function that reads so many bytes at an offset, and answers undefined when they cannot be. */
  fixed<T>(length: number, get: (view: DataView, at: number) => T | undefined): T | undefined {
    const at = this.#take(length);
    return get(this.#view, at) ?? this.refuse('outOfRange');
  }

  /** So many rows if they are there, each at least `length` bytes long; otherwise none. */
  rows(count: number, { length, max }: { readonly length: number; readonly max: number }): number {
    if (count <= max && count * length <= this.#fieldsEnd - this.#at && this.#fault === undefined)
      return count;
    this.refuse(count > max ? 'outOfRange' : 'wrongLength');
    return 0;
  }

  /** The next so many bytes of the data. */
  data(length: number): Uint8Array {
    if (length > this.#end - this.#dataAt || this.#fault !== undefined) {
      this.refuse('wrongLength');
      return NOTHING;
    }
    const data = bytesAt(this.#view, this.#dataAt, length);
    this.#dataAt += length;
    return data;
  }

  #take(length: number): number {
    assert(length <= ZEROS.byteLength, 'a field is short');
    const at = this.#at;
    if (this.#fault === undefined && length <= this.#fieldsEnd - at) {
      this.#at = at + length;
      return at;
    }
    this.refuse('wrongLength');
    return 0;
  }
}

const NOTHING = new Uint8Array(0);

function bytesAt(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}
