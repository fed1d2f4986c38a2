/**
 * A small register outside of the cluster, by which nodes agree that may not hear each other: files on a share, a key in
 * etcd. Whoever writes says which version it replaces. Nothing runs there that is ours. Production:
 * `runtime/share-votes.ts`, `runtime/etcd-votes.ts`.
 *
 * Users set a limit of their own to every operation: one may take as long as it likes, and may never answer.
 */

import type { Result } from '../base/result.ts';

export type VoteFault =
  /** Not reached, or not answered in time. A write may be done all the same: now, or later, or never. */
  | { readonly kind: 'unreachable'; readonly cause: string }
  /** It answers, and cannot be a register: no permission, no hard links. */
  | { readonly kind: 'unsuitable'; readonly cause: string };

export interface StoredVote {
  readonly bytes: Uint8Array;
  /** Above 0, and never the same for two writes. */
  readonly version: number;
}

export interface VoteStore {
  /** Name for messages. */
  readonly name: string;
  /**
   * What was written last. Exact: no write that was answered `true` before this call is missed, whoever made it, and what
   * one read has returned no later one un-returns. Undefined: nothing is there.
   */
  read(): Promise<Result<StoredVote | undefined, VoteFault>>;
  /**
   * Replaces `version` (0: nothing). True: done, durable, and seen by everybody from now on. False: something else was
   * there, and this write never takes place.
   */
  write(bytes: Uint8Array, version: number): Promise<Result<boolean, VoteFault>>;
}
