/**
 * Who may touch which blocks at the moment: exclusive for those that change them, shared for those that look. First
 * come, first served among those that overlap; those that do not never meet. Held for the length of one operation of
 * the medium; the number of holders is bounded by the tasks a target accepts, so a list searched from its start is
 * faster than any tree.
 */

import { assert } from './assert.ts';
import type { MaybeAsync } from './result.ts';

export type LockMode = 'shared' | 'exclusive';

export interface HeldRange {
  release(): void;
}

interface Entry extends HeldRange {
  readonly start: number;
  readonly end: number;
  readonly mode: LockMode;
  /** Undefined once granted. */
  grant: (() => void) | undefined;
  released: boolean;
}

export class RangeLock {
  /** In order of arrival, granted or not. */
  readonly #entries: Entry[] = [];
  #waiting = 0;

  /** True if `hold` would be granted at once. */
  isFree(start: number, length: number, mode: LockMode): boolean {
    return !this.#isBlocked(start, start + length, mode, this.#entries.length);
  }

  /** Holds `start`..`start + length` as soon as all earlier ones that conflict have let go. */
  hold(start: number, length: number, mode: LockMode): MaybeAsync<HeldRange> {
    const entry: Entry = {
      start,
      end: start + length,
      mode,
      grant: undefined,
      released: false,
      release: () => this.#release(entry),
    };
    const blocked = this.#isBlocked(entry.start, entry.end, mode, this.#entries.length);
    this.#entries.push(entry);
    if (!blocked) return entry;
    this.#waiting += 1;
    return new Promise((resolve) => {
      entry.grant = () => resolve(entry);
    });
  }

  #isBlocked(start: number, end: number, mode: LockMode, before: number): boolean {
    for (let i = 0; i < before; i++) {
      const other = this.#entries[i]!;
      if (other.start < end && start < other.end && (mode === 'exclusive' || other.mode === 'exclusive'))
        return true;
    }
    return false;
  }

  #release(entry: Entry): void {
    assert(!entry.released && entry.grant === undefined, 'a range is released once, by who holds it');
    entry.released = true;
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    for (let i = 0; i < this.#entries.length && this.#waiting > 0; i++) {
      const waiter = this.#entries[i]!;
      const { grant } = waiter;
      if (grant === undefined || this.#isBlocked(waiter.start, waiter.end, waiter.mode, i)) continue;
      waiter.grant = undefined;
      this.#waiting -= 1;
      grant();
    }
  }
}
