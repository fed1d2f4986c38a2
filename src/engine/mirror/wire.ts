/**
 * What two nodes send each other about one device, as bytes (docs/FORMATS.md, "Messages between nodes"): frames of a
 * connection, which carry a channel's messages, and datagrams.
 *
 *   connection   hello both ways ──► replica | control | forgotten, each numbered, and ack, probe, probed
 *   datagram     beat | controlDatagram, with who sends it and about which device
 *
 * It opens no connection, repeats nothing and answers nothing. Bytes that are no frame end their connection; such a
 * datagram was never sent.
 */

import { assert } from '../../base/assert.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { getUuid, putUuid, type Uuid } from '../../base/uuid.ts';
import { type MessageCodec, WireReader, WireWriter } from '../../base/wire.ts';
import type { Beat, BeatAnswer, Control } from '../../cluster/messages.ts';
import { beatCodec, createControlCodec } from '../../cluster/wire.ts';
import type { Crc32c } from '../../ports/crypto.ts';
import type { Frame } from '../../replication/channel.ts';
import type { ReplicaMessage } from '../../replication/messages.ts';
import { type Sized, TRANSFER_BYTES_MAX } from '../../replication/operation-wire.ts';
import { createReplicaCodec } from '../../replication/wire.ts';
import {
  CHECKSUM_LENGTH,
  DATAGRAM_BYTES_MAX,
  type FrameFault,
  type FrameHeader,
  type FrameKind,
  type FrameLimit,
  HEADER_LENGTH,
  isIntact,
  lengthOfFrame,
  readHeader,
  sealFrame,
  VERSION,
  VERSION_OLDEST,
} from './frame.ts';
import type { Handover } from './handover.ts';
import { createHandoverCodec, handoverDataMax } from './handover-wire.ts';
import { BLOCK_COUNT_MAX } from './size.ts';

/** What a channel carries. */
export type ChannelMessage =
  | { readonly kind: 'replica'; readonly message: ReplicaMessage }
  | { readonly kind: 'control'; readonly message: Control<Handover> };

export type Datagram = Beat | BeatAnswer | Control<Handover>;

/** Who speaks, and about what. */
export interface Sender {
  readonly node: number;
  readonly device: Uuid;
}

export type ReceivedFrame =
  | (Extract<Frame<ChannelMessage>, { kind: 'hello' }> & {
      readonly sender: Sender;
      /** In which both sides speak from here on. */
      readonly version: number;
      /** Version that the sender speaks. */
      readonly highest: number;
    })
  | Exclude<Frame<ChannelMessage>, { kind: 'hello' }>;

export interface ReceivedDatagram {
  readonly sender: Sender;
  /** Version that the sender speaks. */
  readonly highest: number;
  readonly message: Datagram;
}

export interface MirrorWireOptions {
  readonly sender: Sender;
  readonly device: Sized;
  readonly crc32c: Crc32c;
}

type Hello = Extract<ReceivedFrame, { kind: 'hello' }>;
type Numbered = Extract<Frame<ChannelMessage>, { kind: 'data' }>;

const UUID_LENGTH = 16;
const SMALL: FrameLimit = { fields: 256, data: 0 };
const LONE: FrameLimit = { fields: DATAGRAM_BYTES_MAX - HEADER_LENGTH - CHECKSUM_LENGTH, data: 0 };
const REPLICA: FrameLimit = { fields: 64 * 1024, data: TRANSFER_BYTES_MAX };
const CONTROL_FIELDS_MAX = 1024 * 1024;

/** For one device and one other node; a class, because it holds what one message after the other is written into. */
export class MirrorWire {
  readonly #options: MirrorWireOptions;
  readonly #writer = new WireWriter(HEADER_LENGTH, CHECKSUM_LENGTH);
  readonly #reader = new WireReader();
  /** Of the message that is being written. */
  #version = VERSION;
  readonly #replica: MessageCodec<ReplicaMessage>;
  readonly #control: MessageCodec<Control<Handover>>;
  readonly #limitOf = (kind: FrameKind): FrameLimit => limitOf(kind, this.#options.device);

  constructor(options: MirrorWireOptions) {
    this.#options = options;
    this.#replica = createReplicaCodec(ofAnySize(options.device));
    this.#control = createControlCodec(createHandoverCodec(options.device));
  }

  /** In order of the bytes; data is not copied. `version`: what both agreed on. */
  encodeFrame(frame: Frame<ChannelMessage>, version = VERSION_OLDEST): readonly Uint8Array[] {
    const to = this.#begun(version);
    switch (frame.kind) {
      case 'hello':
        to.byte(VERSION_OLDEST);
        to.byte(VERSION);
        this.#putSender();
        to.count(frame.incarnation);
        to.count(frame.to);
        to.count(frame.received);
        return this.#seal('hello');
      case 'ack':
        to.count(frame.received);
        return this.#seal('ack');
      case 'probe':
      case 'probed':
        to.count(frame.number);
        return this.#seal(frame.kind);
      case 'data':
        to.count(frame.sequence);
        to.count(frame.received);
        if (frame.message === undefined) return this.#seal('forgotten');
        if (frame.message.kind === 'replica') this.#replica.put(to, frame.message.message);
        else this.#control.put(to, frame.message.message);
        return this.#seal(frame.message.kind);
    }
  }

  /** `version`: one that the receiver speaks, as far as is known. */
  encodeDatagram(message: Datagram, version = VERSION_OLDEST): Uint8Array {
    const to = this.#begun(version);
    to.reserved(2);
    this.#putSender();
    const isBeat = message.kind === 'beat' || message.kind === 'beatAnswer';
    if (isBeat) beatCodec.put(to, message);
    else this.#control.put(to, message);
    const [datagram, ...data] = this.#seal(isBeat ? 'beat' : 'controlDatagram');
    assert(data.length === 0, 'data travels on connections');
    return datagram!;
  }

