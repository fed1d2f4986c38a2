/** Two nodes and any number of links between them, on which everything waits until a test lets it arrive. */

import type {
  ConnectionHandlers,
  LinkKind,
  NetworkHandlers,
  PartnerConnection,
  PartnerLink,
  PartnerNetwork,
} from '../../../ports/partner-network.ts';

type Side = 0 | 1;

/** One connection, or the attempt at one. */
class MemoryConnection {
  readonly link: number;
  readonly ends: Record<Side, ConnectionHandlers | undefined> = { 0: undefined, 1: undefined };
  /** Sent by a side, and not there yet. */
  readonly under: Record<Side, Uint8Array[]> = { 0: [], 1: [] };
  readonly endedBy: ('closed' | 'aborted')[] = [];
  isOpen = false;
  isFull = false;

  constructor(link: number) {
    this.link = link;
  }

  get isOver(): boolean {
    return this.endedBy.length > 0;
  }

  end(side: Side): PartnerConnection {
    const over = (how: 'closed' | 'aborted'): void => {
      if (this.isOver) return;
      this.endedBy.push(how);
      this.ends[side === 0 ? 1 : 0]?.onClosed(how);
    };
    return {
      send: (segments) => {
        for (const segment of segments) if (!this.isOver) this.under[side].push(segment.slice());
        return !this.isFull;
      },
      close: () => over('closed'),
      abort: () => over('aborted'),
    };
  }

  /** In pieces of that length; otherwise as it was sent. */
  deliver(from: Side, length?: number): boolean {
    const to = this.ends[from === 0 ? 1 : 0];
    const [bytes] = this.under[from].splice(0, 1);
    if (bytes === undefined || this.isOver) return false;
    const step = length ?? bytes.length;
    for (let at = 0; at < bytes.length && !this.isOver; at += step) to?.onBytes(bytes.slice(at, at + step));
    return true;
  }

  /** Something between the ends. */
  break(): void {
    if (this.isOver) return;
    this.endedBy.push('aborted');
    for (const side of [0, 1] as const) this.ends[side]?.onClosed('broken');
  }
}

export class MemoryNetwork {
  readonly sides: readonly [MemorySide, MemorySide];
  /** All that were ever asked for. */
  readonly connections: MemoryConnection[] = [];
  /** Nobody answers. */
  isDead = false;

  constructor(kinds: readonly LinkKind[]) {
    this.sides = [new MemorySide(this, 0, kinds), new MemorySide(this, 1, kinds)];
  }

  get open(): MemoryConnection[] {
    return this.connections.filter(({ isOpen, isOver }) => isOpen && !isOver);
  }

  /** Whoever asks is let in; what was sent arrives, and what it leads to. */
  settle(length?: number): void {
    for (const connection of this.connections) this.#establish(connection);
    while (this.open.some((one) => one.deliver(0, length) || one.deliver(1, length)));
  }

  #establish(connection: MemoryConnection): void {
    if (connection.isOpen || connection.isOver || this.isDead) return;
    const [connecting, accepting] = this.sides;
    const link = accepting.links[connection.link]!;
    connection.ends[1] = accepting.handlers?.onConnection(link, connection.end(1));
    if (connection.ends[1] === undefined) {
      connection.endedBy.push('aborted');
      connection.ends[0]?.onClosed('refused');
    } else if (!connection.isOver) {
      connection.isOpen = true;
      connecting.opened(connection);
    }
  }
}

class MemorySide implements PartnerNetwork {
  readonly links: readonly PartnerLink[];
  handlers: NetworkHandlers | undefined;
  /** Sent as datagrams, all that there ever were. */
  readonly datagrams: { readonly link: PartnerLink; readonly bytes: Uint8Array }[] = [];
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork, side: Side, kinds: readonly LinkKind[]) {
    this.#network = network;
    this.links = kinds.map((kind, at) => ({
      partner: side === 0 ? 2 : 1,
      number: at + 1,
      kind,
      name: `${kind} ${at + 1}`,
    }));
  }

  start(handlers: NetworkHandlers): void {
    this.handlers = handlers;
  }

  connect(link: PartnerLink, handlers: ConnectionHandlers): PartnerConnection {
    const connection = new MemoryConnection(this.links.indexOf(link));
    connection.ends[0] = handlers;
    this.#network.connections.push(connection);
    return connection.end(0);
  }

  opened(connection: MemoryConnection): void {
    connection.ends[0]?.onOpen();
  }

  sendDatagram(link: PartnerLink, bytes: Uint8Array): boolean {
    this.datagrams.push({ link, bytes });
    return !this.#network.isDead;
  }
}
