/** What a load did to a unit and what it saw, in the form in which the judges want it. */

import type { LockOperation } from '../judge/locks.ts';
import { checkLocks } from '../judge/locks.ts';
import { checkDurability, checkReplicasEqual, type Replica } from '../judge/durability.ts';
import type { ReadResult, WriteAttempt } from '../judge/registers.ts';
import { checkRegisters } from '../judge/registers.ts';

/** A record that is written before its end is known. */
export type Open<T> = { -readonly [K in keyof T]: T[K] };

export class History {
  readonly writes: Open<WriteAttempt>[] = [];
  readonly reads: ReadResult[] = [];
  readonly locks: Open<LockOperation>[] = [];
  #value = 0;

  /** Unique in the run; a block before its first write holds 0. */
  newValue(): number {
    return ++this.#value;
  }

  /** The first violation, as a sentence; undefined: everything seen may be. */
  judge(): string | undefined {
    const wrong = checkRegisters(this.writes, this.reads);
    if (wrong !== undefined) return `${wrong.rule}: ${wrong.explanation}`;
    const { violation } = checkLocks(this.locks);
    return violation === undefined ? undefined : `${violation.rule}: ${violation.explanation}`;
  }

  /** The same of what the copies hold in the end, which counts as read by everybody at `endedAt`. */
  judgeCopies(copies: readonly Replica[], endedAt: number): string | undefined {
    const found = checkReplicasEqual(copies) ?? checkDurability(this.writes, copies);
    if (found !== undefined) return `${found.rule}: ${found.explanation}`;
    const written = new Set(this.writes.map(({ block }) => block));
    const last = copies.flatMap(({ values }) =>
      Array.from(written, (block) => ({
        block,
        value: values[block]!,
        invokedAt: endedAt,
        returnedAt: endedAt,
      })),
    );
    const wrong = checkRegisters(this.writes, [...this.reads, ...last]);
    return wrong === undefined ? undefined : `${wrong.rule}: ${wrong.explanation}`;
  }
}
