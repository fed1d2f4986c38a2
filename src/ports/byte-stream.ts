/**
 * A reliable byte stream: one TCP connection of an initiator. Production: `runtime/tcp.ts`.
 *
 * Receiving: `onBytes` gets views into receive buffers. Bytes handed out are never rewritten: a buffer of which a
 * view is still held is replaced, not reused; `retain`/`release` say so. Sending: `send` queues; everything queued in
 * one turn of the event loop leaves in one `writev`.
 */

export interface ReceivedBytes {
  /** The receive buffer; `start`..`end` is what arrived. One DataView per buffer, made once. */
  readonly buffer: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  /** The receiver keeps views into `buffer`; it is not reused before as many `release`s. */
  retain(): void;
  release(): void;
}

export interface StreamHandlers {
  onBytes(received: ReceivedBytes): void;
  /** The backlog fell below the low-water mark after `send` had returned false. */
  onDrained(): void;
  /** The turn of the event loop in which `requestTurnEnd` was called is over: time to send what was gathered. */
  onTurnEnd(): void;
  /** The stream is over, once: orderly by the peer, by `close`/`abort`, or by an error (then `cause`). */
  onClosed(cause: string | undefined): void;
}

export interface ByteStream {
  /** Addresses as 'address:port' ('[v6]:port'). */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Bytes queued and not yet taken by the kernel. */
  readonly backlog: number;
  /** Hands over the handlers; bytes flow from then on. */
  start(handlers: StreamHandlers): void;
  /**
   * Queues `segments` in order. `onTaken`, if given, is called once, after `send` has returned, when the kernel has
   * taken the last byte or the stream is over; until then the bytes must not change (the array of them may). Returns
   * false when the backlog is above the high-water mark: stop producing until `onDrained`.
   */
  send(segments: readonly Uint8Array[], onTaken?: () => void): boolean;
  /** Asks for one `onTurnEnd`: results of this turn that come one by one leave together. */
  requestTurnEnd(): void;
  /** Stops and restarts reading (back-pressure on the peer). */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then FIN; the end is forced after `lingerMs`. */
  close(lingerMs: number): void;
  /** Discards what is queued and resets the connection. */
  abort(): void;
}
