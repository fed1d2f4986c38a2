/**
 * How messages between nodes travel through the simulated network: as the bytes that the product sends, or as they are, of
 * which the network sees no more than the length of a header. Both are the same to whoever sends and receives; the first
 * proves the codec with real traffic, and costs time.
 */

import { assert } from '../../src/base/assert.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { ok, type Result } from '../../src/base/result.ts';
import { lengthOf } from '../../src/base/segments.ts';
import { HEADER_LENGTH } from '../../src/engine/mirror/frame.ts';
import type { PartnerWire } from '../../src/engine/mirror/frame-connection.ts';
import { bytesOf } from '../../src/engine/mirror/partner-links.ts';
import {
  type ChannelMessage,
  MirrorWire,
  type ReceivedDatagram,
  type ReceivedFrame,
  type Sender,
} from '../../src/engine/mirror/wire.ts';
import type { Frame } from '../../src/replication/channel.ts';
import type { Sized } from '../../src/replication/operation-wire.ts';

const FRAME_BYTES = 48;
const VERSION = 1;

/** Properties, not maps: there are millions of them, and what is in a weak map costs its collector dearly. */
interface Weighed {
  readonly weight: number;
}

/** A buffer whose headers stand for what they carry, each by its place: a buffer of its own for each costs far more. */
class Carrying extends ArrayBuffer {
  readonly carried: unknown[] = [];
}

const HEADERS_PER_BUFFER = 64;

/** What an encoded frame weighs on a link, whatever carries it. */
export function weightOf(segments: readonly Uint8Array[]): number {
  return (segments as Partial<Weighed> & typeof segments).weight ?? lengthOf(segments);
}

/** Faults are bugs here: what a node sends can be read. */
export function createCodingWire(sender: Sender, device: Sized): PartnerWire {
  const wire = new MirrorWire({ sender, device, crc32c });
  return {
    encodeFrame: (frame, version) => weighed(frame, wire.encodeFrame(frame, version)),
    encodeDatagram: (message, version) => wire.encodeDatagram(message, version),
    lengthAt: (view, at) => readable(wire.lengthAt(view, at)),
    decodeFrame: (view, at, end) => readable(wire.decodeFrame(view, at, end)),
    decodeDatagram: (view, at, end) => readable(wire.decodeDatagram(view, at, end)),
  };
}

/** The bytes stand for what they carry. */
export function createPlainWire(sender: Sender): PartnerWire {
  let buffer = new Carrying(HEADERS_PER_BUFFER * HEADER_LENGTH);
  const carry = (what: unknown): Uint8Array => {
    if (buffer.carried.length === HEADERS_PER_BUFFER)
      buffer = new Carrying(HEADERS_PER_BUFFER * HEADER_LENGTH);
    const place = buffer.carried.push(what) - 1;
    return new Uint8Array(buffer, place * HEADER_LENGTH, HEADER_LENGTH);
  };
  const carriedBy = (view: DataView, at: number): unknown =>
    (view.buffer as Carrying).carried[(view.byteOffset + at) / HEADER_LENGTH];
  return {
    encodeFrame(frame) {
      const more = { sender, version: VERSION, highest: VERSION };
      return weighed(frame, [carry(frame.kind === 'hello' ? { ...frame, ...more } : frame)]);
    },
    encodeDatagram: (message) => carry({ sender, highest: VERSION, message }),
    lengthAt: () => ok(HEADER_LENGTH),
    decodeFrame: (view, at) => ok(carriedBy(view, at) as ReceivedFrame),
    decodeDatagram: (view, at) => ok(carriedBy(view, at) as ReceivedDatagram),
  };
}

function weighed(frame: Frame<ChannelMessage>, segments: readonly Uint8Array[]): readonly Uint8Array[] {
  const message = frame.kind === 'data' ? frame.message : undefined;
  const weight = FRAME_BYTES + (message === undefined ? 0 : bytesOf(message));
  return Object.assign(segments, { weight });
}

function readable<T, F extends { readonly kind: string }>(result: Result<T, F>): Result<T, F> {
  assert(result.ok, `what a node sent can be read: ${result.ok ? '' : result.fault.kind}`);
  return result;
}
