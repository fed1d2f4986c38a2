/**
 * Goal: a source that floods a child with connections keeps nobody else waiting, and whatever happens to a connection
 * our end of it is let go once. Method: handovers that the test completes.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HANDOVERS_MAX, HandoverQueue } from './handover-queue.ts';

function bench() {
  const queue = new HandoverQueue();
  const sent: string[] = [];
  const released: string[] = [];
  const done: (() => void)[] = [];
  return {
    queue,
    sent,
    released,
    push: (source: string, name: string): void =>
      queue.push(source, {
        send: (then) => {
          sent.push(name);
          done.push(then);
        },
        release: () => void released.push(name),
      }),
    /** The child takes the one that waits longest. */
    taken: (): boolean => {
      const next = done.shift();
      next?.();
      return next !== undefined;
    },
  };
}

test('sources take turns, and each keeps its own order', () => {
  const { push, sent, released, taken } = bench();
  for (let at = 0; at < 100; at++) push('flood', `f${at}`);
  push('one', 'a0');
  push('two', 'b0');
  push('one', 'a1');
  assert.deepEqual(sent, ['f0', 'f1'], 'the next leaves when one is taken');
  while (taken());
  assert.deepEqual(sent.slice(0, 8), ['f0', 'f1', 'f2', 'a0', 'b0', 'f3', 'a1', 'f4']);
  assert.equal(sent.length, 103);
  assert.deepEqual(released, sent);
});

test('a child that is too far behind loses the last of the source that has most', () => {
  const { push, sent, released, taken } = bench();
  push('one', 'a0');
  for (let at = 0; at < HANDOVERS_MAX; at++) push('flood', `f${at}`);
  push('two', 'b0');
  push('three', 'c0');
  assert.deepEqual(released, [`f${HANDOVERS_MAX - 1}`]);
  while (taken());
  assert.equal(sent.length, HANDOVERS_MAX + 2);
  assert.deepEqual(sent.slice(0, 5), ['a0', 'f0', 'f1', 'b0', 'c0']);
});

test('when the child is gone all are let go, once', () => {
  const { queue, push, sent, released, taken } = bench();
  for (let at = 0; at < 5; at++) push('one', `a${at}`);
  queue.clear();
  while (taken());
  assert.deepEqual(released, ['a0', 'a1', 'a2', 'a3', 'a4']);
  assert.deepEqual(sent, ['a0', 'a1']);
});
