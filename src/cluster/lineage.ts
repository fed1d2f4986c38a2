/**
 * From which configuration the next one begins, and which copies have gone another way since they were together with it.
 *
 * The newest accepted configuration, as a rule. Where nodes may go on alone without asking anyone (heartbeat, policy
 * `continue`), two can have done so: then what was written decides. A copy that was written when the others of the newest
 * configuration were not is ahead of them, whatever the numbers are; where both were written there is a split brain, the
 * side with the highest priority goes on, and nothing of the other is overwritten until someone chooses.
 */

import { type Configuration, type MadeSite, siteOf } from './configuration.ts';
import { compareHistories, type Relation } from './history.ts';
import type { Report } from './messages.ts';

export interface Lineage {
  readonly base: Configuration;
  /** Copies with changes of their own that are not those of `base`. */
  readonly diverged: readonly number[];
}

/**
 * `counting`: promises of all that have their records, witnesses among them; at
 * least one.
 */
export function lineageOf(
  made: MadeSite,
  counting: ReadonlyMap<number, Report<unknown>>,
  winner: number | undefined,
): Lineage {
  const newest = [...counting.values()]
    .map(({ accepted }) => accepted)
    .reduce((a, b) => (b.term > a.term ? b : a));
  const site = siteOf(newest, made);
  const copies = site.nodes.filter((node) => counting.has(node));
  const relationTo = (node: number, members: readonly number[]): readonly Relation[] =>
    members
      .filter((member) => member !== node && copies.includes(member))
      .map((member) => compareHistories(counting.get(node)!.history, counting.get(member)!.history).relation);
  const mayGoAlone = site.strategy.kind === 'heartbeat' && site.strategy.policy === 'continue';
  const isSplit = (relation: Relation): boolean =>
    relation === 'diverged' || (relation === 'unrelated' && mayGoAlone);
  const splitFrom = (members: readonly number[]): number[] =>
    copies.filter((node) => !members.includes(node) && relationTo(node, members).some(isSplit));
  if (winner !== undefined && counting.has(winner)) {
    const side = newest.members.includes(winner) ? newest : { ...newest, members: [winner], learners: [] };
    return { base: side, diverged: splitFrom(side.members) };
  }
  if (!mayGoAlone || !newest.members.every((node) => copies.includes(node)))
    return { base: newest, diverged: splitFrom(newest.members) };
  const others = copies.filter((node) => {
    const { accepted, isDiverged } = counting.get(node)!;
    return !newest.members.includes(node) && accepted.members.includes(node) && !isDiverged;
  });
  const better = others.find((node) => {
    const relations = relationTo(node, newest.members);
    return relations.every((relation) => relation === 'ahead') || isHigherSplit(node, relations);
  });
  const base = better === undefined ? newest : counting.get(better)!.accepted;
  return { base, diverged: splitFrom(base.members) };

  function isHigherSplit(node: number, relations: readonly Relation[]): boolean {
    const place = (of: number): number => site.nodes.indexOf(of);
    return relations.some(isSplit) && newest.members.every((member) => place(node) < place(member));
  }
}
