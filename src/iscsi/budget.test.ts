/**
 * Goal: all sessions together hold no more than the node's limit, who keeps to his share begins at once, and nobody
 * waits for ever. Method: accounts without sessions, the worst order of takings, and random ones.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../base/prng.ts';
import { type Account, Budget } from './budget.ts';
import {
  COMMAND_BYTES_MAX,
  CONNECTIONS_MAX,
  NODE_BYTES_COMMON_MAX,
  NODE_BYTES_MAX,
  SESSION_BYTES_MAX,
} from './limits.ts';

const KIB = 1024;
const account = (wake: () => void = () => undefined): Account => ({ bytes: 0, running: 0, wake });
const heldBy = (accounts: readonly Account[]): number => accounts.reduce((sum, { bytes }) => sum + bytes, 0);

test('in the worst order of takings, by as many sessions as there may be, no more is held than the limit', () => {
  const budget = new Budget();
  const first = account();
  budget.take(first, NODE_BYTES_COMMON_MAX - 1);
  assert.ok(budget.admits(first, COMMAND_BYTES_MAX), 'one command goes beyond');
  budget.take(first, COMMAND_BYTES_MAX);
  const others = Array.from({ length: CONNECTIONS_MAX - 1 }, () => account());
  for (const other of others) {
    let step = SESSION_BYTES_MAX;
    for (; step >= 1; step /= 2) while (budget.admits(other, step)) budget.take(other, step);
    assert.ok(other.bytes >= 64 * KIB, 'the least share is a small command');
  }
  const held = heldBy([first, ...others]);
  assert.ok(held > 0.9 * NODE_BYTES_MAX && held <= NODE_BYTES_MAX, `${held} bytes`);
});

test('whatever sessions take and give, the limit holds, shares are there at once, and in the end all have had all', () => {
  const random = createPrng(9);
  const budget = new Budget();
  const wanted = new Map<Account, number[]>();
  const run = (one: Account): void => {
    const wants = wanted.get(one)!;
    for (let next = wants[0]; next !== undefined; next = wants[0]) {
      if (!budget.admits(one, next)) {
        budget.wait(one, next);
        return;
      }
      budget.take(one, next);
      one.running += next;
      wants.shift();
      running.push({ one, bytes: next });
    }
  };
  const running: { readonly one: Account; readonly bytes: number }[] = [];
  const accounts = Array.from({ length: 100 }, () => {
    const one: Account = account(() => run(one));
    wanted.set(one, []);
    return one;
  });
  for (let round = 0; round < 20_000; round++) {
    const one = random.pick(accounts);
    if (random.chance(0.6)) {
      const most = random.pick([64 * KIB, SESSION_BYTES_MAX / accounts.length, COMMAND_BYTES_MAX]);
      wanted.get(one)!.push(random.integer(0, most));
      if (wanted.get(one)!.length === 1) run(one);
    } else if (running.length > 0) {
      const [ended] = running.splice(random.integer(0, running.length - 1), 1);
      ended!.one.running -= ended!.bytes;
      budget.give(ended!.one, ended!.bytes);
    }
    assert.ok(heldBy(accounts) <= NODE_BYTES_MAX);
    const [next = 0] = wanted.get(one)!;
    assert.ok(
      next === 0 || one.bytes + next > SESSION_BYTES_MAX / accounts.length,
      'nobody waits with his share',
    );
  }
  for (let next = running.shift(); next !== undefined; next = running.shift()) {
    next.one.running -= next.bytes;
    budget.give(next.one, next.bytes);
  }
  assert.equal(heldBy(accounts), 0);
  assert.deepEqual(new Set([...wanted.values()].map(({ length }) => length)), new Set([0]));
});

test('the woken may give back at once, in any number, without a stack of their own', () => {
  const budget = new Budget();
  const full = account();
  let woken = 0;
  budget.take(full, NODE_BYTES_COMMON_MAX);
  for (let i = 0; i < 100_000; i++) {
    const one = account(() => {
      woken++;
      budget.take(one, 512);
      budget.give(one, 512);
    });
    budget.wait(one, SESSION_BYTES_MAX);
  }
  budget.give(full, 512);
  assert.equal(woken, 100_000);
});

test('who waits is called once, in the order of waiting, and nobody without room', () => {
  const budget = new Budget();
  const woken: string[] = [];
  const full = account();
  budget.take(full, NODE_BYTES_COMMON_MAX + 1000);
  const first = account(() => {
    woken.push('first');
    budget.take(first, SESSION_BYTES_MAX);
  });
  budget.wait(first, SESSION_BYTES_MAX);
  const second = account(() => woken.push('second'));
  budget.wait(second, SESSION_BYTES_MAX);
  budget.give(full, 1000);
  assert.deepEqual(woken, []);
  budget.give(full, 1);
  assert.deepEqual(woken, ['first']);
  budget.give(full, SESSION_BYTES_MAX - 1);
  assert.deepEqual(woken, ['first']);
  budget.give(full, 1);
  budget.give(full, 1);
  assert.deepEqual(woken, ['first', 'second']);
});

test('who waits and is forgotten is not called', () => {
  const budget = new Budget();
  const full = account();
  budget.take(full, NODE_BYTES_COMMON_MAX);
  const gone = account(() => assert.fail('called'));
  budget.wait(gone, SESSION_BYTES_MAX);
  budget.forget(gone);
  budget.give(full, NODE_BYTES_COMMON_MAX);
});
