// Goal: one flush serves a whole batch, and never a change that was answered after it began. Method: flushes by hand.

import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { DONE, fail, type Result } from '../base/result.ts';
import { GroupCommit } from './group-commit.ts';

type Finish = (result: Result<void, string>) => void;

function byHand(): { readonly commits: GroupCommit<string>; readonly flushes: Finish[] } {
  const flushes: Finish[] = [];
  const commits = new GroupCommit<string>(() => new Promise((resolve) => flushes.push(resolve)));
  return { commits, flushes };
}

test('changes answered together share the first flush', async () => {
  const { commits, flushes } = byHand();
  const durable = [1, 2, 3].map(async () => {
    await Promise.resolve();
    commits.answered();
    return commits.commit();
  });
  await turn();
  assert.equal(flushes.length, 1);
  flushes[0]!(DONE);
  assert.deepEqual(await Promise.all(durable), [DONE, DONE, DONE]);
  assert.equal(flushes.length, 1);
  assert.equal(commits.commit(), DONE);
});

test('a change answered while a flush is under way waits for one that began after it', async () => {
  const { commits, flushes } = byHand();
  commits.answered();
  const first = commits.commit();
  await turn();
  commits.answered();
  let late = false;
  const second = Promise.resolve(commits.commit()).then((result) => {
    late = true;
    return result;
  });
  flushes[0]!(DONE);
  assert.equal(await first, DONE);
  await turn();
  assert.deepEqual([flushes.length, late], [2, false]);
  flushes[1]!(fail('lost'));
  assert.deepEqual(await second, fail('lost'));
});
