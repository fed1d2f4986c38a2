/**
 * Durable writes of one moment share one flush. The first leads: it flushes when those answered together with it have
 * come. Those that come while a flush is under way follow: they share the next one, which begins when the present one ends.
 *
 * Rule: a flush covers exactly the changes that had been answered when it began. Therefore `answered` is called before
 * `commit`, and nobody joins a flush that has begun.
 */

import { DONE, isAsync, type MaybeAsync, type Result } from '../base/result.ts';

export class GroupCommit<F> {
  readonly #flush: () => MaybeAsync<Result<void, F>>;
  /** Changes that were answered. Begins above what is durable: what an earlier opening left behind is not known. */
  #answered = 1;
  /** Of those, the ones that a good flush has covered. */
  #durable = 0;
  #underWay: Promise<Result<void, F>> | undefined;
  /** The flush after that, not begun yet. */
  #next: Promise<Result<void, F>> | undefined;

  constructor(flush: () => MaybeAsync<Result<void, F>>) {
    this.#flush = flush;
  }

  /** The medium has answered a change, be it well or with a fault that left half of it. */
  answered(): void {
    this.#answered += 1;
  }

  /** Makes everything durable that was answered before. */
  commit(): MaybeAsync<Result<void, F>> {
    if (this.#durable === this.#answered) return DONE;
    if (this.#next !== undefined) return this.#next;
    // Not at once: the medium answers a whole batch in one turn, and each of it would miss the flush of the first.
    this.#next = (this.#underWay ?? Promise.resolve()).then(() => {
      this.#next = undefined;
      return this.#lead();
    });
    return this.#next;
  }

  #lead(): MaybeAsync<Result<void, F>> {
    const covered = this.#answered;
    const flushing = this.#flush();
    if (!isAsync(flushing)) return this.#ended(flushing, covered);
    this.#underWay = flushing.then((result) => {
      this.#underWay = undefined;
      return this.#ended(result, covered);
    });
    return this.#underWay;
  }

  #ended(result: Result<void, F>, covered: number): Result<void, F> {
    if (result.ok) this.#durable = covered;
    return result;
  }
}
