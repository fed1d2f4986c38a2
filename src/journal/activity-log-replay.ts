/**
 * From the ring of transactions to the extents that may differ. What comes out has every extent into which a write may
 * have been under way, and possibly more; where that cannot be shown, the answer is `unreadable`.
 *
 *   … w w w [ d d d d ] ? ? x        d: durable and needed   ?: perhaps durable   x: torn, nothing depended on it
 *           └ window ─┘└ batch ┘
 *
 * Rules: (1) only the highest incarnation counts, because whoever began it had first put elsewhere what the one before
 * said; (2) of the transactions known durable, the last `contextWindow` ones have to be whole; (3) in the places of the
 * one batch after them, what is whole is taken, what is torn or old is passed over, and what is damaged is fatal.
 */

import { contextWindow, NO_EXTENT, type ReadTransaction, type Transaction } from './activity-log-format.ts';
import { BATCH_TRANSACTIONS_MAX } from './activity-log.ts';

export type Replay =
  | {
      readonly kind: 'readable';
      /** In ascending order. */
      readonly extents: readonly number[];
      readonly last: Transaction;
      readonly incarnation: number;
    }
  /** Nothing was ever promised by this ring. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'unreadable'; readonly reason: 'noTransaction' | 'misplaced' | 'gap' | 'damaged' };

/** `ring`: every place of the ring, in order of place. */
export function replay(ring: readonly ReadTransaction[]): Replay {
  const isMisplaced = (read: ReadTransaction, place: number): boolean =>
    typeof read !== 'string' && read.sequence % ring.length !== place;
  if (ring.some(isMisplaced)) return { kind: 'unreadable', reason: 'misplaced' };
  const newest = newestIncarnation(ring);
  if (newest.length === 0)
    return ring.includes('damaged') ? { kind: 'unreadable', reason: 'noTransaction' } : { kind: 'absent' };
  const bySequence = new Map(newest.map((transaction) => [transaction.sequence, transaction]));
  const head = newest[0]!;
  const durable = newest.reduce(
    (most, { durableThrough }) => Math.max(most, durableThrough),
    head.firstSequence,
  );
  const from = Math.max(head.firstSequence, durable - contextWindow(head.slotCount) + 1);
  const slots = new Uint32Array(head.slotCount).fill(NO_EXTENT);
  let last = head;
  for (let sequence = from; sequence <= durable + BATCH_TRANSACTIONS_MAX; sequence++) {
    const transaction = bySequence.get(sequence);
    if (transaction !== undefined) {
      apply(transaction, slots);
      last = transaction;
    } else if (sequence <= durable) {
      return { kind: 'unreadable', reason: 'gap' };
    } else if (ring[sequence % ring.length] === 'damaged') {
      return { kind: 'unreadable', reason: 'damaged' };
    }
  }
  const extents = [...new Set(slots)].filter((extent) => extent !== NO_EXTENT).sort((a, b) => a - b);
  return { kind: 'readable', extents, last, incarnation: head.incarnation };
}

/** The transactions of the highest incarnation. */
function newestIncarnation(ring: readonly ReadTransaction[]): Transaction[] {
  let found: Transaction[] = [];
  let highest = -1;
  for (const transaction of ring) {
    if (typeof transaction === 'string' || transaction.incarnation < highest) continue;
    if (transaction.incarnation > highest) found = [];
    highest = transaction.incarnation;
    found.push(transaction);
  }
  return found;
}

function apply(transaction: Transaction, slots: Uint32Array): void {
  const { updates, context, contextStart } = transaction;
  for (let i = 0; i < context.length; i++) slots[(contextStart + i) % slots.length] = context[i]!;
  for (let i = 0; i < updates.length; i += 2) slots[updates[i]!] = updates[i + 1]!;
}
