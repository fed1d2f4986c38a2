/** How a load fares: how many commands, how long, how long none at all, and which failed. */

/** A part of a run. Times in milliseconds. */
export interface Measured {
  readonly commands: number;
  /** The longest time in which commands were under way and none was answered. */
  readonly stallMs: number;
  /** When that began, from the beginning of the part on. */
  readonly stallAtMs: number;
  readonly longestMs: number;
  readonly failed: number;
  /** Answers that may or may not have been done, of commands that cannot be repeated. */
  readonly unknown: number;
  /** The first failures, as sentences. */
  readonly failures: readonly string[];
}

const FAILURES_TOLD = 5;

export class Meter {
  readonly #now: () => number;
  /** Beginning by command under way. */
  readonly #underWay = new Map<number, number>();
  #next = 0;
  /** The last answer, or when commands were under way again. */
  #progressAt = 0;
  #startedAt = 0;
  #measured = nothing();

  constructor(now: () => number) {
    this.#now = now;
  }

  get commandsUnderWay(): number {
    return this.#underWay.size;
  }

  /** A new part of the run begins. */
  start(): void {
    this.#measured = nothing();
    this.#startedAt = this.#progressAt = this.#now();
  }

  get measured(): Measured {
    this.#noteStall();
    return { ...this.#measured, failures: [...this.#measured.failures] };
  }

  /** To be given to `ended`. */
  begun(): number {
    if (this.#underWay.size === 0) this.#progressAt = this.#now();
    this.#underWay.set(++this.#next, this.#now());
    return this.#next;
  }

  ended(command: number, outcome: { readonly kind: string; readonly why?: string }): void {
    this.#noteStall();
    const now = this.#now();
    const measured = this.#measured;
    measured.commands++;
    measured.longestMs = Math.max(measured.longestMs, now - this.#underWay.get(command)!);
    if (outcome.kind === 'unknown') measured.unknown++;
    if (outcome.kind === 'failed') {
      measured.failed++;
      if (measured.failures.length < FAILURES_TOLD) measured.failures.push(outcome.why ?? '');
      // A failure is no answer: those who wait go on waiting.
    } else this.#progressAt = now;
    this.#underWay.delete(command);
  }

  #noteStall(): void {
    if (this.#underWay.size === 0) return;
    const stallMs = this.#now() - this.#progressAt;
    if (stallMs <= this.#measured.stallMs) return;
    this.#measured.stallMs = stallMs;
    this.#measured.stallAtMs = this.#progressAt - this.#startedAt;
  }
}

function nothing() {
  return {
    commands: 0,
    stallMs: 0,
    stallAtMs: 0,
    longestMs: 0,
    failed: 0,
    unknown: 0,
    failures: [] as string[],
  };
}
