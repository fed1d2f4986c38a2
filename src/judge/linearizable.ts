/**
 * Is a history linearizable against a sequential model? Wing & Gong's search with Lowe's memory of visited
 * configurations. Exponential in the worst case, so it is for small objects: a lock under COMPARE AND WRITE, the
 * reservations of one device, and for judging the fast register checker. Histories are split by object beforehand.
 *
 * Three things keep it small, and none decides differently than the whole search would:
 *  1. What never changes anything, fits and may come next comes next without a choice: whatever explains the rest still
 *     does with this one in front. Only what has no answer might be too late then, so there must be none that would be.
 *  2. What has no answer is tried after what has one: most of it never happened.
 *  3. Of operations without an answer that say the same and could take effect as long, the first invoked comes first:
 *     whatever a later one explains, an earlier one does as well.
 */

export interface Operation<Input, Output> {
  /** Plain data. */
  readonly input: Input;
  /** undefined: no answer was seen; the operation took effect between `invokedAt` and `returnedAt`, or never. */
  readonly output: Output | undefined;
  readonly invokedAt: number;
  /** Without an answer: until when it may take effect, Infinity if at any time. */
  readonly returnedAt: number;
}

export interface SequentialModel<State, Input, Output> {
  readonly initial: State;
  /** The state after `input`, or undefined when it could not have given `output` in `state`. */
  apply(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Whatever the state, `input` leaves it as it is when it gives `output`. */
  isPassive(input: Input, output: Output): boolean;
  /** Equal states have equal keys. */
  key(state: State): string;
}

/** 'undecided': the search was given up, which is no accusation. */
export type Verdict = 'linearizable' | 'notLinearizable' | 'undecided';

/** A history that is easy to judge needs about one for each of its operations. */
const CONFIGURATIONS_MAX = 300_000;
/** A leading one and 14 more bits make a character. */
const WORD_FULL = 1 << 14;

export function judgeOrder<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  configurationsMax = CONFIGURATIONS_MAX + 10 * history.length,
): Verdict {
  return new Search(history, model).run(configurationsMax);
}

/** Equal states are one object. */
interface Known<State> {
  readonly id: number;
  readonly state: State;
  /** By operation; undefined: it does not fit. */
  readonly after: Map<number, Known<State> | undefined>;
}

/** A prefix of an order under test. */
interface Frame<State> {
  readonly known: Known<State>;
  /** Operations before this index are taken, or can no longer be. */
  readonly first: number;
  /** The latest invocation among the taken ones: what had to end before it can come no more. */
  readonly latestInvocation: number;
  /** Operations before this index were invoked before every untaken one has returned: they can come next. */
  readonly end: number;
  /** The next one to try. */
  next: number;
  /** 'free': this one and no other; 'answered', then 'unanswered': all of a kind. */
  round: 'free' | 'answered' | 'unanswered';
  /** The one taken on top of this frame, or -1. */
  chosen: number;
}

class Search<State, Input, Output> {
  readonly #operations: readonly Operation<Input, Output>[];
  readonly #model: SequentialModel<State, Input, Output>;
  readonly #known = new Map<string, Known<State>>();
  readonly #visited = new Set<string>();
  readonly #taken: Uint8Array;
  readonly #passive: readonly boolean[];
  readonly #twins: Int32Array;
  /** Answered and not taken. */
  #missing: number;

