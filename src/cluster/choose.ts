/**
 * The choice of the next configuration from what voters have promised: pure, so that every case has a test.
 *
 *   base      the highest configuration that anyone accepted: whatever was committed, its members have
 *   members   members of base that have gone on without a restart, and can all reach each other
 *             – only those who were to be left out: they stay, for what restarted copies hold nobody else can tell
 *             – none of them: everything was restarted; one copy starts, if nothing can be lost
 *   learners  every other data node that promised and reaches all members
 *   replicas  as base has them, or with one more or less, as an administrator has said
 *
 * What makes a promise count:
 *   majority   more than half of the voters have promised, and so many that have their records that no other
 *              majority can have agreed to anything without one of them
 *   heartbeat  every member of base has promised and has its record, and of what was accepted before it since anyone
 *              served, or has retired and accepted nothing newer; or those that have not are silent on every path,
 *              their leases are over, and the policy lets the others go on
 */

import {
  type Configuration,
  inOrder,
  isInEveryMajority,
  isMajority,
  type MadeSite,
  type Site,
  siteOf,
} from './configuration.ts';
import { lineageOf } from './lineage.ts';
import type { Report } from './messages.ts';

export interface Choice {
  readonly kind: 'go';
  readonly base: Configuration;
  readonly members: readonly number[];
  readonly learners: readonly number[];
  /** Of the next configuration, and of base where they are others; as in `Configuration`. */
  readonly replicas?: readonly number[] | undefined;
  readonly formerly?: readonly number[] | undefined;
  /** Left out, but they have promised and have to agree (heartbeat): they record it before anyone serves. */
  readonly told: readonly number[];
  /** Of these, and of who else has promised: gone another way (split brain). They wait until someone chooses. */
  readonly diverged: readonly number[];
  /** Whose pending changes are finished. */
  readonly sources: readonly number[];
  /** Leases of those who are left out and have not promised run so long. */
  readonly waitMs: number;
  /** The arbiter must let `members` go on first. */
  readonly needsClaim: boolean;
  readonly rule: string;
}

export type Chosen = Choice | { readonly kind: 'wait'; readonly rule: string };

/** Another list of replicas, for a configuration that follows on this one and on no other. */
export interface ReplicaChange {
  readonly baseTerm: number;
  readonly replicas: readonly number[];
}

export interface ChooseInput {
  readonly site: MadeSite;
  readonly change?: ReplicaChange | undefined;
  readonly self: number;
  readonly promises: ReadonlyMap<number, Report<unknown>>;
  /** Out of the next configuration, whatever they promise. */
  readonly excluded: ReadonlySet<number>;
  /** Learners of base that were proven equal in it. */
  readonly promoted: ReadonlySet<number>;
  /** Heard, without a vote as this node knows the device, and yet further than it: what they know decides. */
  readonly later: readonly number[];
  /** Heard on any path. */
  readonly isHeard: (node: number) => boolean;
  /** The term that the node has accepted last, if it has retired: its next process will count as restarted. */
  readonly retiredIn: (node: number) => number | undefined;
  /** Nodes that may have the highest priority: one, or more while priorities change. */
  readonly firsts: readonly number[];
  /** Caches may have held acknowledged changes that are on no medium. */
  readonly writesBack: boolean;
  /** An administrator accepts that what only lost records or caches knew is lost. */
  readonly isForced: boolean;
  /** The node whose side of a split brain an administrator has chosen. */
  readonly winner: number | undefined;
}

/** The same, with the site as the base has it. */
interface Considered extends Omit<ChooseInput, 'site'> {
  readonly site: Site;
}

