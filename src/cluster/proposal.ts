/** One attempt of this node to bring about the next configuration; `membership.ts` moves it on. */

import type { Choice, ReplicaChange } from './choose.ts';
import { isMajority, type Site } from './configuration.ts';
import type { Proposal, Report } from './messages.ts';
import { DRIFT } from './times.ts';

export interface Attempt<H> {
  readonly term: number;
  /** For people: what made it necessary. */
  readonly cause: string;
  readonly excluded: ReadonlySet<number>;
  readonly promoted: ReadonlySet<number>;
  readonly change?: ReplicaChange | undefined;
  readonly isForced: boolean;
  /** Of a split brain; undefined: nobody has been chosen. */
  readonly winner: number | undefined;
  readonly begunAt: number;
  /** promise → claim (the arbiter is asked) → lease (those left out may still serve) → accept */
  phase: 'promise' | 'claim' | 'lease' | 'accept';
  readonly promises: Map<number, Report<H>>;
  /** When what they tell last came. */
  readonly toldAt: Map<number, number>;
  /** Until then those who are left out may still serve. */
  leasesEndAt: number;
  choice: Choice | undefined;
  proposal: Proposal<H> | undefined;
  readonly accepted: Set<number>;
  /** Why it has not gone further. */
  waitsFor: string;
}

const TERMS_PER_ROUND = 16;

/** The next term above `seen` that only this node proposes. */
export function nextTerm(seen: number, self: number): number {
  return (Math.floor(seen / TERMS_PER_ROUND) + 1) * TERMS_PER_ROUND + self;
}

export function begin<H>(
  term: number,
  now: number,
  why: Pick<Attempt<H>, 'cause' | 'excluded' | 'promoted' | 'change' | 'isForced' | 'winner'>,
): Attempt<H> {
  return {
    ...why,
    term,
    begunAt: now,
    phase: 'promise',
    promises: new Map(),
    toldAt: new Map(),
    leasesEndAt: now,
    choice: undefined,
    proposal: undefined,
    accepted: new Set(),
    waitsFor: '',
  };
}

/** What has been promised, with what is left of the leases that were told. */
export function promisesNow<H>(
  { promises, toldAt }: Attempt<H>,
  now: number,
): ReadonlyMap<number, Report<H>> {
  const leftOf = (node: number, report: Report<H>): Report<H>['leases'] => {
    // As if this node's clock were the faster one.
    const pastMs = (now - toldAt.get(node)!) / DRIFT;
    return report.leases.map(([member, ms]) => [member, Math.max(0, ms - pastMs)]);
  };
  return new Map([...promises].map(([node, report]) => [node, { ...report, leases: leftOf(node, report) }]));
}

/** Its members have accepted it. */
export function hasMembers({ accepted, choice }: Attempt<unknown>): boolean {
  return choice!.members.every((node) => accepted.has(node));
}

/**
 * Members are asked to accept before all others: a copy that is left out holds what members may lack until they have it, and
 * says so by what it has accepted.
 */
export function isTurnOf(node: number, attempt: Attempt<unknown>): boolean {
  return attempt.choice!.members.includes(node) || hasMembers(attempt);
}

/** Everybody who must have accepted before anyone serves has. `sites`: by which it is chosen, and to which it leads. */
export function isComplete({ accepted, choice }: Attempt<unknown>, sites: readonly Site[]): boolean {
  const { members, learners, told } = choice!;
  const isAccepted = (node: number): boolean => accepted.has(node);
  return (
    [...members, ...learners, ...told].every(isAccepted) &&
    sites.every((site) => site.strategy.kind === 'heartbeat' || isMajority(site, isAccepted))
  );
}
