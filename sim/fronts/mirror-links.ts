/** The network between nodes as one process of a simulated machine has it. Hosts are numbered from 0, nodes from 1. */

import { assert } from '../../src/base/assert.ts';
import { copyOf } from '../../src/base/segments.ts';
import { HEADER_LENGTH } from '../../src/engine/mirror/frame.ts';
import type {
  ConnectionHandlers,
  NetworkHandlers,
  PartnerConnection,
  PartnerLink,
  PartnerNetwork,
} from '../../src/ports/partner-network.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import type { Network } from '../network.ts';
import type { StreamEnd, StreamHandlers } from '../stream.ts';
import { weightOf } from './mirror-carrier.ts';

const BEAT_BYTES = 100;

export class SimulatedPartners implements PartnerNetwork {
  readonly links: readonly PartnerLink[];
  readonly #host: Host;
  readonly #network: Network;
  readonly #ways = new Map<PartnerLink, Link>();
  #handlers: NetworkHandlers | undefined;
  /** Where the next frame is cut in two. */
  #cut = 0;
  #isOver = false;

  constructor(host: Host, network: Network) {
    this.#host = host;
    this.#network = network;
    for (const link of network.links) {
      if (link.kind === 'path' || !link.ends.includes(host.id)) continue;
      const other = link.ends[0] === host.id ? link.ends[1] : link.ends[0];
      const name = `${link.kind} ${link.id}`;
      this.#ways.set({ partner: other + 1, number: link.id + 1, kind: link.kind, name }, link);
    }
    this.links = [...this.#ways.keys()];
  }

  start(handlers: NetworkHandlers): void {
    this.#handlers = handlers;
  }

  connect(link: PartnerLink, handlers: ConnectionHandlers): PartnerConnection {
    const end = this.#network.connect(
      this.#ways.get(link)!,
      this.#host.id,
      this.#receiverOf(handlers, false),
    );
    return connectionOver(end);
  }

  sendDatagram(link: PartnerLink, datagram: Uint8Array): boolean {
    this.#network.sendDatagram(this.#ways.get(link)!, this.#host.id, datagram, BEAT_BYTES);
    return true;
  }

  /** A connection arrives. */
  accept(end: StreamEnd): StreamHandlers | undefined {
    if (this.#isOver) return undefined;
    const handlers = this.#handlers?.onConnection(this.#linkOf(end.link), connectionOver(end));
    return handlers && this.#receiverOf(handlers, true);
  }

  receive(link: Link, datagram: unknown): void {
    if (!this.#isOver) this.#handlers?.onDatagram(this.#linkOf(link), datagram as Uint8Array);
  }

  /** The process has died: its kernel ends the connections. */
  abandon(): void {
    this.#isOver = true;
  }

  #linkOf(link: Link): PartnerLink {
    for (const [way, other] of this.#ways) if (other === link) return way;
    assert(false, 'what arrives comes over a link of this host');
  }

  /** A connection that came in is open before its handlers are there. */
  #receiverOf(handlers: ConnectionHandlers, cameIn: boolean): StreamHandlers {
    let isOpen = cameIn;
    const open = (): void => {
      if (isOpen) return;
      isOpen = true;
      handlers.onOpen();
    };
    const unlessOver =
      <A extends unknown[]>(action: (...args: A) => void) =>
      (...args: A): void => {
        if (!this.#isOver) action(...args);
      };
    return {
      onOpen: unlessOver(open),
      onMessage: unlessOver((message: unknown) => {
        // The other end speaks first: what it says may be there before the connection counts as open.
        open();
        for (const piece of this.#pieces(message as Uint8Array)) handlers.onBytes(piece);
      }),
      onDrained: unlessOver(() => handlers.onDrained()),
      onClosed: unlessOver((cause: string) => handlers.onClosed(cause)),
    };
  }

  /** Bytes are cut anywhere, always at another place. Messages that travel as they are have nothing behind their header. */
  #pieces(bytes: Uint8Array): Uint8Array[] {
    if (bytes.length <= HEADER_LENGTH) return [bytes];
    this.#cut = (this.#cut + 7) % 1009;
    const at = this.#cut % bytes.length;
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }
}

function connectionOver(end: StreamEnd): PartnerConnection {
  return {
    send: (segments) => {
      const [first] = segments;
      // As if it had been in the socket: what becomes of the sender's buffers does not matter any more.
      return end.send(segments.length === 1 ? first : copyOf(segments), weightOf(segments));
    },
    close: () => end.close(),
    abort: () => end.abort(),
  };
}