export function choose(given: ChooseInput): Chosen {
  const remembering = new Map([...given.promises].filter(([, report]) => !report.isBlank));
  if (remembering.size === 0) return wait('no copy that counts has promised');
  const unasked = given.later.filter((node) => !given.promises.has(node));
  if (unasked.length > 0)
    return wait(
      `node ${unasked.join(', ')} has gone on since this copy was last with it, and has not promised`,
    );
  if (given.winner !== undefined && !isSide(remembering, given.winner))
    return wait(`node ${given.winner} has not promised, or is no side of a split brain`);
  const { base, diverged } = lineageOf(given.site, remembering, given.winner);
  const { promises } = given;
  const site = siteOf(base, given.site);
  const input: Considered = { ...given, site };
  // Who has no vote in it any more may be the only one who has heard of it, or one of those who served before.
  const bound = boundOf(promises, base);
  // Who has lost its record has promised, and may have gone on alone before: it says as little as who is silent.
  const absent = bound.filter((node) =>
    input.isForced ? !promises.has(node) : promises.get(node)?.isBlank !== false,
  );
  const unknown = absent.filter((node) => (input.retiredIn(node) ?? Infinity) > base.term);
  const allowed = mayGoOn(input, bound, absent, unknown);
  if (allowed.kind === 'no') return wait(allowed.rule);
  const ready = (node: number): boolean => {
    const report = promises.get(node);
    return (
      report?.handover !== undefined &&
      !report.isBlank &&
      !report.hasFailed &&
      (!report.isDiverged || input.winner !== undefined)
    );
  };
  const losing = input.winner === undefined ? [] : diverged.filter((node) => !promises.get(node)!.hasKept);
  if (losing.length > 0)
    return wait(`what only node ${losing.join(', ')} holds since the split brain has not been kept`);
  const members = chooseMembers(input, base, ready, unknown.length === 0);
  if (members.kind === 'wait') return members;
  const chosen = members.nodes;
  if (allowed.kind === 'claim' && allowed.except.some((node) => chosen.includes(node)))
    return wait('a silent node cannot be a member');
  const mayLearn = (node: number): boolean =>
    !chosen.includes(node) &&
    (!diverged.includes(node) || input.winner !== undefined) &&
    readyToLearn(input, node) &&
    chosen.every(joins(input, node));
  const replicas = changed(input, base, chosen, mayLearn);
  const learners = inOrder(replicas ?? site.nodes, site.nodes).filter(mayLearn);
  const sources = [...base.members, ...base.learners].filter(
    (node) =>
      promises.get(node)?.isFresh === true &&
      promises.get(node)?.handover !== undefined &&
      (base.members.includes(node) || promises.get(node)?.accepted.term === base.term),
  );
  const included = [...chosen, ...learners];
  const told = site.strategy.kind === 'heartbeat' ? [...new Set([...bound, ...diverged])] : [];
  return {
    kind: 'go',
    base,
    members: chosen.toSorted((a, b) => a - b),
    learners: learners.toSorted((a, b) => a - b),
    replicas: replicas ?? base.replicas,
    formerly: replicas === undefined ? undefined : site.nodes.toSorted((a, b) => a - b),
    told: told.filter((node) => !included.includes(node) && promises.get(node)?.isBlank === false),
    diverged: diverged.filter((node) => !included.includes(node)),
    sources,
    waitMs: leaseOf(input, base, chosen),
    needsClaim: allowed.kind === 'claim',
    rule: members.rule,
  };
}

/** The replicas as an administrator wants them; undefined: not with this configuration. */
function changed(
  { site, change }: Considered,
  base: Configuration,
  members: readonly number[],
  mayLearn: (node: number) => boolean,
): readonly number[] | undefined {
  if (change?.baseTerm !== base.term || base.formerly !== undefined) return undefined;
  const added = change.replicas.filter((node) => !site.nodes.includes(node));
  const isPossible = members.every((node) => change.replicas.includes(node)) && added.every(mayLearn);
  return isPossible ? change.replicas.toSorted((a, b) => a - b) : undefined;
}

