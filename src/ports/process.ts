/**
 * Processes of this program and connections nobody owns yet. Production: `runtime/child-process.ts`,
 * `runtime/listener.ts`; tests pass their own.
 */

import type { Result } from '../base/result.ts';

/** How a process ended: an exit status, or the name of the signal that ended it. */
export interface Exit {
  readonly status: number | undefined;
  readonly signal: string | undefined;
}

export interface Child {
  readonly pid: number;
  /** Plain data, delivered in order; lost if the child is gone, of which `onExit` tells. */
  send(message: unknown): void;
  /**
   * Sends the message and, with it, the connection, which is gone here afterwards. No byte may be read from it
   * between the last `onBytes` and this.
   */
  handOver(message: unknown, connection: Arrival): void;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export interface ChildHandlers {
  onMessage(message: unknown): void;
  /** Once. */
  onExit(exit: Exit): void;
}

/** `role` and `index` are what the child finds itself to be: 'control', or 'engine' with its number. */
export type SpawnChild = (role: 'control' | 'engine', index: number, handlers: ChildHandlers) => Child;

/** A connection just accepted: read a little of it, then hand it to whom it belongs or drop it. */
export interface Arrival {
  /** As 'address:port' ('[v6]:port'). */
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** The address alone. */
  readonly remoteHost: string;
  /**
   * Begins to read. `onBytes` gets what arrived, valid during the call, and says whether to read on; after false
   * not one byte more is taken from the socket. `onClosed`: the peer went away while we read.
   */
  read(onBytes: (bytes: Uint8Array) => boolean, onClosed: () => void): void;
  send(bytes: Uint8Array): void;
  drop(): void;
}

export interface Listener {
  /** The address listened on, with the port that was chosen. */
  readonly address: string;
  /** No connection is accepted from now on; the port is free when it answers. */
  close(): Promise<void>;
}

export interface ListenFault {
  readonly reason: 'configuration' | 'inUse' | 'system';
  /** A sentence: which address, why, what to do. */
  readonly message: string;
}

export type Listen = (
  address: string,
  onArrival: (arrival: Arrival) => void,
) => Promise<Result<Listener, ListenFault>>;
