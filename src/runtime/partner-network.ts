/**
 * The network between nodes (ports/partner-network.ts) over TCP, for one device. Every connection begins with a preamble in
 * the clear, by which the other side finds the engine that has the device; then both prove who they are, and only then
 * anything is sent or believed. The node with the lower id connects: on each link for sync one connection of frames for
 * whoever asks for it, and on every link one of datagrams, which is kept up here.
 */

import net from 'node:net';
import { assert } from '../base/assert.ts';
import {
  type ConnectionKind,
  decodePreamble,
  encodePreamble,
  PREAMBLE_LENGTH,
} from '../base/partner-preamble.ts';
import type { Result } from '../base/result.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import type {
  ConnectionHandlers,
  NetworkHandlers,
  PartnerConnection,
  PartnerLink,
  PartnerNetwork,
} from '../ports/partner-network.ts';
import type { Trace } from '../ports/trace.ts';
import { DatagramPath } from './datagram-path.ts';
import { PartnerSocket } from './partner-socket.ts';
import type { Proof, ProofFault, Proven } from './partner-tls.ts';
import { prepare } from './tcp-options.ts';

/** The one port on which a node hears its partners. */
export const PARTNER_PORT = 3262;

export interface LinkAddresses extends PartnerLink {
  /** Address of this node from which it connects; undefined: as the routes say. */
  readonly local: string | undefined;
  readonly remote: { readonly host: string; readonly port: number };
}

export interface NodeNetworkOptions {
  readonly self: number;
  readonly device: Uuid;
  /** In its certificate, by node id. */
  readonly nameOf: ReadonlyMap<number, string>;
  readonly links: readonly LinkAddresses[];
  readonly proof: Proof;
  readonly clock: Clock;
  readonly trace: Trace;
}

const DATAGRAM_CONNECT_MS = 2000;
const DATAGRAM_RETRY_MS_MIN = 100;
const DATAGRAM_RETRY_MS_MAX = 1000;
/** … to a partner that is not wanted. */
const UNWANTED_RETRY_MS = 5000;
/** Connections that have not proven anything yet. */
const UNPROVEN_MAX = 256;
const TELL_AGAIN_MS = 60_000;
const TOLD_MAX = 256;

interface Path {
  readonly link: LinkAddresses;
  readonly datagrams: DatagramPath;
  delayMs: number;
  openedAt: number;
}

export class NodeNetwork implements PartnerNetwork {
  readonly links: readonly LinkAddresses[];
  readonly #options: NodeNetworkOptions;
  readonly #paths = new Map<PartnerLink, Path>();
  readonly #unproven = new Set<net.Socket>();
  /** What was refused, and when that was said: it is tried every second. */
  readonly #told = new Map<string, number>();
  #handlers: NetworkHandlers | undefined;
  #isOver = false;

  constructor(options: NodeNetworkOptions) {
    this.#options = options;
    this.links = options.links;
    for (const link of options.links) this.#paths.set(link, this.#newPath(link));
  }

