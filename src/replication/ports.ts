/** What a replica needs of the world, and what every part of it shares. */

import type { MaybeAsync, Result } from '../base/result.ts';
import type { Journal } from '../journal/journal.ts';
import type { BlockDevice, DeviceFault } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';
import type { LocalCopy } from './local-copy.ts';
import type { ReplicaBody } from './messages.ts';
import type { MutationLog } from './mutation-log.ts';
import type { DocumentName, Stamp } from './operation.ts';

/** The store beneath, perhaps with a cache in between. */
export type ReplicaStore = Pick<BlockDevice, 'geometry' | 'read' | 'write' | 'writeSame' | 'unmap' | 'flush'>;

export type ReplicaJournal = Pick<
  Journal,
  | 'beforeWrite'
  | 'written'
  | 'sealUnflushed'
  | 'confirmUnflushed'
  | 'abandonUnflushed'
  | 'mapOf'
  | 'brought'
  | 'saveProgress'
  | 'hasLog'
>;

export interface ReplicaPorts {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly store: ReplicaStore;
  readonly journal: ReplicaJournal;
  send(to: number, body: ReplicaBody): void;
  /** The channel to a member or learner holds as much as it may: nothing new begins. */
  isCongested(): boolean;
  /** Serving is allowed at this moment: configuration, seal, lease. */
  mayServe(): boolean;
  /** Durable before it answers: that data was written in this epoch. Called for every change, answers at once later. */
  noteWritten(): MaybeAsync<Result<void, DeviceFault>>;
  /** Makes a record durable that says: the medium is not older than now. Answers its sequence number; 0: failed. */
  recordFlush(): Promise<number>;
  saveDocument(name: DocumentName, bytes: Uint8Array, revision: Stamp): MaybeAsync<Result<void, DeviceFault>>;
  /** Every member and learner holds it, and so does this node's record. Called before the change is answered. */
  documentReadable(name: DocumentName, bytes: Uint8Array, revision: Stamp): void;
  /** The copy of this node failed; it has to leave, and nothing it holds back is ever acknowledged. */
  onCopyFailed(fault: DeviceFault): void;
  /** The medium of this node is long enough for so many blocks, durably; else why not. */
  makeRoom(blockCount: number): Promise<string | undefined>;
  /** Equal digests mean equal bytes. */
  digest(data: readonly Uint8Array[]): string;
}

/** How changes become durable: on the medium before they are acknowledged, or later. */
export type WritePolicy = 'through' | 'back';

/** Of the installed configuration, as one replica sees it. */
export interface Installed {
  readonly term: number;
  readonly members: readonly number[];
  readonly learners: readonly number[];
  /** The member that brings learners up to date. */
  readonly source: number;
  /** Reads are confirmed by all members before they are answered: this machine's clock may stand still. */
  readonly confirmsReads: boolean;
}

export interface ReplicaContext {
  readonly self: number;
  readonly ports: ReplicaPorts;
  readonly log: MutationLog;
  readonly copy: LocalCopy;
  readonly blockLength: number;
  /** Undefined before the first installation and from a seal on. */
  installed: Installed | undefined;
  lamport: number;
  /** Something that waits may go on now. */
  wake(): void;
}

/** All who receive changes, but for this replica. */
export function peersOf(installed: Installed, self: number): number[] {
  return [...installed.members, ...installed.learners].filter((node) => node !== self);
}

export function otherMembers(installed: Installed, self: number): number[] {
  return installed.members.filter((node) => node !== self);
}
