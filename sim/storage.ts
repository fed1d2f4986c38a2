/**
 * What initiators see of the storage. A front is what stands behind: the mirror, or one of `fronts/` with which the
 * simulator tests itself. Blocks hold numbers; 0 is what a block holds before its first write and after an unmap.
 */

import type { DocumentsAtEnd } from './checkers/documents.ts';
import type { GrowthAtEnd } from './checkers/growth.ts';
import type { ReplicasAtEnd } from './checkers/replicas.ts';
import type { SimulatedDisk } from './disk.ts';
import type { Link } from './link.ts';
import type { StreamEnd, StreamHandlers } from './stream.ts';

export type Command =
  | { readonly kind: 'read'; readonly lba: number; readonly blocks: number }
  | { readonly kind: 'write'; readonly lba: number; readonly values: readonly number[] }
  | {
      readonly kind: 'compareAndWrite';
      readonly lba: number;
      readonly expected: readonly number[];
      readonly values: readonly number[];
    }
  | { readonly kind: 'unmap'; readonly lba: number; readonly blocks: number }
  | { readonly kind: 'flush' }
  | { readonly kind: 'testUnitReady' }
  /** Answers how many new blocks there are, as a value. */
  | { readonly kind: 'readCapacity' }
  | ReservationCommand;

/** PERSISTENT RESERVE OUT and IN (SPC-4 §6.15, §6.16); the type is Write Exclusive – Registrants Only throughout. */
export type ReservationCommand =
  /** REGISTER AND IGNORE EXISTING KEY; 0 unregisters. */
  | { readonly kind: 'register'; readonly key: number }
  | { readonly kind: 'reserve' }
  | { readonly kind: 'release' }
  | { readonly kind: 'preempt'; readonly victim: number }
  | { readonly kind: 'clear' }
  | { readonly kind: 'readReservation' };

export type Answer =
  /** `values`: what was read, one per block. */
  | { readonly status: 'good'; readonly values: readonly number[] }
  | {
      readonly status: 'reservation';
      readonly generation: number;
      /** Key of the holder; 0: nobody. */
      readonly holder: number;
      /** Of all registrations, ascending. */
      readonly keys: readonly number[];
    }
  | { readonly status: 'miscompare' | 'reservationConflict' | 'mediumError' | 'outOfRange' }
  /** Another path may do: not ready, transitioning, busy. */
  | { readonly status: 'unavailable' };

/** An I_T nexus: a login of one initiator at one node. A new login is a new object. */
export interface Session {
  readonly initiator: number;
  readonly node: number;
  /**
   * The initiator has given it up and may have gone on elsewhere. No storage can know this; it is for the perfect
   * front, which is the measure for others.
   */
  abandoned: boolean;
}

export interface StorageFront {
  /** A login. False refuses it. `drop` ends the connection from the node's side. */
  open(session: Session, drop: () => void): boolean;
  /** `answer` at most once; never is allowed: the initiator has timeouts. */
  submit(session: Session, device: number, command: Command, answer: (answer: Answer) => void): void;
  /** Something arrived from the initiator: what a guard against dead sessions wants to know. */
  heard(session: Session): void;
  /** The connection is over, as the node sees it: nothing of the session that has not begun may begin. */
  close(session: Session): void;
  /** The node's process died; with `power` its disks lost what was not flushed. Sessions are not closed one by one. */
  crash(node: number, how: 'process' | 'power'): void;
  restart(node: number): void;
  /** Connections and datagrams between nodes; a front without any leaves them out. */
  onConnection?(node: number, end: StreamEnd): StreamHandlers | undefined;
  onDatagram?(node: number, link: Link, from: number, message: unknown): void;
  /** Of a node, for disk faults. */
  disksOf(node: number): readonly SimulatedDisk<unknown>[];
  /** Nodes that hold everything, for the fault budget. */
  completeCopies(): readonly number[];
  /** All copies are complete and serve, so that any one of them can be spared. Left out: always. */
  isWhole?(): boolean;
  /** An administrator does something; `draw` in [0, 1) says what. */
  operate(draw: number): void;
  /** Once the workload has ended: nothing is on its way any more, and all replicas that should be are in sync. */
  isQuiet(): boolean;
  /** At the end: what administrators have changed, and what nodes hold of it. */
  documents?(): DocumentsAtEnd;
  /** At the end: how administrators made the device larger. A front without it has none that grows. */
  growth?(): GrowthAtEnd;
  /** At the end: how administrators gave nodes copies and took them away. */
  replicaChanges?(): ReplicasAtEnd;
  /** At the end: what each replica of `device` holds, block by block. */
  replicas(device: number): readonly { readonly node: number; readonly values: readonly number[] }[];
}

/** What travels on a path. */
export type Request =
  | { readonly kind: 'login'; readonly session: Session }
  | { readonly kind: 'command'; readonly tag: number; readonly device: number; readonly command: Command }
  | { readonly kind: 'ping' };

export type Response =
  | { readonly kind: 'loggedIn' }
  | { readonly kind: 'answer'; readonly tag: number; readonly answer: Answer }
  | { readonly kind: 'pong' };

const HEADER_BYTES = 48;
const BLOCK_BYTES = 512;

export function bytesOf(message: Request | Response): number {
  if (message.kind === 'command' && 'values' in message.command)
    return HEADER_BYTES + BLOCK_BYTES * message.command.values.length;
  if (message.kind === 'answer' && message.answer.status === 'good')
    return HEADER_BYTES + BLOCK_BYTES * message.answer.values.length;
  return HEADER_BYTES;
}
