/**
 * Two sides of a device that were written without each other: what each has, and how an administrator chooses one. Whichever
 * node is asked does the work, and asks the others for their part.
 *
 *   the sides that are given up stop serving → each keeps what it may hold alone, in a file → the chosen one goes on → they
 *   learn from it
 *
 * Nothing of a side is overwritten before all of it is kept. Whatever breaks off in between leaves both sides as they are, but
 * that one that has stopped serving stays so until somebody chooses.
 */

import { fail, ok, type Result } from '../base/result.ts';
import { compareHistories } from '../cluster/history.ts';
import { CHUNK_LENGTH } from '../journal/dirty-map.ts';
import type { Clock } from '../ports/clock.ts';
import type { Side } from './mirror/divergence.ts';
import { nodeNameOf } from './node-names.ts';
import type { ClusterSpec } from './spec.ts';

export type SplitBrainRequest =
  /** A `Side`. */
  | { readonly kind: 'side' }
  /** Stop serving: another side is going to be chosen. */
  | { readonly kind: 'standDown' }
  /** `KeptSide`: what only this side holds is in a file now. */
  | { readonly kind: 'keepSide' }
  /** Go on with this side. */
  | { readonly kind: 'chooseSide' };

export interface KeptSide {
  /** On the node; beside it a list of the chunks. */
  readonly file: string;
  readonly chunks: number;
}

/** One side, for people. Bytes are what it may hold alone: whole chunks. */
export interface SideView {
  readonly node: string;
  readonly isServing: boolean;
  readonly epoch: number;
  /** The last epoch that it has in common with another side; undefined: none that is still known. */
  readonly since: number | undefined;
  readonly chunks: number;
  readonly bytes: number;
  /** Why it is not known which chunks; all of them count. */
  readonly full: string | undefined;
}

export interface Conflict {
  /** None: there is no split brain, as far as the nodes tell that answer. */
  readonly sides: readonly SideView[];
  /** Why others do not answer: sentences. */
  readonly silent: readonly string[];
}

export interface Resolved {
  readonly kept: string;
  readonly givenUp: readonly (KeptSide & { readonly node: string })[];
}

export interface SplitBrainParts {
  readonly device: string;
  /** With a copy. */
  readonly nodes: readonly number[];
  readonly cluster: ClusterSpec;
  readonly clock: Clock;
  /** This node, too. The fault is a sentence. */
  readonly ask: (node: number, request: SplitBrainRequest) => Promise<Result<unknown, string>>;
}

const LOOK_MS = 200;
const STANDS_DOWN_MS_MAX = 15_000;
/** A choice is given up when somebody is not there for a moment. */
const CHOOSE_AGAIN_MS = 3000;
const TOGETHER_MS_MAX = 60_000;

export async function conflictOf(parts: SplitBrainParts): Promise<Result<Conflict, string>> {
  const { sides, silent } = await sidesOf(parts);
  const views = Array.from(sides, ([node, side]): SideView => {
    const other = Array.from(sides.values()).find((one) => isSplit(side, one));
    return {
      node: nodeNameOf(parts.cluster, node),
      isServing: side.role === 'serving',
      epoch: side.history.at(-1)?.term ?? 0,
      since: other && compareHistories(side.history, other.history).common?.term,
      chunks: side.chunks,
      bytes: side.chunks * CHUNK_LENGTH,
      full: side.full,
    };
  });
  return ok({ sides: views, silent });
}

