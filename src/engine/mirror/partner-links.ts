/**
 * What one node says to its partners about one device, over all links to them: one channel for each partner, with a
 * connection on every sync link that is kept up, and datagrams on all links. The node with the lower id connects.
 *
 * Bytes that are no frame, or frames of somebody else, end their connection, and the trace says why. A partner of which the
 * same message was refused several times in a row cannot follow: it is left alone for a while, or until it is a new process.
 */

import { lengthOf } from '../../base/segments.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type {
  ConnectionHandlers,
  LinkKind,
  PartnerConnection,
  PartnerLink,
  PartnerNetwork,
} from '../../ports/partner-network.ts';
import type { Trace } from '../../ports/trace.ts';
import { Channel } from '../../replication/channel.ts';
import { VERSION, VERSION_OLDEST } from './frame.ts';
import { FrameConnection, type PartnerWire, type Refusal } from './frame-connection.ts';
import { countRoundTrip, type LinkCounters, newLinkCounters } from './link-counters.ts';
import type { ChannelMessage, Datagram } from './wire.ts';

export interface PartnerLinksOptions {
  readonly self: number;
  readonly device: Uuid;
  /** Of this process. */
  readonly incarnation: number;
  readonly network: PartnerNetwork;
  readonly clock: Clock;
  readonly trace: Trace;
  /** Another one for each partner. */
  createWire(): PartnerWire;
  /** The device has to do with this partner; undefined: with all. */
  readonly isWanted?: (partner: number) => boolean;
  readonly events: PartnerEvents;
}

export interface PartnerEvents {
  onMessage(from: number, message: ChannelMessage): void;
  /** `answer`: a datagram on the same link. */
  onDatagram(from: number, message: Datagram, on: LinkKind, answer: (message: Datagram) => void): void;
}

/** One link, as administrators see it. */
export interface LinkStatistics {
  readonly link: PartnerLink;
  readonly counters: Readonly<LinkCounters>;
}

interface Partner {
  readonly node: number;
  readonly channel: Channel<ChannelMessage>;
  readonly wire: PartnerWire;
  readonly ways: Way[];
  /** In which datagrams are sent. */
  version: number;
  /** The newest of its processes that was heard of. */
  incarnation: number;
  /** Messages of it that were refused in a row, all behind the same that was taken. */
  refusals: number;
  refusedBehind: number;
}

/** One link. */
interface Way {
  readonly link: PartnerLink;
  readonly partner: Partner;
  readonly counters: LinkCounters;
  /** Oldest first. */
  readonly connections: FrameConnection[];
  /** Connections in a row that were refused before they had greeted. */
  refusals: number;
  /** Why a datagram was refused last: said once. */
  datagramRefusal: string | undefined;
  delayMs: number;
  pausedUntil: number;
  retry: Timer | undefined;
}

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 1000;
/** It may have lost its copy while it was away, and must hear of that. */
const UNWANTED_MS = 5000;
/** A machine that lost its power never answers. */
const CONNECT_MS = 2000;
/** The other side connects again only when its end is over; it may have been quicker to notice. */
const CONNECTIONS_MAX = 3;
const REFUSALS_MAX = 3;
const PAUSE_MS = 60_000;
const MESSAGE_BYTES = 100;

export class PartnerLinks {
  readonly #options: PartnerLinksOptions;
  readonly #partners = new Map<number, Partner>();
  readonly #ways = new Map<PartnerLink, Way>();
  #isOver = false;

