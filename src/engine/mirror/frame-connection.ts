/**
 * One connection to a partner: bytes to frames for the channel, and back.
 *
 *   connecting ──opens──► open, hello sent ──its hello──► greeted: frames, in the version agreed on ──► over
 *        └──────────────────────┴── no frame, or not from whom it should be ──► refused, over
 */

import { assert } from '../../base/assert.ts';
import { lengthOf } from '../../base/segments.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { ConnectionHandlers, PartnerConnection } from '../../ports/partner-network.ts';
import type { Channel, Frame } from '../../replication/channel.ts';
import { type FrameFault, VERSION_OLDEST } from './frame.ts';
import { FrameCutter } from './frame-cutter.ts';
import type { LinkCounters } from './link-counters.ts';
import type { ChannelMessage, MirrorWire, Sender } from './wire.ts';

/** How messages become bytes; the simulator has another one, which carries them as they are. */
export type PartnerWire = Pick<
  MirrorWire,
  'encodeFrame' | 'encodeDatagram' | 'lengthAt' | 'decodeFrame' | 'decodeDatagram'
>;

export type Refusal =
  | FrameFault
  /** It says that it is another node, or speaks of another device. */
  | { readonly kind: 'otherSender'; readonly node: number; readonly device: Uuid }
  | { readonly kind: 'notGreeted' };

export interface FrameConnectionOptions {
  /** Who has to be at the other end, and about what. */
  readonly expected: Sender;
  readonly channel: Channel<ChannelMessage>;
  readonly wire: PartnerWire;
  readonly counters: LinkCounters;
  /** The version that the partner speaks, as far as it has told. */
  onHighest(version: number): void;
  onGreeted(): void;
  /** What came is not taken. `onOver` follows. */
  onRefused(refusal: Refusal, isGreeted: boolean): void;
  /** Once; `cause` is undefined when this side ended it. */
  onOver(cause: string | undefined): void;
}

export class FrameConnection implements ConnectionHandlers {
  readonly #options: FrameConnectionOptions;
  readonly #cutter: FrameCutter;
  #connection: PartnerConnection | undefined;
  #events: ReturnType<Channel<ChannelMessage>['attach']> | undefined;
  #version = VERSION_OLDEST;
  #isGreeted = false;
  #isOver = false;

  constructor(options: FrameConnectionOptions) {
    this.#options = options;
    this.#cutter = new FrameCutter({
      lengthAt: (view, at) => options.wire.lengthAt(view, at),
      onFrame: (view, at, end) => this.#onFrame(view, at, end),
    });
  }

  get isOpen(): boolean {
    return this.#events !== undefined;
  }

  /** What it is a connection of: once, before anything comes. */
  over(connection: PartnerConnection): void {
    this.#connection = connection;
  }

  onOpen(): void {
    assert(this.#connection !== undefined, 'a connection that opens is there');
    assert(this.#events === undefined, 'a connection opens once');
    if (this.#isOver) return;
    this.#events = this.#options.channel.attach({
      send: (frame) => this.#send(frame),
      close: () => this.abort(),
    });
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#options.counters.bytesReceived += bytes.length;
    const fault = this.#cutter.push(bytes);
    if (fault !== undefined) this.#refuse(fault);
  }

  onDrained(): void {
    this.#events?.onDrained();
  }

  onClosed(cause: string): void {
    this.#end(cause);
  }

  /** In order: what was sent still leaves. */
  close(): void {
    if (this.#isOver) return;
    this.#connection?.close();
    this.#end(undefined);
  }

  abort(): void {
    if (this.#isOver) return;
    this.#connection?.abort();
    this.#end(undefined);
  }

  #end(cause: string | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isGreeted) this.#options.counters.open -= 1;
    this.#events?.onClosed();
    this.#options.onOver(cause);
  }

  #refuse(refusal: Refusal): void {
    if (this.#isOver) return;
    this.#options.counters.refused += 1;
    this.#options.onRefused(refusal, this.#isGreeted);
    this.abort();
  }

  #send(frame: Frame<ChannelMessage>): boolean {
    if (this.#isOver) return true;
    const segments = this.#options.wire.encodeFrame(frame, this.#version);
    const { counters } = this.#options;
    counters.framesSent += 1;
    counters.bytesSent += lengthOf(segments);
    return this.#connection!.send(segments);
  }

  #onFrame(view: DataView, at: number, end: number): boolean {
    const { wire, counters, expected } = this.#options;
    const decoded = wire.decodeFrame(view, at, end);
    if (!decoded.ok) {
      this.#refuse(decoded.fault);
      return false;
    }
    const frame = decoded.value;
    counters.framesReceived += 1;
    if (frame.kind === 'hello') {
      const { node, device } = frame.sender;
      if (node !== expected.node || device !== expected.device) {
        this.#refuse({ kind: 'otherSender', node, device });
        return false;
      }
      this.#greeted(frame.version, frame.highest);
    } else if (!this.#isGreeted) {
      this.#refuse({ kind: 'notGreeted' });
      return false;
    }
    this.#events?.onFrame(frame);
    return !this.#isOver;
  }

  #greeted(version: number, highest: number): void {
    this.#version = version;
    if (this.#isGreeted) return;
    this.#isGreeted = true;
    const options = this.#options;
    options.counters.connections += 1;
    options.counters.open += 1;
    options.onHighest(highest);
    options.onGreeted();
  }
}
