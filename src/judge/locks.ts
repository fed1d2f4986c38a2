/**
 * Read-modify-writes are atomic: locks under COMPARE AND WRITE behave as if their commands came one after the other. Each
 * lock is judged for itself (a history is linearizable if its parts are).
 *
 * A lock is an extent; COMPARE AND WRITE and writes change all of it at once, while reads are judged block by block, as
 * nothing promises more. Commands without an answer may have been done until the initiator gave them up, or never.
 */

import type { Operation, SequentialModel, Verdict } from './linearizable.ts';
import { judgeOrder } from './linearizable.ts';

export type LockInput =
  | { readonly kind: 'readBlock'; readonly index: number }
  | { readonly kind: 'write'; readonly values: readonly number[] }
  | {
      readonly kind: 'compareAndWrite';
      readonly expected: readonly number[];
      readonly values: readonly number[];
    };

export type LockOutput = 'done' | 'miscompare' | { readonly value: number };

export interface LockOperation extends Operation<LockInput, LockOutput> {
  readonly lba: number;
  readonly blocks: number;
}

export interface LockViolation {
  readonly rule: 'lockNotAtomic';
  readonly explanation: string;
}

export interface ObjectsVerdict<Violation> {
  readonly violation: Violation | undefined;
  /** Objects with which the search did not come to an end. */
  readonly undecided: number;
}

export function checkLocks(operations: readonly LockOperation[]): ObjectsVerdict<LockViolation> {
  return judgeEach(
    groupBy(operations, (operation) => operation.lba),
    (history) => judgeOrder(history, lockModel(history[0]!.blocks)),
    (lba, { length }) => ({
      rule: 'lockNotAtomic',
      explanation: `lock at block ${lba}: no order of its ${length} commands explains their answers`,
    }),
  );
}

export function judgeEach<T, Violation>(
  objects: ReadonlyMap<number, readonly T[]>,
  judge: (history: readonly T[]) => Verdict,
  accuse: (object: number, history: readonly T[]) => Violation,
): ObjectsVerdict<Violation> {
  let undecided = 0;
  for (const [object, history] of objects) {
    const verdict = judge(history);
    if (verdict === 'notLinearizable') return { violation: accuse(object, history), undecided };
    if (verdict === 'undecided') undecided++;
  }
  return { violation: undefined, undecided };
}

export function groupBy<T>(all: readonly T[], keyOf: (one: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

function lockModel(blocks: number): SequentialModel<readonly number[], LockInput, LockOutput> {
  return {
    initial: Array.from({ length: blocks }, () => 0),
    key: (state) => state.join(),
    isPassive: ({ kind }, output) => kind === 'readBlock' || output === 'miscompare',
    apply(state, input, output) {
      if (input.kind === 'readBlock') {
        const fits = typeof output === 'object' && output.value === state[input.index];
        return output === undefined || fits ? state : undefined;
      }
      if (input.kind === 'write') return input.values;
      const equal = input.expected.every((value, i) => value === state[i]);
      if (output !== undefined && (output === 'done') !== equal) return undefined;
      return equal ? input.values : state;
    },
  };
}
