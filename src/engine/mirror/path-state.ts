/**
 * What initiators are told of the paths to a device (ALUA, SPC-4 §5.15.2): one target port group for each data node, the
 * same through every node that serves, so that multipathing goes where the device is served.
 *
 *   serves                               active/optimized, or active/non-optimized where that is asked for
 *   serves, and brings a copy up to      active/non-optimized, if two others at least serve: the one that reads and sends
 *   date                                 chunks is spared
 *   sealed, for a moment                 transitioning: commands wait
 *   sealed for longer, learning,         unavailable: another path may do
 *   waiting, blocked, …
 *
 * Only the node itself knows that it is sealed or waits. Of the others it tells what the last configuration says that it
 * has accepted.
 */

import type { Configuration } from '../../cluster/configuration.ts';
import type { Role } from '../../cluster/messages.ts';

export type PathState = 'optimized' | 'nonOptimized' | 'transitioning' | 'unavailable';

/** The paths through one node. */
export interface PathGroup {
  readonly node: number;
  readonly state: PathState;
  /** The highest priority of those that are active/optimized (PREF). */
  readonly isPreferred: boolean;
}

export interface PathInput {
  readonly self: number;
  /** Data nodes, highest priority first. */
  readonly nodes: readonly number[];
  /** Of this node. */
  readonly role: Role;
  /** Since the last configuration ended here; 0 while one stands. */
  readonly sealedForMs: number;
  /** Installed here, or else accepted last. */
  readonly configuration: Pick<Configuration, 'members' | 'learners'>;
  /** Marked by an administrator: the slower side of a stretched site. */
  readonly asides: readonly number[];
}

/** What an initiator bears before it takes the path for dead. */
export const TRANSITION_MS_MAX = 3000;
/** With fewer the others would get all the load. */
const MEMBERS_TO_SPARE_ONE = 3;

/** In the order of node numbers. */
export function pathGroups(input: PathInput): PathGroup[] {
  const states = new Map(input.nodes.map((node) => [node, pathState(node, input)]));
  const preferred = input.nodes.find((node) => states.get(node) === 'optimized');
  return [...states]
    .toSorted(([a], [b]) => a - b)
    .map(([node, state]) => ({ node, state, isPreferred: node === preferred }));
}

function pathState(node: number, input: PathInput): PathState {
  const { self, nodes, role, sealedForMs, configuration, asides } = input;
  const { members, learners } = configuration;
  if (node === self && role === 'sealed' && sealedForMs < TRANSITION_MS_MAX) return 'transitioning';
  if (!members.includes(node) || (node === self && role !== 'serving')) return 'unavailable';
  const isSpared =
    learners.length > 0 && members.length >= MEMBERS_TO_SPARE_ONE && node === resyncSource(nodes, members);
  return isSpared || asides.includes(node) ? 'nonOptimized' : 'optimized';
}

/** Who brings learners up to date: the member with the lowest priority has the most to spare. */
export function resyncSource(nodes: readonly number[], members: readonly number[]): number {
  return nodes.findLast((node) => members.includes(node))!;
}
