/** What the journal of a copy has to know, durably, before a configuration is accepted: who is absent, and since when. */

import type { Configuration } from '../../cluster/configuration.ts';
import type { BaseEpoch, Journal } from '../../journal/journal.ts';
import type { Difference, Handover } from './handover.ts';

export interface JournalNews {
  readonly self: number;
  /** Nodes that have a copy of the device or are to get one. */
  readonly nodes: readonly number[];
  /** A configuration was accepted before since the process began. */
  readonly hasStarted: boolean;
  readonly configuration: Configuration;
  readonly handover: Handover;
}

/** False: it could not be made durable. */
export async function tellJournal(journal: Journal, news: JournalNews): Promise<boolean> {
  const { self, nodes, configuration, handover, hasStarted } = news;
  const others = nodes.filter((node) => node !== self);
  const touched = handover.pending
    .map(({ operation }) => operation)
    .filter(({ kind }) => kind !== 'document');
  const isTold = hasStarted
    ? tellChanges(journal, news, others, touched)
    : begin(journal, news, others, touched);
  if (!(await isTold)) return false;
  for (const node of configuration.learners) if (node !== self) journal.partnerLearns(node);
  return true;
}

type Touched = readonly { readonly lba: number; readonly blocks: number }[];

async function begin(
  journal: Journal,
  { configuration, handover }: JournalNews,
  others: readonly number[],
  touched: Touched,
): Promise<boolean> {
  const absent = others.filter((node) => !configuration.members.includes(node));
  const maps = absent.map((node) => {
    const difference = handover.differences.get(node)!;
    const { map: known } = difference;
    for (const { lba, blocks } of touched) known.mark(lba, blocks);
    const map = journal.emptyMap();
    map.union(known);
    return [node, { base: lastSeen(difference), map }] as const;
  });
  return (await journal.start(new Map(maps))).ok;
}

async function tellChanges(
  journal: Journal,
  { handover }: JournalNews,
  others: readonly number[],
  touched: Touched,
): Promise<boolean> {
  for (const node of others) {
    const difference = handover.differences.get(node);
    if (difference === undefined && !journal.absentPartners().has(node)) continue;
    if (difference === undefined) {
      journal.partnerReturned(node);
      continue;
    }
    // oxlint-disable-next-line no-await-in-loop -- three partners at most
    const told = await journal.partnerLeft(node, lastSeen(difference), touched, difference.map);
    if (!told.ok) return false;
  }
  return true;
}

/** Kept with the map: whoever starts from it has to see that a disk is older than what it misses. */
function lastSeen({ base, sequence }: Difference): BaseEpoch {
  return { ...base, recorded: sequence };
}
