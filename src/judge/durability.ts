/**
 * At the end, when everything is quiet: every replica holds the same, and in each block a value that may be the last
 * one. A value may not be the last if another was acknowledged by a write that began after the whole command of the
 * first had returned.
 */

import type { WriteAttempt } from './registers.ts';
import { INITIAL_VALUE } from './registers.ts';

export interface Replica {
  readonly node: number;
  /** Block by block. */
  readonly values: readonly number[];
}

export interface FinalViolation {
  readonly rule: 'acknowledgedWriteLost' | 'valueFromNowhere' | 'replicasDiffer';
  readonly explanation: string;
}

export function checkReplicasEqual(replicas: readonly Replica[]): FinalViolation | undefined {
  const [first, ...others] = replicas;
  for (const other of others) {
    const block = first!.values.findIndex((value, i) => value !== other.values[i]);
    if (block < 0) continue;
    const explanation = `block ${block}: node ${first!.node} holds ${first!.values[block]}, node ${other.node} ${other.values[block]}`;
    return { rule: 'replicasDiffer', explanation };
  }
  return undefined;
}

export function checkDurability(
  writes: readonly WriteAttempt[],
  replicas: readonly Replica[],
): FinalViolation | undefined {
  /** Block → value → attempt. */
  const attempts = new Map<number, Map<number, WriteAttempt>>();
  const lastAcknowledged = new Map<number, WriteAttempt>();
  for (const write of writes) {
    const ofBlock = attempts.get(write.block) ?? new Map<number, WriteAttempt>();
    attempts.set(write.block, ofBlock.set(write.value, write));
    const last = lastAcknowledged.get(write.block);
    if (write.acknowledged && (last === undefined || write.invokedAt > last.invokedAt))
      lastAcknowledged.set(write.block, write);
  }
  for (const replica of replicas) {
    for (const [block, last] of lastAcknowledged) {
      const value = replica.values[block] ?? INITIAL_VALUE;
      const found = attempts.get(block)!.get(value);
      const where = `block ${block} of node ${replica.node} holds ${value}`;
      if (found === undefined && value !== INITIAL_VALUE)
        return { rule: 'valueFromNowhere', explanation: `${where}, which nobody wrote there` };
      if (last.invokedAt > (found?.returnedAt ?? -Infinity))
        return {
          rule: 'acknowledgedWriteLost',
          explanation: `${where}, but ${last.value} was acknowledged at ${last.returnedAt}`,
        };
    }
  }
  return undefined;
}