/** Only who has gone on by itself can be chosen: a copy that is merely behind has nothing that others lack. */
function isSide(counting: ReadonlyMap<number, Report<unknown>>, winner: number): boolean {
  const report = counting.get(winner);
  if (report === undefined) return false;
  const newest = [...counting.values()].reduce((a, b) => (b.accepted.term > a.accepted.term ? b : a));
  return report.isDiverged || newest.accepted.members.includes(winner);
}

/** Who has to agree, by the word of those who accepted base: just its members, if anyone knows that it was installed. */
function boundOf(promises: ReadonlyMap<number, Report<unknown>>, base: Configuration): readonly number[] {
  const bounds = [...promises.values()]
    .filter(({ accepted, isBlank }) => accepted.term === base.term && !isBlank)
    .map(({ bound }) => bound);
  return bounds.reduce((a, b) => (b.length < a.length ? b : a));
}

type Allowed =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly rule: string }
  | { readonly kind: 'claim'; readonly except: readonly number[] };

function mayGoOn(
  input: Considered,
  bound: readonly number[],
  absent: readonly number[],
  unknown: readonly number[],
): Allowed {
  const { site, promises, isHeard, self } = input;
  const { strategy } = site;
  if (strategy.kind === 'majority') {
    if (!isMajority(site, (node) => promises.has(node)))
      return { kind: 'no', rule: `only node ${[...promises.keys()].join(', ')} has promised: no majority` };
    // Who has lost its record may have agreed to something with those who are silent.
    const remembers = (node: number): boolean => promises.get(node)?.isBlank === false;
    return input.isForced || isInEveryMajority(site, remembers)
      ? { kind: 'yes' }
      : { kind: 'no', rule: 'votes that have their record have to promise: a majority may be without any' };
  }
  // Who has retired comes back restarted, and does not go on alone, unless the arbiter lets it.
  if (unknown.length === 0 && (absent.length === 0 || strategy.policy !== 'arbitrate'))
    return { kind: 'yes' };
  const names = absent.join(', ');
  if (unknown.some((node) => !promises.has(node) && isHeard(node)))
    return { kind: 'no', rule: `node ${names} is heard and has not promised` };
  const own = promises.get(self);
  if (strategy.policy === 'arbitrate' && own?.isOut === false) return { kind: 'claim', except: absent };
  if (own?.isFresh !== true || own.isOut || !bound.includes(self))
    return {
      kind: 'no',
      rule: `waits for node ${names}: this node was restarted or has stood back since they were together`,
    };
  if (strategy.policy === 'continue') return { kind: 'yes' };
  // Of the device, not of what was accepted last: who is silent may know of another configuration, with another first.
  // While priorities change nobody knows whether the others know: whoever may be the first has to agree.
  const missing = input.firsts.find((node) => promises.get(node)?.isBlank !== false);
  return missing === undefined
    ? { kind: 'yes' }
    : { kind: 'no', rule: `node ${missing} has the highest priority, or may have it, and cannot agree` };
}

type Members =
  | { readonly kind: 'members'; readonly nodes: readonly number[]; readonly rule: string }
  | { readonly kind: 'wait'; readonly rule: string };

function chooseMembers(
  input: Considered,
  base: Configuration,
  ready: (node: number) => boolean,
  allPromised: boolean,
): Members {
  const { promises, site, promoted, excluded } = input;
  const stands = (node: number): boolean =>
    ready(node) &&
    promises.get(node)!.isFresh &&
    // Who stood back has everything only if nobody can have gone on since.
    (!promises.get(node)!.isOut || allPromised);
  const all = site.nodes.filter((node) => base.members.includes(node) && stands(node));
  const wanted = all.filter((node) => !excluded.has(node));
  const fresh = wanted.length > 0 ? wanted : all;
  const proven = site.nodes.filter(
    (node) =>
      promoted.has(node) &&
      !excluded.has(node) &&
      base.learners.includes(node) &&
      promises.get(node)?.accepted.term === base.term &&
      stands(node),
  );
  if (fresh.length > 0) return clique(input, [...fresh, ...proven], fresh);
  const isLeft = (node: number): boolean =>
    ready(node) && !excluded.has(node) && (!promises.get(node)!.isOut || allPromised);
  return restarted(input, base, isLeft);
}