  /** Of the frame that begins at `at`; its header has to be there. */
  lengthAt(view: DataView, at: number): Result<number, FrameFault> {
    const header = readHeader(view, at, this.#limitOf);
    return header.ok ? ok(lengthOfFrame(header.value)) : header;
  }

  /** The frame of a connection that lies from `at` to `end`. */
  decodeFrame(view: DataView, at: number, end: number): Result<ReceivedFrame, FrameFault> {
    const header = this.#begin(view, at, end);
    if (!header.ok) return header;
    const { kind } = header.value;
    switch (kind) {
      case 'hello':
        return this.#hello();
      case 'ack': {
        const received = this.#reader.count();
        return this.#finished({ kind, received });
      }
      case 'probe':
      case 'probed': {
        const number = this.#reader.count();
        return this.#finished({ kind, number });
      }
      case 'forgotten':
      case 'replica':
      case 'control':
        return this.#finished(this.#numbered(kind));
      default:
        return fail({ kind: 'unknownKind' });
    }
  }

  decodeDatagram(view: DataView, at: number, end: number): Result<ReceivedDatagram, FrameFault> {
    const header = this.#begin(view, at, end);
    if (!header.ok) return header;
    const { kind } = header.value;
    if (kind !== 'beat' && kind !== 'controlDatagram') return fail({ kind: 'unknownKind' });
    const from = this.#reader;
    from.reserved(2);
    const sender = this.#sender();
    const message = kind === 'beat' ? beatCodec.get(from) : this.#control.get(from);
    return this.#finished(message && { sender, highest: header.value.highest, message });
  }

  #begun(version: number): WireWriter {
    assert(version >= VERSION_OLDEST && version <= VERSION, 'a version that both speak');
    this.#version = version;
    return this.#writer;
  }

  #putSender(): void {
    const { node, device } = this.#options.sender;
    this.#writer.uint16(node);
    this.#writer.fixed(UUID_LENGTH, putUuid, device);
  }

  #sender(): Sender {
    const node = this.#reader.uint16();
    return { node, device: this.#reader.fixed(UUID_LENGTH, getUuid) ?? '' };
  }

  #hello(): Result<Hello, FrameFault> {
    const from = this.#reader;
    const lowest = from.byte();
    const highest = from.byte();
    const version = Math.min(highest, VERSION);
    const sender = this.#sender();
    const incarnation = from.count();
    const hello = {
      kind: 'hello',
      version,
      highest,
      sender,
      incarnation,
      to: from.count(),
      received: from.count(),
    } as const;
    from.skipFields();
    if (incarnation === 0) from.refuse('outOfRange');
    const finished = this.#finished(hello);
    if (!finished.ok || version >= Math.max(lowest, VERSION_OLDEST)) return finished;
    return fail({ kind: 'noCommonVersion', lowest, highest });
  }

  #numbered(kind: 'forgotten' | 'replica' | 'control'): Numbered | undefined {
    const from = this.#reader;
    const sequence = from.count();
    const received = from.count();
    if (sequence === 0) return from.refuse('outOfRange');
    if (kind === 'forgotten') return { kind: 'data', sequence, received, message: undefined };
    if (kind === 'replica') {
      const message = this.#replica.get(from);
      return message && { kind: 'data', sequence, received, message: { kind, message } };
    }
    const message = this.#control.get(from);
    return message && { kind: 'data', sequence, received, message: { kind, message } };
  }

  #begin(view: DataView, at: number, end: number): Result<FrameHeader, FrameFault> {
    const header = readHeader(view, at, this.#limitOf);
    if (!header.ok) return header;
    const { fieldsLength, dataLength } = header.value;
    if (end > view.byteLength || end - at !== lengthOfFrame(header.value))
      return fail({ kind: 'wrongLength' });
    if (!isIntact(view, at, header.value, this.#options.crc32c)) return fail({ kind: 'damaged' });
    const fields = at + HEADER_LENGTH;
    const fieldsEnd = fields + fieldsLength;
    this.#reader.begin(view, { fields, fieldsEnd, data: end - dataLength, end });
    return header;
  }

  #finished<T>(message: T | undefined): Result<T, FrameFault> {
    const fault = this.#reader.finish();
    if (fault !== undefined) return fault;
    assert(message !== undefined, 'what is no message has a fault');
    return ok(message);
  }

  #seal(kind: FrameKind): readonly Uint8Array[] {
    const { fields, data } = this.#limitOf(kind);
    const { fieldsLength, dataLength } = this.#writer;
    assert(fieldsLength <= fields && dataLength <= data, 'a message is no longer than its receiver allows');
    const frame = this.#writer.take();
    sealFrame({ kind, version: this.#version }, frame, this.#options.crc32c);
    return [frame.head, ...frame.data];
  }
}

/** Who comes back, with an old disk perhaps, is told about blocks that it has not, before it is known to have been away. */
function ofAnySize(device: Sized): Sized {
  const { blockLength } = device.geometry;
  return { geometry: { blockLength, blockCount: BLOCK_COUNT_MAX } };
}

function limitOf(kind: FrameKind, device: Sized): FrameLimit {
  switch (kind) {
    case 'hello':
    case 'ack':
    case 'probe':
    case 'probed':
    case 'forgotten':
      return SMALL;
    case 'replica':
      return REPLICA;
    case 'control':
      return { fields: CONTROL_FIELDS_MAX, data: handoverDataMax(device) };
    case 'beat':
    case 'controlDatagram':
      return LONE;
  }
}
