// Goal: read-modify-writes that cannot have come one after the other are found, and others are not accused. Method: named
// histories.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LockOperation, LockOutput, LockViolation } from '../../src/judge/locks.ts';
import { checkLocks } from '../../src/judge/locks.ts';
import type {
  ReservationInput,
  ReservationOperation,
  ReservationOutput,
  ReservationViolation,
} from './objects.ts';
import { checkReservations } from './objects.ts';

const accusedLock = (history: readonly LockOperation[]): LockViolation | undefined =>
  checkLocks(history).violation;
const accusedReservation = (history: readonly ReservationOperation[]): ReservationViolation | undefined =>
  checkReservations(history).violation;

const swap = (
  expected: number,
  value: number,
  output: LockOutput | undefined,
  invokedAt: number,
  returnedAt: number,
): LockOperation => {
  const input = { kind: 'compareAndWrite', expected: [expected, 0], values: [value, 0] } as const;
  return { lba: 9, blocks: 2, input, output, invokedAt, returnedAt };
};
const read = (index: number, value: number, invokedAt: number, returnedAt: number): LockOperation => ({
  lba: 9,
  blocks: 2,
  input: { kind: 'readBlock', index },
  output: { value },
  invokedAt,
  returnedAt,
});

test('of two racing swaps one wins', () => {
  const loser = swap(0, 2, 'miscompare', 0, 10);
  assert.equal(accusedLock([swap(0, 1, 'done', 0, 10), loser]), undefined);
  assert.equal(accusedLock([swap(0, 1, 'done', 0, 10), swap(0, 2, 'done', 5, 15)])?.rule, 'lockNotAtomic');
  assert.equal(accusedLock([loser, swap(0, 1, 'done', 20, 30)])?.rule, 'lockNotAtomic');
});

test('a swap without an answer may have been done until it was given up, and not later', () => {
  const unknown = swap(0, 1, undefined, 0, 10);
  assert.equal(accusedLock([unknown, read(0, 1, 20, 21)]), undefined);
  assert.equal(accusedLock([unknown, read(0, 0, 20, 21)]), undefined);
  assert.equal(accusedLock([unknown, read(0, 0, 20, 21), read(0, 1, 30, 31)])?.rule, 'lockNotAtomic');
  const never = { ...unknown, returnedAt: Infinity };
  assert.equal(accusedLock([never, read(0, 0, 20, 21), read(0, 1, 30, 31)]), undefined);
});

test('locks are judged one by one, over thousands of commands', () => {
  const history: LockOperation[] = [];
  for (let i = 0; i < 3000; i++) {
    history.push({ ...swap(i, i + 1, i % 7 === 0 ? undefined : 'done', i * 10, i * 10 + 15), lba: 9 });
    history.push({ ...swap(i, i + 1, 'done', i * 10, i * 10 + 15), lba: 11 });
  }
  assert.equal(accusedLock(history), undefined);
});

const reserve = (
  nexus: number,
  command: ReservationInput['command'],
  output: ReservationOutput | undefined,
  invokedAt: number,
  returnedAt = invokedAt + 5,
): ReservationOperation => ({
  device: 1,
  input: { nexus, key: 100 + nexus, command },
  output,
  invokedAt,
  returnedAt,
});

const BOTH = [
  reserve(1, { kind: 'register', key: 101 }, 'done', 0),
  reserve(2, { kind: 'register', key: 102 }, 'done', 10),
];

test('one holds the reservation until it is released, cleared or preempted', () => {
  const held = [...BOTH, reserve(1, { kind: 'reserve' }, 'done', 20)];
  assert.equal(accusedReservation([...held, reserve(2, { kind: 'reserve' }, 'conflict', 30)]), undefined);
  const twice = [...held, reserve(2, { kind: 'reserve' }, 'done', 30)];
  assert.equal(accusedReservation(twice)?.rule, 'reservationNotAtomic');
  const preempted = [...held, reserve(2, { kind: 'preempt', victim: 101 }, 'done', 30)];
  const state = { generation: 3, holder: 102, keys: [102] };
  assert.equal(
    accusedReservation([...preempted, reserve(1, { kind: 'readReservation' }, state, 40)]),
    undefined,
  );
  assert.equal(accusedReservation([...preempted, reserve(1, { kind: 'write' }, 'conflict', 40)]), undefined);
  assert.notEqual(accusedReservation([...preempted, reserve(1, { kind: 'write' }, 'done', 40)]), undefined);
});

test('a preemption without an answer explains either end', () => {
  const unknown = [...BOTH, reserve(2, { kind: 'preempt', victim: 101 }, undefined, 20)];
  for (const [generation, keys] of [
    [2, [101, 102]],
    [3, [102]],
  ] as const)
    assert.equal(
      accusedReservation([
        ...unknown,
        reserve(1, { kind: 'readReservation' }, { generation, holder: 0, keys }, 40),
      ]),
      undefined,
    );
  const wrong = { generation: 4, holder: 0, keys: [102] };
  assert.notEqual(
    accusedReservation([...unknown, reserve(1, { kind: 'readReservation' }, wrong, 40)]),
    undefined,
  );
});