/** The most nodes that all reach each other; of equals the one with the highest priority. This node must be among them. */
function clique(input: Considered, candidates: readonly number[], needed: readonly number[]): Members {
  let best: readonly number[] = [];
  for (let set = 1; set < 1 << candidates.length; set++) {
    const nodes = candidates.filter((_, at) => (set & (1 << at)) !== 0);
    if (!nodes.some((node) => needed.includes(node))) continue;
    if (!nodes.every((node) => nodes.every(joins(input, node)))) continue;
    if (nodes.length > best.length || (nodes.length === best.length && isBefore(candidates, nodes, best)))
      best = nodes;
  }
  const mine = best.includes(input.self) || !candidates.includes(input.self);
  if (best.length === 0 || !mine) return { kind: 'wait', rule: 'others reach each other better' };
  return { kind: 'members', nodes: best, rule: 'members that have gone on without a restart' };
}

function isBefore(order: readonly number[], a: readonly number[], b: readonly number[]): boolean {
  const first = order.find((node) => a.includes(node) !== b.includes(node));
  return first !== undefined && a.includes(first);
}

/** All copies were restarted. */
function restarted(
  input: Considered,
  base: Configuration,
  ready: (node: number) => boolean,
): { kind: 'members'; nodes: readonly number[]; rule: string } | { kind: 'wait'; rule: string } {
  const { site, promises, writesBack, isForced } = input;
  const copies = site.nodes.filter((node) => base.members.includes(node) && ready(node));
  const whole = copies.filter((node) => promises.get(node)!.accepted.term === base.term);
  const stopped = whole.find((node) => promises.get(node)!.wasStopped);
  if (stopped !== undefined)
    return { kind: 'members', nodes: [stopped], rule: 'a copy that was stopped in order' };
  // Whatever was answered it held: what it had only in memory it has written out.
  const writtenOut = whole.find((node) => promises.get(node)!.wasWrittenOut);
  if (writtenOut !== undefined)
    return { kind: 'members', nodes: [writtenOut], rule: 'a copy that was written out as it stopped' };
  const first = whole[0] ?? copies[0];
  if (first === undefined)
    return wait(
      [...promises.values()].some(({ isDiverged }) => isDiverged)
        ? 'split brain: an administrator has to choose a side'
        : 'no member of the last configuration is there',
    );
  // Who goes on alone writes its cache out before it accepts that; who did not accept it has lost what it held with others.
  if (writesBack && promises.get(first)!.accepted.members.length > 1 && !isForced)
    return wait('caches were lost with the processes: an administrator has to choose a copy');
  return { kind: 'members', nodes: [first], rule: 'a restarted copy, written through' };
}

function readyToLearn({ promises, excluded }: Considered, node: number): boolean {
  const report = promises.get(node);
  return report?.handover !== undefined && !report.hasFailed && !excluded.has(node);
}

function joins({ promises, self }: Considered, a: number): (b: number) => boolean {
  const hears = (from: number, to: number): boolean =>
    from === to || promises.get(from)?.hearsSync.includes(to) === true;
  return (b) => {
    // What reached this node with its data came by a sync link.
    if (a === self || b === self) return true;
    return hears(a, b) && hears(b, a);
  };
}

function leaseOf(
  { promises, retiredIn }: Considered,
  base: Configuration,
  members: readonly number[],
): number {
  const removed = base.members.filter(
    (node) => !members.includes(node) && !promises.has(node) && retiredIn(node) === undefined,
  );
  let waitMs = 0;
  for (const { leases } of promises.values())
    for (const [node, ms] of leases) if (removed.includes(node)) waitMs = Math.max(waitMs, ms);
  return waitMs;
}

function wait(rule: string): { readonly kind: 'wait'; readonly rule: string } {
  return { kind: 'wait', rule };
}