  constructor(history: readonly Operation<Input, Output>[], model: SequentialModel<State, Input, Output>) {
    this.#operations = [...history].sort((a, b) => a.invokedAt - b.invokedAt);
    this.#model = model;
    this.#taken = new Uint8Array(history.length);
    this.#passive = this.#operations.map(
      ({ input, output }) => output !== undefined && model.isPassive(input, output),
    );
    this.#twins = earlierTwins(this.#operations);
    this.#missing = history.filter(({ output }) => output !== undefined).length;
  }

  run(configurationsMax: number): Verdict {
    const stack = [this.#frame(this.#knownOf(this.#model.initial), 0, -Infinity)];
    while (this.#missing > 0) {
      const top = stack.at(-1);
      if (top === undefined) return 'notLinearizable';
      if (this.#visited.size > configurationsMax) return 'undecided';
      if (top.chosen >= 0) this.#mark(top.chosen, 0);
      top.chosen = this.#choose(top);
      if (top.chosen < 0) {
        stack.pop();
        continue;
      }
      this.#mark(top.chosen, 1);
      const { invokedAt } = this.#operations[top.chosen]!;
      const known = this.#after(top.known, top.chosen)!;
      const child = this.#frame(known, top.first, Math.max(top.latestInvocation, invokedAt));
      if (this.#isNew(child)) stack.push(child);
    }
    return 'linearizable';
  }

  #frame(known: Known<State>, from: number, latestInvocation: number): Frame<State> {
    const operations = this.#operations;
    let first = from;
    while (first < operations.length && this.#isOver(first, latestInvocation)) first++;
    let limit = Infinity;
    let end = first;
    for (; end < operations.length && operations[end]!.invokedAt <= limit; end++) {
      const { output, returnedAt } = operations[end]!;
      if (output !== undefined && this.#taken[end] === 0) limit = Math.min(limit, returnedAt);
    }
    const free = this.#withoutChoice(known, first, end, latestInvocation);
    const [next, round] = free < 0 ? [first, 'answered' as const] : [free, 'free' as const];
    return { known, first, latestInvocation, end, next, round, chosen: -1 };
  }

  /** One that changes nothing and makes nothing come too late, or -1. */
  #withoutChoice(known: Known<State>, first: number, end: number, latestInvocation: number): number {
    let unansweredUntil = Infinity;
    for (let i = first; i < end; i++) {
      if (this.#isOver(i, latestInvocation)) continue;
      const { output, invokedAt, returnedAt } = this.#operations[i]!;
      if (invokedAt > unansweredUntil) return -1;
      if (output === undefined) unansweredUntil = Math.min(unansweredUntil, returnedAt);
      else if (this.#passive[i] && this.#after(known, i) !== undefined) return i;
    }
    return -1;
  }

  /** The next one to be tried on top of `frame`, or -1. */
  #choose(frame: Frame<State>): number {
    for (;;) {
      if (frame.next === frame.end) {
        if (frame.round !== 'answered') return -1;
        frame.round = 'unanswered';
        frame.next = frame.first;
        continue;
      }
      const index = frame.next++;
      if (frame.round === 'free') {
        frame.next = frame.end;
        return index;
      }
      if (this.#isOver(index, frame.latestInvocation)) continue;
      const isAnswered = this.#operations[index]!.output !== undefined;
      if (isAnswered !== (frame.round === 'answered')) continue;
      const twin = this.#twins[index]!;
      if (twin >= 0 && !this.#isOver(twin, frame.latestInvocation)) continue;
      const after = this.#after(frame.known, index);
      // Without an answer and without an effect it might as well not have happened.
      if (after !== undefined && (isAnswered || after !== frame.known)) return index;
    }
  }

  /** What may still come, and from which state, decides all that can follow. */
  #isNew({ known, first, end, latestInvocation }: Frame<State>): boolean {
    let configuration = `${known.id}|${first}|`;
    let word = 1;
    for (let i = first; i < end; i++) {
      word = (word << 1) | (this.#isOver(i, latestInvocation) ? 1 : 0);
      if (word < WORD_FULL) continue;
      configuration += String.fromCharCode(word);
      word = 1;
    }
    configuration += String.fromCharCode(word);
    const before = this.#visited.size;
    this.#visited.add(configuration);
    return this.#visited.size > before;
  }

  #isOver(index: number, latestInvocation: number): boolean {
    if (this.#taken[index] === 1) return true;
    const { output, returnedAt } = this.#operations[index]!;
    return output === undefined && returnedAt < latestInvocation;
  }

  #mark(index: number, value: 0 | 1): void {
    this.#taken[index] = value;
    if (this.#operations[index]!.output !== undefined) this.#missing += value === 1 ? -1 : 1;
  }

  #after(known: Known<State>, index: number): Known<State> | undefined {
    const before = known.after.get(index);
    if (before !== undefined || known.after.has(index)) return before;
    const { input, output } = this.#operations[index]!;
    const state = this.#model.apply(known.state, input, output);
    const after = state === known.state ? known : state === undefined ? undefined : this.#knownOf(state);
    known.after.set(index, after);
    return after;
  }

  #knownOf(state: State): Known<State> {
    const key = this.#model.key(state);
    let known = this.#known.get(key);
    if (known === undefined)
      this.#known.set(key, (known = { id: this.#known.size, state, after: new Map() }));
    return known;
  }
}

/** For each operation without an answer the last one before it that says the same and could take effect as long, or -1. */
function earlierTwins(operations: readonly Operation<unknown, unknown>[]): Int32Array {
  const latest = new Map<string, number>();
  return Int32Array.from(operations, ({ input, output, returnedAt }, index) => {
    if (output !== undefined) return -1;
    const what = `${returnedAt} ${JSON.stringify(input)}`;
    const earlier = latest.get(what) ?? -1;
    latest.set(what, index);
    return earlier;
  });
}
