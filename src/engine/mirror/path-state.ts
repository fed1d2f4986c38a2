/**
 * What initiators are told of the paths through a node (ALUA, SPC-4 §5.15.2): the same through every node, so that
 * multipathing goes where the device is served.
 *
 *   serving                              active/optimized, or active/non-optimized where that is asked for
 *   serving, and bringing a copy up to   active/non-optimized, if two others at least serve: the one that reads and sends
 *   date                                 chunks is spared
 *   sealed, for a moment                 transitioning: commands wait
 *   sealed for longer, learning,         unavailable: another path may do
 *   waiting, blocked, …
 */

import type { Role } from '../../cluster/messages.ts';

export type PathState = 'optimized' | 'nonOptimized' | 'transitioning' | 'unavailable';

export interface PathInput {
  readonly role: Role;
  /** Since the last configuration ended here; 0 while one stands. */
  readonly sealedForMs: number;
  /** How many serve. */
  readonly members: number;
  readonly isResyncSource: boolean;
  /** Marked by an administrator: the slower side of a stretched site. */
  readonly isAside: boolean;
}

/** What an initiator bears before it takes the path for dead; also the implicit transition time, rounded up. */
const TRANSITION_MS_MAX = 3000;
/** With fewer the others would get all the load. */
const MEMBERS_TO_SPARE_ONE = 3;

export function pathState({ role, sealedForMs, members, isResyncSource, isAside }: PathInput): PathState {
  if (role === 'sealed' && sealedForMs < TRANSITION_MS_MAX) return 'transitioning';
  if (role !== 'serving') return 'unavailable';
  const isSpared = isResyncSource && members >= MEMBERS_TO_SPARE_ONE;
  return isAside || isSpared ? 'nonOptimized' : 'optimized';
}
