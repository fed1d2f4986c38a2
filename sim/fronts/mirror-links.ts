/** The node-to-node side of one simulated node: channels over the sync links, datagrams on all of them. */

import type { ChannelMessage, Datagram } from '../../src/engine/mirror/wire.ts';
import { Channel, type Frame, type Wire } from '../../src/replication/channel.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import type { Network } from '../network.ts';
import type { StreamEnd, StreamHandlers } from '../stream.ts';
import type { Carrier } from './mirror-carrier.ts';

export interface LinkEvents {
  onMessage(from: number, message: ChannelMessage): void;
}

export interface LinksOptions {
  readonly host: Host;
  readonly network: Network;
  readonly carrier: Carrier;
  readonly incarnation: number;
  readonly events: LinkEvents;
}

const RECONNECT_MS = 300;
/** A machine that lost its power in between never answers. */
const CONNECT_MS = 2000;
const BEAT_BYTES = 100;
const MESSAGE_BYTES = 100;

/** One incarnation of a node's process. Hosts are numbered from 0, nodes from 1. */
export class NodeLinks {
  readonly #host: Host;
  readonly #network: Network;
  readonly #events: LinkEvents;
  readonly #carrier: Carrier;
  readonly #channels = new Map<number, Channel<ChannelMessage>>();
  #isOver = false;

  constructor({ host, network, carrier, incarnation, events }: LinksOptions) {
    this.#host = host;
    this.#network = network;
    this.#carrier = carrier;
    this.#events = events;
    for (const link of network.links) {
      if (link.kind === 'path' || !link.ends.includes(host.id)) continue;
      const other = link.ends[0] === host.id ? link.ends[1] : link.ends[0];
      if (!this.#channels.has(other)) this.#channels.set(other, this.#newChannel(other, incarnation));
      if (link.kind === 'sync' && host.id < other) this.#connect(link, other);
    }
  }

  /** A connection arrives from a node with a lower number. */
  accept(end: StreamEnd): StreamHandlers | undefined {
    const channel = this.#channels.get(end.remote);
    if (channel === undefined || this.#isOver) return undefined;
    return this.#handlersOf(end, channel.attach(this.#wireOf(end)));
  }

  sendDatagram(to: number, message: Datagram): void {
    const packed = this.#carrier.packDatagram(message);
    for (const link of this.#network.links)
      if (link.kind !== 'path' && link.ends.includes(this.#host.id) && link.ends.includes(to - 1))
        this.#network.sendDatagram(link, this.#host.id, packed, BEAT_BYTES);
  }

  answer(link: Link, message: Datagram): void {
    this.#network.sendDatagram(link, this.#host.id, this.#carrier.packDatagram(message), BEAT_BYTES);
  }

  /** What a datagram from `host` says. */
  unpackDatagram(packed: unknown, host: number): Datagram {
    return this.#carrier.unpackDatagram(packed, host + 1);
  }

  send(to: number, message: ChannelMessage): void {
    this.#channels.get(to - 1)?.send(message);
  }

  /** A beat says which process lives there. */
  heardOf(from: number, incarnation: number): void {
    this.#channels.get(from - 1)?.heardOf(incarnation);
  }

  isCongested(to: number): boolean {
    return this.#channels.get(to - 1)?.isCongested ?? false;
  }

  /** Changes of terms that are over need not travel. */
  forget(below: number): void {
    for (const channel of this.#channels.values())
      channel.forget((message) => message.kind === 'replica' && message.message.term < below);
  }

  close(): void {
    this.#isOver = true;
    for (const channel of this.#channels.values()) channel.close();
  }

  /** The process has died: its kernel ends the connections. */
  abandon(): void {
    this.#isOver = true;
  }

  #newChannel(other: number, incarnation: number): Channel<ChannelMessage> {
    return new Channel<ChannelMessage>({
      incarnation,
      clock: this.#host.clock,
      bytesOf,
      onMessage: (message) => {
        if (!this.#isOver) this.#events.onMessage(other + 1, message);
      },
      onRestarted: () => undefined,
    });
  }

  #connect(link: Link, other: number): void {
    if (this.#isOver) return;
    const channel = this.#channels.get(other)!;
    let events: ReturnType<typeof channel.attach> | undefined;
    let isOver = false;
    /** The other end speaks first, and may be heard before the connection counts as open. */
    const early: Frame<ChannelMessage>[] = [];
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      this.#host.clock.after(RECONNECT_MS, () => this.#connect(link, other));
    };
    const end = this.#network.connect(link, this.#host.id, {
      onOpen: () => {
        events = channel.attach({
          send: (frame, bytes) => end.send(this.#carrier.packFrame(frame), bytes),
          // Nobody is told of an end that closes itself.
          close: () => {
            end.abort();
            again();
          },
        });
        for (const frame of early) events.onFrame(frame);
      },
      onMessage: (message) => {
        const frame = this.#carrier.unpackFrame(message, other + 1);
        if (events === undefined) early.push(frame);
        else events.onFrame(frame);
      },
      onDrained: () => events?.onDrained(),
      onClosed: () => {
        events?.onClosed();
        again();
      },
    });
    this.#host.clock.after(CONNECT_MS, () => {
      if (events !== undefined || isOver) return;
      end.abort();
      again();
    });
  }

  #wireOf(end: StreamEnd): Wire<ChannelMessage> {
    return {
      send: (frame, bytes) => end.send(this.#carrier.packFrame(frame), bytes),
      close: () => end.abort(),
    };
  }

  #handlersOf(end: StreamEnd, events: ReturnType<Channel<ChannelMessage>['attach']>): StreamHandlers {
    return {
      onOpen: () => undefined,
      onMessage: (message) => events.onFrame(this.#carrier.unpackFrame(message, end.remote + 1)),
      onDrained: () => events.onDrained(),
      onClosed: () => events.onClosed(),
    };
  }
}

function bytesOf(message: ChannelMessage): number {
  if (message.kind === 'control') return MESSAGE_BYTES;
  const body = message.message;
  let data = 0;
  if (body.kind === 'mutate' && body.operation.kind === 'write') data = body.operation.blocks * 512;
  else if (body.kind === 'chunk') for (const segment of body.data) data += segment.length;
  return MESSAGE_BYTES + data;
}