  start(handlers: NetworkHandlers): void {
    this.#handlers = handlers;
    for (const path of this.#paths.values()) this.#keepUp(path);
  }

  connect(link: PartnerLink, handlers: ConnectionHandlers): PartnerConnection {
    const addresses = this.links.find((other) => other === link);
    assert(addresses?.kind === 'sync', 'connections of frames are on links for sync');
    let connection: PartnerSocket | undefined;
    let isEnded = false;
    const raw = this.#dial(addresses, 'sync', (proven) => {
      if (isEnded) return proven.ok ? void proven.value.socket.destroy() : undefined;
      if (!proven.ok) return handlers.onClosed(proven.fault);
      connection = new PartnerSocket(proven.value.socket, raw);
      handlers.onOpen();
      return connection.start({
        onOpen: () => undefined,
        onBytes: (bytes) => handlers.onBytes(bytes),
        onDrained: () => handlers.onDrained(),
        onClosed: (cause) => this.#closed(addresses, handlers, cause),
      });
    });
    const giveUp = (): void => {
      isEnded = true;
      raw.destroy();
    };
    return {
      send: (segments) => connection?.send(segments) ?? true,
      close: () => (connection === undefined ? giveUp() : connection.close()),
      abort: () => (connection === undefined ? giveUp() : connection.abort()),
    };
  }

  sendDatagram(link: PartnerLink, datagram: Uint8Array): boolean {
    return this.#paths.get(link)?.datagrams.send(datagram) ?? false;
  }

  /** A connection that came in for this device, and all that was read of it: the preamble and what came behind. */
  accept(raw: net.Socket, head: Uint8Array): void {
    const preamble = decodePreamble(head);
    if (this.#isOver || !preamble.ok || preamble.value.device !== this.#options.device) {
      raw.destroy();
      return;
    }
    const { kind, link } = preamble.value;
    const rest = head.subarray(PREAMBLE_LENGTH);
    if (rest.length > 0) raw.unshift(rest);
    prepare(raw);
    this.#admit(raw);
    const from = `${raw.remoteAddress}`;
    const { self, nameOf } = this.#options;
    const expected = [...nameOf].filter(([node]) => node < self);
    const names = expected.map(([, name]) => name);
    void this.#options.proof.accept(raw, names).then((proven) => {
      this.#unproven.delete(raw);
      if (!proven.ok) return this.#refused(proven.fault, { from });
      const [node = 0] = expected.find(([, name]) => name === proven.value.name) ?? [];
      return this.#proven(raw, proven.value, { node, kind, number: link });
    });
  }

  close(): void {
    this.#isOver = true;
    for (const { datagrams } of this.#paths.values()) datagrams.close();
    for (const raw of this.#unproven) raw.destroy();
  }

  #admit(raw: net.Socket): void {
    const [oldest] = this.#unproven;
    if (this.#unproven.size >= UNPROVEN_MAX) oldest?.destroy();
    this.#unproven.add(raw);
    raw.once('close', () => this.#unproven.delete(raw));
    raw.on('error', () => undefined); // 'close' follows
  }

  #proven(
    raw: net.Socket,
    { socket, name }: Proven,
    { node, kind, number }: { readonly node: number; readonly kind: ConnectionKind; readonly number: number },
  ): void {
    const link = this.links.find((way) => way.partner === node && way.number === number);
    const path = link && this.#paths.get(link);
    if (this.#isOver || link === undefined || path === undefined || this.#handlers === undefined) {
      if (link === undefined) this.#options.trace('warn', 'partner.unknownLink', { name, number });
      socket.destroy();
    } else if (kind === 'heartbeat') {
      path.datagrams.attach(socket, raw);
    } else {
      const connection = new PartnerSocket(socket, raw);
      const handlers = this.#handlers.onConnection(link, connection);
      if (handlers === undefined) return connection.abort();
      connection.start(handlers);
    }
  }

  /** Connects and proves; answers once, never within the call. The socket that it gives back ends it. */
  #dial(
    { local, remote, partner, number, name: way }: LinkAddresses,
    kind: ConnectionKind,
    done: (proven: Result<Proven, string>) => void,
  ): net.Socket {
    const { device, nameOf, proof } = this.#options;
    const raw = net.connect({ ...remote, ...(local === undefined ? {} : { localAddress: local }) });
    let cause = 'it was given up';
    const failed = (): void => done({ ok: false, fault: cause });
    raw.on('error', (error) => void (cause = error.message));
    raw.once('close', failed);
    raw.once('connect', () => {
      raw.removeListener('close', failed);
      prepare(raw);
      raw.write(encodePreamble({ kind, device, link: number }));
      void proof.connect(raw, nameOf.get(partner)!).then((proven) => {
        if (proven.ok) return done(proven);
        if (this.#isWanted(partner) || proven.fault.why !== 'failed')
          this.#refused(proven.fault, { partner, link: way });
        return done({ ok: false, fault: `${proven.fault.why}: ${proven.fault.detail}` });
      });
    });
    return raw;
  }

  /** A partner that refuses a certificate of ours says so when we take the connection for good already. */
  #closed(link: LinkAddresses, handlers: ConnectionHandlers, cause: string): void {
    if (/alert/i.test(cause))
      this.#refused({ why: 'refusedByPeer', detail: cause }, { partner: link.partner, link: link.name });
    handlers.onClosed(cause);
  }

  #refused(fault: ProofFault, where: Readonly<Record<string, unknown>>): void {
    const { clock, trace } = this.#options;
    const what = JSON.stringify([fault.why, where]);
    const now = clock.now();
    const isTold = now - (this.#told.get(what) ?? -Infinity) < TELL_AGAIN_MS;
    if (this.#isOver || isTold) return;
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.set(what, now);
    // What is merely cut off has proven nothing, and is tried again by who wanted it.
    trace(fault.why === 'failed' ? 'info' : 'warn', 'partner.notProven', { ...where, ...fault });
  }

  // ── Datagrams ──

  #isWanted(partner: number): boolean {
    return this.#handlers?.isWanted?.(partner) ?? true;
  }

  #newPath(link: LinkAddresses): Path {
    const path: Path = {
      link,
      delayMs: DATAGRAM_RETRY_MS_MIN,
      openedAt: 0,
      datagrams: new DatagramPath({
        clock: this.#options.clock,
        onDatagram: (datagram) => this.#handlers?.onDatagram(link, datagram),
        onOver: (cause) => {
          if (this.#options.clock.now() - path.openedAt > DATAGRAM_RETRY_MS_MAX)
            path.delayMs = DATAGRAM_RETRY_MS_MIN;
          const fields = { partner: link.partner, link: link.name, cause };
          this.#options.trace('debug', 'partner.heartbeat.over', fields);
          this.#keepUpLater(path);
        },
      }),
    };
    return path;
  }

  #keepUp(path: Path): void {
    const { self, clock } = this.#options;
    if (this.#isOver || self > path.link.partner || path.datagrams.isOpen) return;
    let isSettled = false;
    const raw = this.#dial(path.link, 'heartbeat', (proven) => {
      isSettled = true;
      if (!proven.ok) return this.#keepUpLater(path);
      if (this.#isOver) return void proven.value.socket.destroy();
      path.openedAt = clock.now();
      return path.datagrams.attach(proven.value.socket, raw);
    });
    clock.after(DATAGRAM_CONNECT_MS, () => {
      if (!isSettled) raw.destroy();
    });
  }

  #keepUpLater(path: Path): void {
    const { self, clock } = this.#options;
    if (this.#isOver || self > path.link.partner) return;
    const delayMs = this.#isWanted(path.link.partner) ? path.delayMs : UNWANTED_RETRY_MS;
    clock.after(delayMs, () => this.#keepUp(path));
    path.delayMs = Math.min(2 * path.delayMs, DATAGRAM_RETRY_MS_MAX);
  }
}
