// Goal: of those who have lost each other, the arbiter lets one go on. Method: claims by several nodes on one register.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Configuration } from './configuration.ts';
import { CLAIM, encodeRegister, VOTE } from './registers.ts';
import { StoredClaims } from './stored-claims.ts';
import { MemoryVotes } from './testing/memory-votes.ts';
import { SteppedClock } from './testing/stepped-clock.ts';
import { STORE_MS } from './times.ts';

const DEVICE = 'd'.repeat(32);
const BASE: Configuration = { term: 1, id: 'a'.repeat(32), members: [1, 2, 3], learners: [] };

function arbiter(bytes: Uint8Array | undefined = encodeRegister(CLAIM, DEVICE, BASE)) {
  const clock = new SteppedClock();
  const votes = new MemoryVotes();
  votes.replace(bytes);
  const claims = [1, 2, 3].map(
    (self) => new StoredClaims({ store: votes.of(self), device: DEVICE, self, clock }),
  );
  return {
    clock,
    votes,
    claim: (by: number, members: readonly number[], term: number, base = BASE) =>
      claims[by - 1]!.claim(base, members, term),
  };
}

test('only who is in the last claim makes the next one, of a higher term', async () => {
  const { claim } = arbiter();
  assert.equal(await claim(1, [1, 2], 17), true);
  assert.equal(await claim(3, [3], 35), false, 'it was left out');
  assert.equal(await claim(2, [2], 2), false, 'the term is over');
  assert.equal(await claim(2, [2], 34), true);
  assert.equal(await claim(1, [1], 49), false);
  assert.equal(await claim(2, [1, 2, 3], 50), true, 'it lets them in again');
  assert.equal(await claim(3, [3], 67), true);
});

test('the same claim again is answered as before, another one of the same term is not made', async () => {
  const { claim } = arbiter();
  assert.equal(await claim(1, [1], 17), true);
  assert.equal(await claim(1, [1], 17), true);
  assert.equal(await claim(1, [1, 2], 17), false);
});

test('of two at the same moment one goes on', async () => {
  const { claim } = arbiter();
  const answers = await Promise.all([claim(1, [1], 17), claim(2, [2], 34), claim(3, [3], 51)]);
  assert.equal(answers.filter(Boolean).length, 1);
});

test('a claim of which nobody heard is made all the same, for its maker', async () => {
  const { claim, votes } = arbiter();
  votes.setFate(1, 'writeUnheard');
  assert.equal(await claim(1, [1], 17), false);
  votes.setFate(1, 'well');
  assert.equal(await claim(2, [2], 34), false);
  assert.equal(await claim(1, [1], 17), true);
});

test('an arbiter that does not answer says no', async () => {
  const { clock, claim, votes } = arbiter();
  for (const fate of ['cut', 'hung'] as const) {
    votes.setFate(1, fate);
    const [first, second] = [claim(1, [1], 17), claim(1, [1], 17)];
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await clock.advance(3 * STORE_MS);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.deepEqual([await first, await second], [false, false]);
  }
});

test('what has forgotten everything lets nobody go on before it has heard who serves', async () => {
  for (const bytes of [undefined, new Uint8Array(40)]) {
    const { claim, votes } = arbiter();
    votes.replace(bytes);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    assert.equal(await claim(1, [1], 17), false);
    const installed = { ...BASE, term: 18 };
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.equal(await claim(2, installed.members, 18, installed), true);
    // oxlint-disable-next-line no-await-in-loop -- as above
    assert.equal(await claim(1, [1], 33), true);
  }
});

test('a register of something else is left alone', async () => {
  const vote = encodeRegister(VOTE, DEVICE, { promised: 1, accepted: BASE });
  const { claim, votes } = arbiter(vote);
  assert.equal(await claim(1, [1, 2, 3], 1), false);
  assert.equal(votes.bytes, vote);
});
