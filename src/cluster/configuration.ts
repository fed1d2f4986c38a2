/**
 * Who forms a device at a time, and by which rule that changes.
 *
 * A configuration is numbered by its term; two configurations never have the same. Members serve; learners receive every
 * change and are being brought up to date; every other replica is absent.
 *
 * Which nodes have a replica, and so a vote, changes with a configuration, too. The one that changes it names both lists:
 * until another one follows on it, whatever takes a majority takes one of the former and one of the new.
 *
 *   replicas 1 2 ──► replicas 1 2 3, formerly 1 2 (3 learns) ──► replicas 1 2 3
 */

import type { Uuid } from '../base/uuid.ts';

export interface Configuration {
  readonly term: number;
  readonly id: Uuid;
  /** Ascending. */
  readonly members: readonly number[];
  readonly learners: readonly number[];
  /** Nodes that have a copy or are to get one, ascending; undefined: as the device was made. */
  readonly replicas?: readonly number[] | undefined;
  /** Those of the configuration before, where they were others. */
  readonly formerly?: readonly number[] | undefined;
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
  /** Data nodes as they were before, while that is being changed. */
  readonly formerly?: readonly number[] | undefined;
}

/** As the device was made. Which nodes have a copy now, a configuration says; in which order, an administrator. */
export interface MadeSite extends Omit<Site, 'formerly'> {
  /** Undefined: as in `nodes`. */
  readonly order?: readonly number[] | undefined;
}

/** The site as a configuration has it. */
export function siteOf(
  { replicas, formerly }: Pick<Configuration, 'replicas' | 'formerly'>,
  { nodes: made, strategy, order = made }: MadeSite,
): Site {
  return { nodes: inOrder(replicas ?? made, order), strategy, formerly };
}

/** By priority; nodes that have none yet come last, lower numbers first. */
export function inOrder(nodes: readonly number[], order: readonly number[]): readonly number[] {
  const known = order.filter((node) => nodes.includes(node));
  return [...known, ...nodes.filter((node) => !known.includes(node)).toSorted((a, b) => a - b)];
}

export function witnessOf({ strategy }: Site): number | undefined {
  return strategy.kind === 'majority' ? strategy.witness : undefined;
}

/** Data nodes, those of before included while they are being changed. */
export function withDataOf({ nodes, formerly }: Site): readonly number[] {
  return formerly === undefined ? nodes : [...new Set([...nodes, ...formerly])];
}

/** All that have a vote. */
export function votersOf(site: Site): readonly number[] {
  const withData = withDataOf(site);
  const witness = witnessOf(site);
  return witness === undefined ? withData : [...withData, witness];
}

/** More than half of the voters; while these change, of the former and of the new ones. */
export function isMajority(site: Site, agrees: (node: number) => boolean): boolean {
  return electoratesOf(site).every((voters) => voters.filter(agrees).length >= majorityOf(voters.length));
}

/** So many that no majority can be found without one of them. */
export function isInEveryMajority(site: Site, includes: (node: number) => boolean): boolean {
  return electoratesOf(site).every(
    (voters) => voters.filter(includes).length > voters.length - majorityOf(voters.length),
  );
}

/** Members and learners. */
export function includes(configuration: Configuration, node: number): boolean {
  return configuration.members.includes(node) || configuration.learners.includes(node);
}

function electoratesOf(site: Site): readonly (readonly number[])[] {
  const witness = witnessOf(site);
  const lists = site.formerly === undefined ? [site.nodes] : [site.nodes, site.formerly];
  return witness === undefined ? lists : lists.map((nodes) => [...nodes, witness]);
}

function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
