/**
 * What replicas of one device say to each other within one term, over the reliable channel between two nodes: in
 * order, each once, until either process ends. Every message tells the sender's Lamport time as it was sent.
 *
 *   write       mutate → held (each member and learner) → valid
 *   atomic      lock (the first member, then all) → locked → … mutate … → unlock
 *   flush       flush → flushed: everything the asker sent before is on the medium, and so is a record whose sequence
 *               number says so: a disk that shows a lower one later is older than this moment
 *   read        confirm → confirmed: the term was still this one; fetch → fetched: bytes the asker cannot read itself
 *   resync      offer → want (with the learner's digest) → same | chunk → settled
 *   growth      makeRoom → roomMade: the medium is long enough for a larger device, or why it cannot be
 *   order       clock: nothing else to say, but older changes may be forgotten
 */

import type { Operation, Stamp } from './operation.ts';

export interface LockName {
  readonly owner: number;
  readonly number: number;
}

export interface LockedExtent {
  readonly lba: number;
  readonly blocks: number;
}

export type ReplicaBody =
  | { readonly kind: 'mutate'; readonly stamp: Stamp; readonly operation: Operation }
  | { readonly kind: 'held'; readonly stamp: Stamp }
  | { readonly kind: 'valid'; readonly stamp: Stamp }
  | { readonly kind: 'clock' }
  | { readonly kind: 'flush'; readonly id: number }
  | { readonly kind: 'flushed'; readonly id: number; readonly sequence: number }
  | { readonly kind: 'lock'; readonly lock: LockName; readonly extents: readonly LockedExtent[] }
  | { readonly kind: 'locked'; readonly lock: LockName }
  | { readonly kind: 'unlock'; readonly lock: LockName }
  | { readonly kind: 'confirm'; readonly id: number }
  | { readonly kind: 'confirmed'; readonly id: number }
  | { readonly kind: 'fetch'; readonly id: number; readonly lba: number; readonly blocks: number }
  | { readonly kind: 'fetched'; readonly id: number; readonly data: readonly Uint8Array[] | undefined }
  | { readonly kind: 'offer'; readonly chunks: readonly number[] }
  | { readonly kind: 'want'; readonly chunk: number; readonly digest: string | undefined }
  | { readonly kind: 'same'; readonly chunk: number }
  | { readonly kind: 'chunk'; readonly chunk: number; readonly data: readonly Uint8Array[] }
  | { readonly kind: 'settled'; readonly chunk: number }
  | { readonly kind: 'makeRoom'; readonly id: number; readonly blockCount: number }
  /** `reason`: for people; undefined: there is room. */
  | { readonly kind: 'roomMade'; readonly id: number; readonly reason: string | undefined };

export type ReplicaMessage = ReplicaBody & { readonly term: number; readonly lamport: number };
