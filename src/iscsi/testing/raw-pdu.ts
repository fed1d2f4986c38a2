/**
 * PDUs by hand for tests, from the RFC's figures alone and not from the product's codecs: a header is words at offsets.
 */

import { crc32c } from '../../base/crc32c.ts';

export interface RawRequest {
  /** Byte 0 with the I bit, byte 1, and so on: the first word. */
  readonly word0: number;
  /** Other words by offset. */
  readonly words?: Readonly<Record<number, number>>;
  readonly ahs?: Uint8Array;
  readonly data?: Uint8Array;
}

export interface Digests {
  readonly header: boolean;
  readonly data: boolean;
}

const NO_DIGESTS: Digests = { header: false, data: false };
const NOTHING = new Uint8Array(0);

export function rawPdu(request: RawRequest, digests: Digests = NO_DIGESTS): Uint8Array {
  const { word0, words = {}, ahs = NOTHING, data = NOTHING } = request;
  const headerLength = 48 + ahs.length;
  const dataAt = headerLength + (digests.header ? 4 : 0);
  const paddedLength = Math.ceil(data.length / 4) * 4;
  const hasDataDigest = digests.data && data.length > 0;
  const bytes = new Uint8Array(dataAt + paddedLength + (hasDataDigest ? 4 : 0));
  const view = new DataView(bytes.buffer);
  for (const [offset, word] of Object.entries(words)) view.setUint32(Number(offset), word);
  view.setUint32(0, word0);
  view.setUint32(4, ((ahs.length / 4) << 24) | data.length);
  bytes.set(ahs, 48);
  if (digests.header) view.setUint32(headerLength, crc32c(bytes.subarray(0, headerLength), 0), true);
  bytes.set(data, dataAt);
  if (hasDataDigest) {
    const covered = bytes.subarray(dataAt, dataAt + paddedLength);
    view.setUint32(dataAt + paddedLength, crc32c(covered, 0), true);
  }
  return bytes;
}

/** One response as it came. */
export interface RawResponse {
  readonly opcode: number;
  readonly flags: number;
  /** Bytes 2 and 3. */
  readonly byte2: number;
  readonly byte3: number;
  word(offset: number): number;
  readonly data: Uint8Array;
  readonly statSN: number;
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
  readonly itt: number;
}

/** Cuts `bytes` into responses and checks digests and padding. */
export function rawResponses(bytes: Uint8Array, digests: Digests = NO_DIGESTS): RawResponse[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: RawResponse[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at;
    if (view.getUint8(at + 4) !== 0) throw new Error('a response with AHS');
    const length = view.getUint32(at + 4) & 0xffffff;
    at += 48;
    if (digests.header) {
      if (crc32c(bytes.subarray(start, at), 0) !== view.getUint32(at, true)) throw new Error('header digest');
      at += 4;
    }
    const data = bytes.slice(at, at + length);
    const paddedLength = Math.ceil(length / 4) * 4;
    for (let pad = length; pad < paddedLength; pad++) if (bytes[at + pad] !== 0) throw new Error('padding');
    if (digests.data && length > 0) {
      const crc = crc32c(bytes.subarray(at, at + paddedLength), 0);
      at += paddedLength;
      if (crc !== view.getUint32(at, true)) throw new Error('data digest');
      at += 4;
    } else {
      at += paddedLength;
    }
    found.push(responseAt(view, start, data));
  }
  if (at !== bytes.length) throw new Error('the last response is cut');
  return found;
}

function responseAt(view: DataView, start: number, data: Uint8Array): RawResponse {
  const word = (offset: number): number => view.getUint32(start + offset);
  return {
    opcode: view.getUint8(start),
    flags: view.getUint8(start + 1),
    byte2: view.getUint8(start + 2),
    byte3: view.getUint8(start + 3),
    word,
    data,
    statSN: word(24),
    expCmdSN: word(28),
    maxCmdSN: word(32),
    itt: word(16),
  };
}

export function text(pairs: readonly string[]): Uint8Array {
  const joined = pairs.map((pair) => `${pair}\0`).join('');
  return Uint8Array.from(joined, (character) => character.charCodeAt(0));
}

export function fromText(bytes: Uint8Array): string[] {
  const all = String.fromCharCode(...bytes);
  return all.split('\0').slice(0, -1);
}
