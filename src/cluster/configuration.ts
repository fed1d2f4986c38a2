/**
 * Who forms a device at a time, and by which rule that changes.
 *
 * A configuration is numbered by its term; two configurations never have the same. Members serve; learners receive every
 * change and are being brought up to date; everybody else with data is absent.
 */

import type { Uuid } from '../base/uuid.ts';

export interface Configuration {
  readonly term: number;
  readonly id: Uuid;
  /** Ascending. */
  readonly members: readonly number[];
  readonly learners: readonly number[];
}

/** What a member of the heartbeat strategy does when others are silent on every path. */
export type IsolationPolicy = 'arbitrate' | 'suspendLow' | 'continue';

export type Strategy =
  /** More than half of the voters agree: data nodes and the witness. */
  | { readonly kind: 'majority'; readonly witness: number | undefined }
  /** All members of the former configuration agree, or the policy says who may do without. */
  | { readonly kind: 'heartbeat'; readonly policy: IsolationPolicy };

/** What an administrator has decided about a device. */
export interface Site {
  /** Data nodes, highest priority first. */
  readonly nodes: readonly number[];
  readonly strategy: Strategy;
}

export function votersOf({ nodes, strategy }: Site): readonly number[] {
  return strategy.kind === 'majority' && strategy.witness !== undefined
    ? [...nodes, strategy.witness]
    : nodes;
}

export function majorityOf(site: Site): number {
  return Math.floor(votersOf(site).length / 2) + 1;
}

/** Members and learners. */
export function includes(configuration: Configuration, node: number): boolean {
  return configuration.members.includes(node) || configuration.learners.includes(node);
}