/** `keep`: the name of a node whose side stays. The fault is a sentence, and says what was done already. */
export async function resolveConflict(
  parts: SplitBrainParts,
  keep: string,
): Promise<Result<Resolved, string>> {
  const { device, cluster } = parts;
  const { sides, silent } = await sidesOf(parts);
  if (sides.size === 0)
    return fail([`Device ${device} has no split brain, as far as its nodes tell.`, ...silent].join(' '));
  const winner = [...sides.keys()].find((node) => nodeNameOf(cluster, node) === keep);
  if (winner === undefined) {
    const names = Array.from(sides.keys(), (node) => nodeNameOf(cluster, node));
    return fail(
      `Node ${keep} is no side of the split brain of device ${device}: there are ${names.join(', ')}.`,
    );
  }
  const chosen = sides.get(winner)!;
  const losers = [...sides].filter(([, side]) => isSplit(side, chosen)).map(([node]) => node);
  const stood = await standDown(parts, losers);
  if (!stood.ok) return stood;
  const givenUp: (KeptSide & { readonly node: string })[] = [];
  for (const node of losers) {
    // oxlint-disable-next-line no-await-in-loop -- the first fault ends it
    const kept = await parts.ask(node, { kind: 'keepSide' });
    if (!kept.ok) return kept;
    givenUp.push({ node: nodeNameOf(cluster, node), ...(kept.value as KeptSide) });
  }
  const together = await choose(parts, winner, losers);
  return together.ok ? ok({ kept: keep, givenUp }) : together;
}

/** What one has is no part of what the other has, nor the other way round. */
function isSplit(one: Side, other: Side): boolean {
  const { relation } = compareHistories(one.history, other.history);
  return relation === 'diverged' || relation === 'unrelated';
}

interface Sides {
  /** By node; empty: there is no split brain. */
  readonly sides: ReadonlyMap<number, Side>;
  readonly silent: readonly string[];
}

async function sidesOf({ nodes, ask }: SplitBrainParts): Promise<Sides> {
  const answers = await Promise.all(
    nodes.map(async (node) => [node, await ask(node, { kind: 'side' })] as const),
  );
  const found = new Map<number, Side>();
  for (const [node, answer] of answers) {
    const side = answer.ok ? (answer.value as Side) : undefined;
    if (side?.role === 'serving' || side?.role === 'diverged') found.set(node, side);
  }
  const isDivided = [...found.values()].some(({ role }) => role === 'diverged') && found.size > 1;
  return {
    sides: isDivided ? found : new Map(),
    silent: answers.flatMap(([, answer]) => (answer.ok ? [] : [answer.fault])),
  };
}

async function standDown(
  { device, cluster, clock, ask }: SplitBrainParts,
  losers: readonly number[],
): Promise<Result<void, string>> {
  const until = clock.now() + STANDS_DOWN_MS_MAX;
  const standsDown = async (node: number): Promise<Result<unknown, string>> => {
    const side = await ask(node, { kind: 'side' });
    if (!side.ok || (side.value as Side).role === 'diverged') return side;
    const told = await ask(node, { kind: 'standDown' });
    return told.ok ? fail(`Node ${nodeNameOf(cluster, node)} still serves.`) : told;
  };
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until all have
    const fault = (await Promise.all(losers.map(standsDown))).find((one) => !one.ok);
    if (fault === undefined) return ok(undefined);
    if (clock.now() > until && !fault.ok)
      return fail(`Device ${device} was not resolved: ${fault.fault} Nothing was overwritten; try again.`);
    // oxlint-disable-next-line no-await-in-loop
    await pause(clock);
  }
}

async function choose(
  { device, cluster, clock, ask }: SplitBrainParts,
  winner: number,
  losers: readonly number[],
): Promise<Result<void, string>> {
  const until = clock.now() + TOGETHER_MS_MAX;
  let choseAt = -Infinity;
  while (clock.now() < until) {
    // oxlint-disable-next-line no-await-in-loop -- until it is so
    const [own, ...others] = await Promise.all(
      [winner, ...losers].map((node) => ask(node, { kind: 'side' })),
    );
    const roleOf = (answer: Result<unknown, string> | undefined): string =>
      answer?.ok === true ? (answer.value as Side).role : 'away';
    if (roleOf(own) === 'serving' && others.every((other) => ['learning', 'serving'].includes(roleOf(other))))
      return ok(undefined);
    if (clock.now() - choseAt > CHOOSE_AGAIN_MS) {
      choseAt = clock.now();
      // oxlint-disable-next-line no-await-in-loop
      await ask(winner, { kind: 'chooseSide' });
    }
    // oxlint-disable-next-line no-await-in-loop
    await pause(clock);
  }
  return fail(
    `What is given up of device ${device} is kept, and its copies did not come together: see lockstep device show, and choose ${nodeNameOf(cluster, winner)} again.`,
  );
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(LOOK_MS, () => resolve()));
}
