/**
 * Goal: nobody serves in a configuration before enough have accepted it, nor while those that it leaves out may still serve.
 * Method: one membership of three that proposes; what the others answer, and when, is the test's.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { OneNode } from './testing/one-node.ts';
import { reportWith } from './testing/report.ts';
import { BEAT_MS, DRIFT, LEASE_MS, PATIENCE_MS } from './times.ts';

/** Node 1 goes on without node 3, which is silent, and node 2, which promises over a path without data. */
async function proposing(leases: readonly (readonly [node: number, ms: number])[] = []): Promise<OneNode> {
  const one = await OneNode.serving('majority');
  one.membership.proposer.propose({ cause: 'test', excluded: [2, 3], promoted: [] });
  await one.clock.advance(PATIENCE_MS);
  await one.promise(2, leases);
  one.membership.tick();
  await one.clock.advance(1);
  return one;
}

test('under majority a configuration begins when more than half of the voters have accepted it, however few its members', async () => {
  const one = await proposing();
  await one.clock.advance(LEASE_MS * 2);
  const { term, members } = one.durable.accepted;
  assert.deepEqual([one.membership.role, term > 20, members], ['sealed', true, [1]]);
  await one.hear(2, { kind: 'accepted', term });
  assert.equal(one.membership.role, 'serving');
});

test('nothing is accepted before the leases of those who are left out are over, by the slowest clock', async () => {
  const one = await proposing([
    [2, 1900],
    [3, 1500],
  ]);
  // The promise came 2 ms ago.
  await one.clock.advance(1500 * DRIFT - 4);
  assert.equal(one.durable.accepted.term, 20);
  await one.clock.advance(2);
  assert.deepEqual(one.durable.accepted.members, [1]);
});

test('whoever is left out accepts when all members have: until then its copy may be the only whole one', async () => {
  const one = await OneNode.serving('majority');
  one.membership.proposer.propose({ cause: 'test', excluded: [1, 3], promoted: [] });
  await one.clock.advance(PATIENCE_MS);
  const term = one.membership.promising;
  const report = reportWith<string>(one.durable.accepted, {
    promised: term,
    handover: 'data',
    hearsSync: [1, 3],
  });
  await one.hear(2, { kind: 'promise', term, report });
  for (let beats = 0; beats < 3; beats++) {
    one.membership.tick();
    await one.clock.advance(BEAT_MS);
  }
  const asked = one.said.filter((said) => said.startsWith('accept'));
  assert.deepEqual([...new Set(asked)], ['accept 2']);
  assert.equal(one.durable.accepted.term, 20);
  await one.hear(2, { kind: 'accepted', term });
  assert.deepEqual([one.durable.accepted.term, one.durable.accepted.members], [term, [2]]);
});
