/**
 * Planted flaws: a checker that finds nothing is worth nothing until it has found what is known to be there. Each front
 * has a catalogue of flaws (`flaws` in fronts/table.ts); `findFlaw` (hunt.ts) runs seeds until one shows the flaw.
 *
 *   node sim/main.ts hunt --front NAME             all of a front's flaws, one line each
 *   node sim/main.ts hunt --front NAME --flaw NAME
 *   node sim/main.ts --front NAME --flaw NAME --seed N    one run with it
 *
 * How the product is made wrong: it takes a record of booleans, its rules, all true, and asks it at each decision that a
 * rule is about (`if (rules.flushBeforeAnswer) …`). The front hands it `breakRule(RULES, parts.flaw)`, and its catalogue
 * names each of them, which the compiler checks:
 *
 *   export const MIRROR_FLAWS = {
 *     flushBeforeAnswer: { what: 'answers what no disk has yet', foundBy: ['acknowledgedWriteLost'] },
 *   } as const satisfies Readonly<Record<keyof typeof RULES, Flaw>>;
 */

import { assert } from '../src/base/assert.ts';
import type { Violation } from './judge.ts';

export interface Flaw {
  /** What the storage does wrong. */
  readonly what: string;
  /** The rules by which it may be found; any, if left out. */
  readonly foundBy?: readonly Violation['rule'][];
  /** Why nothing goes wrong with it: what else guards against the same. Such a flaw must never be found. */
  readonly redundant?: string;
}

/** The rules without one of them. */
export function breakRule<R extends Readonly<Record<string, boolean>>>(
  rules: R,
  flaw: string | undefined,
): R {
  if (flaw === undefined) return rules;
  assert(rules[flaw] === true, `there is a rule ${flaw}`);
  return { ...rules, [flaw]: false };
}