  constructor(options: PartnerLinksOptions) {
    this.#options = options;
    const { network } = options;
    for (const link of network.links) this.#addWay(link);
    network.start({
      onConnection: (link, connection) => this.#accept(this.#ways.get(link)!, connection),
      onDatagram: (link, datagram) => this.#onDatagram(this.#ways.get(link)!, datagram),
      isWanted: (partner) => this.#isWanted(partner),
    });
    for (const way of this.#ways.values()) this.#connect(way);
  }

  get statistics(): LinkStatistics[] {
    return [...this.#ways.values()].map(({ link, counters }) => ({ link, counters: { ...counters } }));
  }

  /** On all links to it. */
  sendDatagram(to: number, message: Datagram): void {
    const partner = this.#partners.get(to);
    if (partner === undefined || this.#isOver) return;
    const datagram = partner.wire.encodeDatagram(message, partner.version);
    for (const way of partner.ways) this.#sendOn(way, datagram);
  }

  send(to: number, message: ChannelMessage): void {
    this.#partners.get(to)?.channel.send(message);
  }

  isCongested(to: number): boolean {
    return this.#partners.get(to)?.channel.isCongested ?? false;
  }

  /** Changes of terms that are over need not travel. */
  forget(below: number): void {
    for (const { channel } of this.#partners.values())
      channel.forget((message) => message.kind === 'replica' && message.message.term < below);
  }

  /** What is sent leaves; nothing is received any more. */
  close(): void {
    this.#isOver = true;
    for (const { retry, connections } of this.#ways.values()) {
      retry?.cancel();
      for (const connection of connections.slice()) connection.close();
    }
  }

  #addWay(link: PartnerLink): void {
    const partner = this.#partners.get(link.partner) ?? this.#newPartner(link.partner);
    const way: Way = {
      link,
      partner,
      counters: newLinkCounters(),
      connections: [],
      refusals: 0,
      datagramRefusal: undefined,
      delayMs: RECONNECT_MS_MIN,
      pausedUntil: 0,
      retry: undefined,
    };
    partner.ways.push(way);
    this.#ways.set(link, way);
  }

  #newPartner(node: number): Partner {
    const { incarnation, clock, events } = this.#options;
    const channel = new Channel<ChannelMessage>({
      incarnation,
      clock,
      bytesOf,
      onMessage: (message) => {
        if (!this.#isOver) events.onMessage(node, message);
      },
      onRestarted: () => undefined,
    });
    const partner: Partner = {
      node,
      channel,
      wire: this.#options.createWire(),
      ways: [],
      version: VERSION_OLDEST,
      incarnation: 0,
      refusals: 0,
      refusedBehind: -1,
    };
    this.#partners.set(node, partner);
    return partner;
  }

  // ── Connections ──

  #connects({ link }: Way): boolean {
    return link.kind === 'sync' && this.#options.self < link.partner;
  }

  #isWanted(partner: number): boolean {
    return this.#options.isWanted?.(partner) ?? true;
  }

  #connect(way: Way): void {
    if (this.#isOver || !this.#connects(way) || way.connections.length > 0) return;
    const { network, clock } = this.#options;
    const connection = this.#newConnection(way);
    connection.over(network.connect(way.link, connection));
    clock.after(CONNECT_MS, () => {
      if (!connection.isOpen) connection.abort();
    });
  }

  #accept(way: Way, end: PartnerConnection): ConnectionHandlers | undefined {
    const { clock, self } = this.#options;
    const isExpected = way.link.kind === 'sync' && way.link.partner < self;
    if (this.#isOver || !isExpected || clock.now() < way.pausedUntil) return undefined;
    if (way.connections.length >= CONNECTIONS_MAX) way.connections[0]!.abort();
    const connection = this.#newConnection(way);
    connection.over(end);
    connection.onOpen();
    return connection;
  }

  #newConnection(way: Way): FrameConnection {
    const { device, clock, trace } = this.#options;
    const { link, partner, counters } = way;
    const fields = { partner: partner.node, link: link.name };
    let greetedAt = Infinity;
    const connection = new FrameConnection({
      expected: { node: partner.node, device },
      channel: partner.channel,
      wire: partner.wire,
      counters,
      onHighest: (version) => noteVersion(partner, version),
      onGreeted: () => {
        greetedAt = clock.now();
        way.refusals = 0;
        trace('info', 'partner.connected', fields);
      },
      onRefused: (refusal, isGreeted) => this.#refused(way, refusal, isGreeted),
      onOver: (cause) => {
        way.connections.splice(way.connections.indexOf(connection), 1);
        const lastedMs = clock.now() - greetedAt;
        if (lastedMs >= 0) trace('info', 'partner.disconnected', { ...fields, cause });
        else if (cause !== undefined) trace('debug', 'partner.notConnected', { ...fields, cause });
        // What has lasted is tried again at once; what keeps breaking is not.
        if (lastedMs > RECONNECT_MS_MAX) way.delayMs = RECONNECT_MS_MIN;
        this.#connectLater(way);
      },
    });
    way.connections.push(connection);
    return connection;
  }

