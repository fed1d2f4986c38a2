/** The node-to-node side of one simulated node: channels over the sync links, datagrams on all of them. */

import type { Beat, BeatAnswer, Control } from '../../src/cluster/messages.ts';
import type { Handover } from '../../src/engine/mirror/handover.ts';
import type { ReplicaMessage } from '../../src/replication/messages.ts';
import { Channel, type Frame, type Wire } from '../../src/replication/channel.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import type { Network } from '../network.ts';
import type { StreamEnd, StreamHandlers } from '../stream.ts';

export type Datagram = Beat | BeatAnswer | Control<Handover>;
export type ChannelMessage =
  | { readonly kind: 'replica'; readonly message: ReplicaMessage }
  | { readonly kind: 'control'; readonly message: Control<Handover> };

export interface LinkEvents {
  onDatagram(from: number, message: Datagram, link: Link): void;
  onMessage(from: number, message: ChannelMessage): void;
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
  readonly #channels = new Map<number, Channel<ChannelMessage>>();
  #isOver = false;

  constructor(host: Host, network: Network, incarnation: number, events: LinkEvents) {
    this.#host = host;
    this.#network = network;
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
    return handlersOf(channel.attach(wireOf(end)), () => undefined);
  }

  sendDatagram(to: number, message: Datagram): void {
    for (const link of this.#network.links)
      if (link.kind !== 'path' && link.ends.includes(this.#host.id) && link.ends.includes(to - 1))
        this.#network.sendDatagram(link, this.#host.id, message, BEAT_BYTES);
  }

  answer(link: Link, message: Datagram): void {
    this.#network.sendDatagram(link, this.#host.id, message, BEAT_BYTES);
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
          send: (frame, bytes) => end.send(frame, bytes),
          // Nobody is told of an end that closes itself.
          close: () => {
            end.abort();
            again();
          },
        });
        for (const frame of early) events.onFrame(frame);
      },
      onMessage: (message) => {
        const frame = message as Frame<ChannelMessage>;
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
}

function wireOf(end: StreamEnd): Wire<ChannelMessage> {
  return { send: (frame, bytes) => end.send(frame, bytes), close: () => end.abort() };
}

function handlersOf(
  events: ReturnType<Channel<ChannelMessage>['attach']>,
  after: () => void,
): StreamHandlers {
  return {
    onOpen: () => undefined,
    onMessage: (message) => events.onFrame(message as Frame<ChannelMessage>),
    onDrained: () => events.onDrained(),
    onClosed: () => {
      events.onClosed();
      after();
    },
  };
}

function bytesOf(message: ChannelMessage): number {
  if (message.kind === 'control') return MESSAGE_BYTES;
  const body = message.message;
  let data = 0;
  if (body.kind === 'mutate' && body.operation.kind === 'write') data = body.operation.blocks * 512;
  else if (body.kind === 'chunk') for (const segment of body.data) data += segment.length;
  return MESSAGE_BYTES + data;
}
