/**
 * What nodes say to each other about one device's configuration. Beats and their answers are datagrams on every link;
 * the others are repeated until they are answered, on whatever path there is, and mean the same when they come twice.
 *
 *   beat → beatAnswer          who is there, what it is; the answer lets a member serve
 *   prepare → promise | refuse nothing older counts from here on; what the voter knows
 *   accept → accepted          the new configuration, durable, with what was pending
 *   install                    all have accepted: serve
 *
 * `H` is what the copies themselves have to tell (pending changes, maps); it is opaque here.
 */

import type { Configuration } from './configuration.ts';
import type { History } from './history.ts';

export type Role =
  | 'serving'
  | 'learning'
  | 'sealed'
  | 'waiting'
  | 'blocked'
  | 'diverged'
  | 'failed'
  | 'witness'
  | 'stopping'
  | 'removed';

export interface Beat {
  readonly kind: 'beat';
  /** Unlike any other start of the process. */
  readonly incarnation: number;
  /** By the sender's clock. */
  readonly sentAt: number;
  /** Installed; 0: none. */
  readonly term: number;
  readonly promised: number;
  /** The last configuration that it has accepted. */
  readonly accepted: Pick<Configuration, 'term' | 'members'>;
  /** It can make nothing durable: as long as it runs it promises, accepts and serves nothing any more. */
  readonly hasRetired: boolean;
  readonly role: Role;
  /** Nodes the sender hears: on any path, on a sync link. */
  readonly hears: readonly number[];
  readonly hearsSync: readonly number[];
  /** The members of the installed configuration. */
  readonly members: readonly number[];
}

export interface BeatAnswer {
  readonly kind: 'beatAnswer';
  readonly incarnation: number;
  /** Of the beat. */
  readonly sentAt: number;
  /** The lease is for a member of this term; 0: none is granted. */
  readonly term: number;
}

export interface Report<H> {
  readonly promised: number;
  readonly accepted: Configuration;
  /** Who has to agree to the next configuration under the heartbeat strategy, as far as this node knows. */
  readonly bound: readonly number[];
  /** The copy goes on from the accepted configuration without a restart in between. */
  readonly isFresh: boolean;
  /** Stopped in order: nothing was under way, and everything is on the medium. */
  readonly wasStopped: boolean;
  /** Stopped in order, but for changes under way: it holds all that was answered, perhaps more than others do. */
  readonly wasWrittenOut: boolean;
  /** There is no copy, or none that counts: no vote either. */
  readonly isBlank: boolean;
  /** It has stood back for another (heartbeat), durably, and does not go on without the others. */
  readonly isOut: boolean;
  /** It went on alone while others did, too, and waits, durably, for someone to choose one of them. */
  readonly isDiverged: boolean;
  /** What only this copy holds since then is safe elsewhere: it may be overwritten. */
  readonly hasKept: boolean;
  readonly hasFailed: boolean;
  readonly history: History;
  /** Milliseconds for which a lease that this voter granted may still run, by node. */
  readonly leases: readonly (readonly [node: number, ms: number])[];
  readonly hearsSync: readonly number[];
  /** Undefined from a witness, and over paths that carry no data. */
  readonly handover: H | undefined;
}

export interface Proposal<H> {
  readonly configuration: Configuration;
  /** Undefined for a node that is neither member nor learner. */
  readonly handover: H | undefined;
  /** Nodes that went on alone while these did: they wait for someone to choose. */
  readonly diverged: readonly number[];
}

export type Control<H> =
  | {
      readonly kind: 'prepare';
      readonly term: number;
      /** Stand back, durably, before you promise. */
      readonly excluded: readonly number[];
      readonly withHandover: boolean;
    }
  | { readonly kind: 'promise'; readonly term: number; readonly report: Report<H> }
  | { readonly kind: 'refuse'; readonly term: number; readonly promised: number }
  | { readonly kind: 'accept'; readonly proposal: Proposal<H> }
  | { readonly kind: 'accepted'; readonly term: number }
  | { readonly kind: 'install'; readonly configuration: Configuration };
