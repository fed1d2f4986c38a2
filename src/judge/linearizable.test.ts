// Goal: the search finds an order exactly where there is one. Method: random small histories of a register that also
// counts how often it was cleared, against a search that tries every order of everything; many have a wrong answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../base/prng.ts';
import type { Prng } from '../base/prng.ts';
import type { Operation, SequentialModel } from './linearizable.ts';
import { judgeOrder } from './linearizable.ts';

type Input = { readonly write: number } | 'read' | 'clear';
type Output = 'done' | 'refused' | { readonly value: number; readonly clears: number };
type Change = Operation<Input, Output>;
type State = { readonly value: number; readonly clears: number };

const MODEL: SequentialModel<State, Input, Output> = {
  initial: { value: 0, clears: 0 },
  key: ({ value, clears }) => `${value} ${clears}`,
  isPassive: (input, output) => input === 'read' || output === 'refused',
  apply(state, input, output) {
    if (input === 'read') {
      if (typeof output !== 'object') return output === undefined ? state : undefined;
      return output.value === state.value && output.clears === state.clears ? state : undefined;
    }
    // What is 0 cannot be cleared.
    const refused = input === 'clear' && state.value === 0;
    if (output !== undefined && (output === 'refused') !== refused) return undefined;
    if (refused) return state;
    return input === 'clear' ? { value: 0, clears: state.clears + 1 } : { ...state, value: input.write };
  },
};

const REGISTER_VALUES = 3;

/** Commands of one storage at random times; now and then an answer is lost, or another one. */
function drawHistory(random: Prng): Change[] {
  let state = MODEL.initial;
  const history: Change[] = [];
  const length = random.integer(1, 7);
  const durationMax = random.pick([5, 15, 40]);
  const givenUpAt = random.pick([30, 100]);
  for (let i = 0; i < length; i++) {
    const at = i * 10;
    const input = random.pick([{ write: random.integer(1, REGISTER_VALUES) }, 'read', 'clear'] as const);
    const [invokedAt, returnedAt] = [
      at - random.integer(0, durationMax),
      at + random.integer(0, durationMax),
    ];
    const answer = answerOf(state, input, random);
    if (random.chance(0.4)) {
      if (random.chance(0.5)) state = MODEL.apply(state, input, undefined)!;
      const until = random.pick([returnedAt, Math.max(returnedAt, givenUpAt), Infinity]);
      history.push({ input, output: undefined, invokedAt, returnedAt: until });
    } else {
      state = MODEL.apply(state, input, undefined)!;
      history.push({ input, output: answer, invokedAt, returnedAt });
    }
  }
  return history;
}

function answerOf(state: State, input: Input, random: Prng): Output {
  const wrong = random.chance(0.08);
  if (input === 'read') return { value: state.value, clears: state.clears + (wrong ? 1 : 0) };
  return (input === 'clear' && state.value === 0) !== wrong ? 'refused' : 'done';
}

/** The definition, tried out: one after the other, in every order that time allows. */
function hasOrder(left: readonly Change[], state: State, latestInvocation: number): boolean {
  const answered = left.filter(({ output }) => output !== undefined);
  if (answered.length === 0) return true;
  return left.some((next) => {
    if (answered.some((other) => other !== next && other.returnedAt < next.invokedAt)) return false;
    if (next.output === undefined && next.returnedAt < latestInvocation) return false;
    const after = MODEL.apply(state, next.input, next.output);
    if (after === undefined) return false;
    const others = left.filter((other) => other !== next);
    return hasOrder(others, after, Math.max(latestInvocation, next.invokedAt));
  });
}

test('an order is found exactly where trying them all finds one', () => {
  const random = createPrng(1);
  const verdicts = { linearizable: 0, notLinearizable: 0 };
  for (let i = 0; i < 4000; i++) {
    const history = drawHistory(random);
    const expected = hasOrder(history, MODEL.initial, -Infinity) ? 'linearizable' : 'notLinearizable';
    assert.equal(judgeOrder(history, MODEL), expected, JSON.stringify(history));
    verdicts[expected]++;
  }
  assert.ok(verdicts.linearizable > 1000 && verdicts.notLinearizable > 500, JSON.stringify(verdicts));
});

test('what never happened for thousands of commands is no reason to give up', () => {
  const history: Change[] = [];
  for (let i = 0; i < 1000; i++) {
    for (let nobody = 0; nobody < 6; nobody++)
      history.push({
        input: { write: nobody + 1 },
        output: undefined,
        invokedAt: 10 * i,
        returnedAt: 10 * i + 25,
      });
    const output = { value: 0, clears: 0 };
    history.push({ input: 'read', output, invokedAt: 10 * i, returnedAt: 10 * i + 5 });
  }
  assert.equal(judgeOrder(history, MODEL), 'linearizable');
});
