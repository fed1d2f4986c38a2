/**
 * Nodes that have no vote as this one knows the device, and say that they have accepted something later. Members accept
 * before all others, so this node's record is of an earlier time: its disk was put back to when others had no copy yet. What
 * they know decides.
 */

import { votersOf } from './configuration.ts';
import type { Membership } from './membership.ts';

/** Those that are heard. `term`: what has been accepted here, or by those who have promised. */
export function laterStrangers<H>(membership: Membership<H>, term: number, now: number): number[] {
  const { peers, site } = membership;
  const voters = votersOf(site);
  return peers
    .heardNodes(now)
    .filter((node) => !voters.includes(node) && peers.beatOf(node)!.accepted.term > term);
}
