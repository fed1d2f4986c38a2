/**
 * The network between nodes as one device on one node sees it: ways to its partners, connections over those for sync,
 * datagrams over all of them. Production: `runtime/partner-network.ts`; the simulator has one that loses, delays and cuts.
 *
 * Invariants
 *  1. Whatever comes from a connection or as a datagram comes from the partner of that link: its identity was proven.
 *  2. Bytes of a connection arrive in order and as they were sent, until it ends; where they are cut means nothing.
 *  3. A datagram arrives whole, late, twice or never. One that cannot leave at once never leaves.
 *  4. Received bytes are the receiver's: they are never written again.
 */

export type LinkKind = 'sync' | 'heartbeat';

/** Every write takes at least so long as a link for sync there and back; databases and virtual machines suffer from more. */
export const ROUND_TRIP_MS_MAX = 5;

/** A way to a partner; one for sync carries datagrams, too. */
export interface PartnerLink {
  /** The partner's id among the nodes of the device. */
  readonly partner: number;
  /** Both nodes know the way between them by the same number, from 1 on. */
  readonly number: number;
  readonly kind: LinkKind;
  /** For people. */
  readonly name: string;
}

export interface ConnectionHandlers {
  /** First, and only at the side that has connected: the other one gets a connection that is open. */
  onOpen(): void;
  onBytes(bytes: Uint8Array): void;
  /** The backlog fell below the low-water mark after `send` had answered false. */
  onDrained(): void;
  /** Once, unless this side ended it: the connection is over, or there never was one. */
  onClosed(cause: string): void;
}

export interface PartnerConnection {
  /**
   * Queues the segments, which are not joined. Whoever changes them before they have left sends something else than was
   * checksummed. False: stop until `onDrained`. Only on an open connection; nothing happens on one that is over.
   */
  send(segments: readonly Uint8Array[]): boolean;
  /** Sends what is queued first. */
  close(): void;
  abort(): void;
}

export interface NetworkHandlers {
  /** A partner has connected over this link. Undefined refuses. */
  onConnection(link: PartnerLink, connection: PartnerConnection): ConnectionHandlers | undefined;
  onDatagram(link: PartnerLink, datagram: Uint8Array): void;
  /** The device has to do with this partner: else it is seldom looked whether it is there. Undefined: with all. */
  isWanted?(partner: number): boolean;
}

export interface PartnerNetwork {
  readonly links: readonly PartnerLink[];
  /** Nothing is received before. Once. */
  start(handlers: NetworkHandlers): void;
  /** `link` is for sync. Nothing is called within the call. */
  connect(link: PartnerLink, handlers: ConnectionHandlers): PartnerConnection;
  /** False: dropped here. */
  sendDatagram(link: PartnerLink, datagram: Uint8Array): boolean;
}