  #connectLater(way: Way): void {
    if (this.#isOver || !this.#connects(way)) return;
    const { clock } = this.#options;
    way.retry?.cancel();
    const usualMs = this.#isWanted(way.link.partner) ? way.delayMs : UNWANTED_MS;
    const delayMs = Math.max(usualMs, way.pausedUntil - clock.now());
    way.delayMs = Math.min(2 * way.delayMs, RECONNECT_MS_MAX);
    way.retry = clock.after(delayMs, () => this.#connect(way));
  }

  #refused(way: Way, refusal: Refusal, isGreeted: boolean): void {
    const { link, partner } = way;
    const { kind: why, ...more } = refusal;
    const fields = { partner: partner.node, link: link.name, why, ...more };
    this.#options.trace('warn', 'partner.refused', fields);
    if (refusal.kind === 'otherVersion') noteVersion(partner, refusal.highest);
    if (!isGreeted) {
      way.refusals += 1;
      if (way.refusals >= REFUSALS_MAX) this.#pause([way], fields);
      return;
    }
    const { received } = partner.channel;
    partner.refusals = received === partner.refusedBehind ? partner.refusals + 1 : 1;
    partner.refusedBehind = received;
    if (partner.refusals >= REFUSALS_MAX) this.#pause(partner.ways, { ...fields, message: received + 1 });
  }

  /** It would be the same again and again. */
  #pause(ways: readonly Way[], fields: Readonly<Record<string, unknown>>): void {
    const { clock, trace } = this.#options;
    trace('error', 'partner.cannotFollow', { ...fields, pauseMs: PAUSE_MS });
    for (const way of ways) {
      way.pausedUntil = clock.now() + PAUSE_MS;
      way.refusals = 0;
      for (const connection of way.connections.slice()) connection.abort();
    }
  }

  /** A new process may be another program. */
  #resume(partner: Partner): void {
    partner.refusals = 0;
    const now = this.#options.clock.now();
    for (const way of partner.ways) {
      if (way.pausedUntil <= now) continue;
      way.pausedUntil = 0;
      way.delayMs = RECONNECT_MS_MIN;
      this.#connectLater(way);
    }
  }

  // ── Datagrams ──

  #sendOn({ link, counters }: Way, datagram: Uint8Array): void {
    if (this.#options.network.sendDatagram(link, datagram)) counters.datagramsSent += 1;
    else counters.datagramsDropped += 1;
  }

  #onDatagram(way: Way, datagram: Uint8Array): void {
    if (this.#isOver) return;
    const { device, incarnation, clock, events } = this.#options;
    const { partner, link, counters } = way;
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    const decoded = partner.wire.decodeDatagram(view, 0, view.byteLength);
    if (!decoded.ok) return this.#refusedDatagram(way, decoded.fault);
    const { sender, highest, message } = decoded.value;
    if (sender.node !== partner.node || sender.device !== device)
      return this.#refusedDatagram(way, { kind: 'otherSender', ...sender });
    counters.datagramsReceived += 1;
    way.datagramRefusal = undefined;
    noteVersion(partner, highest);
    if (message.kind === 'beat') this.#heardOf(partner, message.incarnation);
    if (message.kind === 'beatAnswer' && message.incarnation === incarnation)
      this.#countRoundTrip(way, clock.now() - message.sentAt);
    events.onDatagram(partner.node, message, link.kind, (answer) => {
      if (!this.#isOver) this.#sendOn(way, partner.wire.encodeDatagram(answer, partner.version));
    });
  }

  #countRoundTrip({ link, partner, counters }: Way, ms: number): void {
    const became = countRoundTrip(counters, ms);
    if (became === undefined) return;
    const fields = { partner: partner.node, link: link.name, roundTripMs: counters.roundTripMs };
    this.#options.trace(became === 'slow' ? 'warn' : 'info', `partner.${became}`, fields);
  }

  #refusedDatagram(way: Way, { kind: why, ...more }: Refusal): void {
    way.counters.datagramsRefused += 1;
    if ('highest' in more) noteVersion(way.partner, more.highest);
    if (why === way.datagramRefusal) return;
    way.datagramRefusal = why;
    const fields = { partner: way.partner.node, link: way.link.name, why, ...more };
    this.#options.trace('warn', 'partner.datagramRefused', fields);
  }

  #heardOf(partner: Partner, incarnation: number): void {
    partner.channel.heardOf(incarnation);
    if (incarnation <= partner.incarnation) return;
    partner.incarnation = incarnation;
    this.#resume(partner);
  }
}

/** Datagrams are sent in the oldest version until a higher one was named. */
function noteVersion(partner: Partner, highest: number): void {
  partner.version = Math.max(VERSION_OLDEST, Math.min(highest, VERSION));
}

/** What a message counts for in the channel's backlog, and about what it has on a link. Exported for tests. */
export function bytesOf(message: ChannelMessage): number {
  if (message.kind === 'control') return MESSAGE_BYTES;
  const body = message.message;
  if (body.kind === 'chunk') return MESSAGE_BYTES + lengthOf(body.data);
  if (body.kind !== 'mutate' || body.operation.kind !== 'write') return MESSAGE_BYTES;
  return MESSAGE_BYTES + lengthOf(body.operation.data);
}
