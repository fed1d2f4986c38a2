/**
 * Goal: the fast register checker says exactly what an exhaustive search says. Method: named histories, then thousands
 * of small random ones judged by both.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../base/prng.ts';
import type { Operation, SequentialModel } from './linearizable.ts';
import { judgeOrder } from './linearizable.ts';
import type { ReadResult, WriteAttempt } from './registers.ts';
import { checkRegisters, INITIAL_VALUE } from './registers.ts';

const write = (value: number, invokedAt: number, returnedAt: number, acknowledged = true): WriteAttempt => ({
  block: 0,
  value,
  invokedAt,
  returnedAt,
  acknowledged,
});
const read = (value: number, invokedAt: number, returnedAt: number): ReadResult => ({
  block: 0,
  value,
  invokedAt,
  returnedAt,
});

test('an acknowledged write must be seen by a later read', () => {
  assert.equal(
    checkRegisters([write(1, 0, 10)], [read(INITIAL_VALUE, 11, 12)])?.rule,
    'backwardInsideForward',
  );
  assert.equal(checkRegisters([write(1, 0, 10)], [read(1, 11, 12)]), undefined);
});

test('what a read has returned is never un-returned', () => {
  const writes = [write(1, 0, 100, false)];
  assert.equal(checkRegisters(writes, [read(1, 10, 20), read(0, 30, 40)])?.rule, 'backwardInsideForward');
  assert.equal(checkRegisters(writes, [read(0, 10, 20), read(1, 30, 40)]), undefined);
});

test('two values that keep reappearing after each other are a violation', () => {
  const writes = [write(1, 0, 5), write(2, 0, 5)];
  const reads = [read(1, 10, 11), read(2, 20, 21), read(1, 30, 31)];
  assert.equal(checkRegisters(writes, reads)?.rule, 'forwardZonesOverlap');
});

test('a write without an answer may have happened late, or never', () => {
  assert.equal(
    checkRegisters([write(1, 0, Infinity, false)], [read(0, 50, 60), read(1, 500, 600)]),
    undefined,
  );
  assert.equal(checkRegisters([write(1, 0, Infinity, false)], [read(0, 500, 600)]), undefined);
});

test('an attempt of a retried write may not take effect after the command has returned', () => {
  const ghost = [write(1, 0, 30, false), write(2, 20, 30), write(3, 40, 50)];
  assert.notEqual(checkRegisters(ghost, [read(3, 60, 61), read(1, 70, 71)]), undefined);
});

test('a value nobody wrote, or not yet, is a violation', () => {
  assert.equal(checkRegisters([], [read(9, 0, 1)])?.rule, 'unwrittenValue');
  assert.equal(checkRegisters([write(9, 5, 6)], [read(9, 0, 1)])?.rule, 'readFromTheFuture');
});

const register: SequentialModel<number, { write?: number }, number> = {
  initial: INITIAL_VALUE,
  apply: (state, input, output) => {
    if (input.write !== undefined) return input.write;
    return output === undefined || output === state ? state : undefined;
  },
  key: String,
  isPassive: ({ write }) => write === undefined,
};

test('on random small histories it agrees with the exhaustive search', () => {
  let legal = 0;
  for (let seed = 1; seed <= 6000; seed++) {
    const random = createPrng(seed);
    // Distinct times: at equal times the two definitions of "before" may differ.
    const times = Array.from({ length: 24 }, (_, i) => i);
    const moment = (): [number, number] => {
      const [a, b] = [
        take(times, random.integer(0, times.length - 1)),
        take(times, random.integer(0, times.length - 2)),
      ];
      return a < b ? [a, b] : [b, a];
    };
    const writes: WriteAttempt[] = [];
    const reads: ReadResult[] = [];
    const operations: Operation<{ write?: number }, number>[] = [];
    for (let value = 1; value <= random.integer(1, 4); value++) {
      const [invokedAt, end] = moment();
      const lost = random.chance(0.25);
      const returnedAt = lost ? Infinity : end;
      writes.push(write(value, invokedAt, returnedAt, !lost));
      operations.push({ input: { write: value }, output: lost ? undefined : 0, invokedAt, returnedAt });
    }
    for (let i = 0; i < random.integer(1, 5); i++) {
      const [invokedAt, returnedAt] = moment();
      const value = random.integer(0, writes.length);
      reads.push(read(value, invokedAt, returnedAt));
      operations.push({ input: {}, output: value, invokedAt, returnedAt });
    }
    const expected = judgeOrder(operations, register) === 'linearizable';
    if (expected) legal++;
    assert.equal(checkRegisters(writes, reads) === undefined, expected, `seed ${seed}`);
  }
  assert.ok(legal > 500 && legal < 5500, `both verdicts occur (${legal} legal)`);
});

test('a search that would take too long accuses nobody', () => {
  const unknown = Array.from({ length: 12 }, (_, i) => {
    return { input: { write: i + 1 }, output: undefined, invokedAt: i, returnedAt: 100 };
  });
  const impossible = { input: {}, output: 99, invokedAt: 50, returnedAt: 60 };
  assert.equal(judgeOrder([...unknown, impossible], register), 'notLinearizable');
  assert.equal(judgeOrder([...unknown, impossible], register, 1000), 'undecided');
});

function take(from: number[], index: number): number {
  return from.splice(index, 1)[0]!;
}
