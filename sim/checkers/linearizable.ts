/**
 * Is a history linearizable against a sequential model? Wing & Gong's search with Lowe's memory of visited
 * configurations. Exponential in the worst case, so it is for small objects: a lock under COMPARE AND WRITE, the
 * reservations of one device, and for judging the fast register checker. Histories are split by object beforehand.
 */

export interface Operation<Input, Output> {
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
  /** Equal states have equal keys. */
  key(state: State): string;
}

/** A prefix of an order under test. */
interface Frame<State> {
  readonly state: State;
  /** Operations before this index are taken, or can no longer be. */
  readonly first: number;
  /** The latest invocation among the taken ones: what had to end before it can come no more. */
  readonly latestInvocation: number;
  /** Only an operation invoked before every untaken one has returned can come next. */
  readonly limit: number;
  /** The next one to try. */
  next: number;
  /** The one taken on top of this frame, or -1. */
  chosen: number;
}

/** 'undecided': the search was given up, which is no accusation. */
export type Verdict = 'linearizable' | 'notLinearizable' | 'undecided';

/** A history that is easy to judge needs about one for each of its operations. */
const CONFIGURATIONS_MAX = 300_000;

export function judgeOrder<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: SequentialModel<State, Input, Output>,
  configurationsMax = CONFIGURATIONS_MAX + 10 * history.length,
): Verdict {
  const operations = [...history].sort((a, b) => a.invokedAt - b.invokedAt);
  const visited = new Set<string>();
  const taken = new Uint8Array(operations.length);
  let missing = operations.filter((operation) => operation.output !== undefined).length;

  const isOver = (index: number, latestInvocation: number): boolean =>
    taken[index] === 1 ||
    (operations[index]!.output === undefined && operations[index]!.returnedAt < latestInvocation);

  function frame(state: State, from: number, latestInvocation: number): Frame<State> {
    let first = from;
    while (first < operations.length && isOver(first, latestInvocation)) first++;
    let limit = Infinity;
    for (let i = first; i < operations.length && operations[i]!.invokedAt <= limit; i++) {
      const { output, returnedAt } = operations[i]!;
      if (output !== undefined && taken[i] === 0) limit = Math.min(limit, returnedAt);
    }
    return { state, first, latestInvocation, limit, next: first, chosen: -1 };
  }

  function isNew({ state, first, latestInvocation, limit }: Frame<State>): boolean {
    let configuration = `${first}|${latestInvocation}|${model.key(state)}|`;
    for (let i = first; i < operations.length && operations[i]!.invokedAt <= limit; i++)
      configuration += taken[i] === 1 ? '1' : '0';
    const before = visited.size;
    visited.add(configuration);
    return visited.size > before;
  }

  function mark(index: number, value: 0 | 1): void {
    taken[index] = value;
    if (operations[index]!.output !== undefined) missing += value === 1 ? -1 : 1;
  }

  const stack = [frame(model.initial, 0, -Infinity)];
  while (missing > 0) {
    const top = stack.at(-1);
    if (top === undefined) return 'notLinearizable';
    if (visited.size > configurationsMax) return 'undecided';
    if (top.chosen >= 0) mark(top.chosen, 0);
    top.chosen = -1;
    const index = top.next++;
    if (index >= operations.length || operations[index]!.invokedAt > top.limit) {
      stack.pop();
      continue;
    }
    if (isOver(index, top.latestInvocation)) continue;
    const { input, output, invokedAt } = operations[index]!;
    const state = model.apply(top.state, input, output);
    if (state === undefined) continue;
    // Without an answer and without an effect it might as well not have happened.
    if (output === undefined && model.key(state) === model.key(top.state)) continue;
    mark(index, 1);
    top.chosen = index;
    const child = frame(state, top.first, Math.max(top.latestInvocation, invokedAt));
    if (isNew(child)) stack.push(child);
  }
  return 'linearizable';
}
