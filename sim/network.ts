/**
 * The network between endpoints (nodes and initiators): links of several kinds side by side, datagrams and connections
 * on each of them, and everything that can go wrong with them. Links are independent: what is sent on one overtakes
 * what was sent on another.
 *
 * Faults act on all directions of links that a filter picks; each gives back the function that ends it. A one-way cut, a
 * partial partition, the loss of all sync links are all the same call with another filter.
 */

import type { Prng } from '../src/base/prng.ts';
import type { Host } from './host.ts';
import type { Degradation, Direction, Link, LinkOptions } from './link.ts';
import { createLink } from './link.ts';
import type { Scheduler } from './scheduler.ts';
import type { StreamEnd, StreamHandlers, StreamWorld } from './stream.ts';
import { Connection } from './stream.ts';
import type { Trace } from './trace.ts';

/** The program at an endpoint. */
export interface Service {
  /** A connection arrives; undefined refuses it. */
  onConnection(end: StreamEnd): StreamHandlers | undefined;
  onDatagram(link: Link, from: number, message: unknown): void;
}

export type DirectionFilter = (link: Link, from: number, to: number) => boolean;

export interface Network {
  readonly links: readonly Link[];
  readonly connections: number;
  attach(host: Host, service: Service): void;
  addLink(options: LinkOptions): Link;
  connect(link: Link, from: number, handlers: StreamHandlers): StreamEnd;
  /** May be lost, doubled or overtaken. */
  sendDatagram(link: Link, from: number, message: unknown, bytes: number): void;
  cut(filter: DirectionFilter): () => void;
  degrade(filter: DirectionFilter, degradation: Degradation): () => void;
  /** Something between the ends (a firewall, a switch) resets the connections of these links. Answers how many. */
  resetConnections(filter: (link: Link) => boolean): number;
  /** `process`: the kernel lives and tells the peers. `power`: silence. Call it with the host's crash and restart. */
  hostDown(endpoint: number, how: 'process' | 'power'): void;
  hostUp(endpoint: number): void;
}

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly trace: Trace;
}

const DIRECTIONS: readonly Direction[] = [0, 1];
/** Sources of deliveries: connections have ids from here on, datagrams of a link have its own id. */
const FIRST_CONNECTION_ID = 1_000_000;

export function createNetwork({ scheduler, random, trace }: NetworkOptions): Network {
  const links: Link[] = [];
  const endpoints = new Map<number, { readonly host: Host; readonly service: Service }>();
  const connections = new Set<Connection>();
  const unpowered = new Set<number>();
  let nextId = FIRST_CONNECTION_ID;

  const world: StreamWorld = {
    scheduler,
    random,
    trace,
    hostOf: (endpoint) => endpoints.get(endpoint)!.host,
    isPowered: (endpoint) => !unpowered.has(endpoint),
    accept: (end) => endpoints.get(end.local)!.service.onConnection(end),
    onEnded: (connection) => connections.delete(connection),
  };

  function deliverDatagram(link: Link, direction: Direction, message: unknown): void {
    if (link.isCut(direction)) return;
    const [from, to] = [link.ends[direction], link.ends[direction === 0 ? 1 : 0]];
    const { host, service } = endpoints.get(to)!;
    // Nobody takes it off the wire while the machine is not there.
    if (host.state === 'vmPaused') return;
    trace.note('datagram', link.id, to);
    host.deliver(link.id, () => service.onDatagram(link, from, message));
  }

  /** Lays a fault on every direction that the filter picks. */
  function lay(filter: DirectionFilter, on: (link: Link, direction: Direction) => () => void): () => void {
    const undo: (() => void)[] = [];
    for (const link of links) {
      const [a, b] = link.ends;
      if (filter(link, a, b)) undo.push(on(link, 0));
      if (filter(link, b, a)) undo.push(on(link, 1));
    }
    return () => {
      for (const action of undo) action();
    };
  }

  function heal(link: Link, direction: Direction): void {
    for (const connection of connections) if (connection.link === link) connection.heal(direction);
  }

  function hasten(link: Link, direction: Direction, share: number): void {
    link.hasten(direction, share, scheduler.now());
    for (const connection of connections) if (connection.link === link) connection.hasten(direction, share);
  }

  return {
    links,
    get connections() {
      return connections.size;
    },
    attach: (host, service) => {
      endpoints.set(host.id, { host, service });
    },
    addLink(options) {
      const link = createLink(links.length, options, random.fork(`link ${links.length}`));
      links.push(link);
      return link;
    },
    connect(link, from, handlers) {
      const direction = sideOf(link, from);
      const connection = new Connection(nextId++, world, link, direction, handlers);
      connections.add(connection);
      return connection.ends[direction];
    },
    sendDatagram(link, from, message, bytes) {
      const direction = sideOf(link, from);
      const copies = 1 + Number(random.chance(link.duplicationOf(direction)));
      for (let copy = 0; copy < copies; copy++) {
        if (random.chance(link.lossOf(direction))) continue;
        const delay = link.draw(direction, bytes, scheduler.now());
        scheduler.after(delay, () => deliverDatagram(link, direction, message));
      }
    },
    cut: (filter) => lay(filter, (link, direction) => link.cut(direction, () => heal(link, direction))),
    degrade: (filter, degradation) =>
      lay(filter, (link, direction) =>
        link.degrade(direction, { ...degradation }, (share) => hasten(link, direction, share)),
      ),
    resetConnections(filter) {
      const found = [...connections].filter((connection) => filter(connection.link));
      for (const connection of found) connection.reset();
      return found.length;
    },
    hostDown(endpoint, how) {
      if (how === 'power') unpowered.add(endpoint);
      for (const connection of connections)
        if (connection.link.ends.includes(endpoint)) connection.hostDown(endpoint, how);
    },
    hostUp(endpoint) {
      unpowered.delete(endpoint);
      for (const connection of connections)
        if (connection.link.ends.includes(endpoint)) for (const side of DIRECTIONS) connection.heal(side);
    },
  };
}

function sideOf(link: Link, endpoint: number): Direction {
  return link.ends[0] === endpoint ? 0 : 1;
}
