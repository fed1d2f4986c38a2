/**
 * How messages between nodes travel through the simulated network: as they are, or as the bytes that the product sends. Both
 * are the same to whoever sends and receives; the second proves the codec with real traffic, and costs time.
 */

import { assert } from '../../src/base/assert.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import type { Result } from '../../src/base/result.ts';
import { copyOf } from '../../src/base/segments.ts';
import { type ChannelMessage, type Datagram, MirrorWire, type Sender } from '../../src/engine/mirror/wire.ts';
import type { Frame } from '../../src/replication/channel.ts';
import type { Sized } from '../../src/replication/operation-wire.ts';

export interface Carrier {
  packFrame(frame: Frame<ChannelMessage>): unknown;
  /** `from`: the node at the other end. */
  unpackFrame(packed: unknown, from: number): Frame<ChannelMessage>;
  packDatagram(message: Datagram): unknown;
  unpackDatagram(packed: unknown, from: number): Datagram;
}

export const plainCarrier: Carrier = {
  packFrame: (frame) => frame,
  unpackFrame: (packed) => packed as Frame<ChannelMessage>,
  packDatagram: (message) => message,
  unpackDatagram: (packed) => packed as Datagram,
};

export function createCodingCarrier(sender: Sender, device: Sized): Carrier {
  const wire = new MirrorWire({ sender, device, crc32c });
  const check = (other: Sender, from: number): void =>
    assert(other.node === from && other.device === sender.device, 'a frame says who sent it');
  return {
    // As if it had been in the socket: what becomes of the sender's buffers does not matter any more.
    packFrame: (frame) => copyOf(wire.encodeFrame(frame)),
    unpackFrame(packed, from) {
      const view = viewOf(packed);
      const length = valueOf(wire.lengthAt(view, 0));
      const frame = valueOf(wire.decodeFrame(view, 0, length));
      if (frame.kind === 'hello') check(frame.sender, from);
      return frame;
    },
    packDatagram: (message) => wire.encodeDatagram(message),
    unpackDatagram(packed, from) {
      const view = viewOf(packed);
      const { sender: other, message } = valueOf(wire.decodeDatagram(view, 0, view.byteLength));
      check(other, from);
      return message;
    },
  };
}

function viewOf(packed: unknown): DataView {
  const { buffer, byteOffset, byteLength } = packed as Uint8Array;
  return new DataView(buffer, byteOffset, byteLength);
}

function valueOf<T>(result: Result<T, { readonly kind: string }>): T {
  assert(result.ok, `what a node sent can be read: ${result.ok ? '' : result.fault.kind}`);
  return result.value;
}
