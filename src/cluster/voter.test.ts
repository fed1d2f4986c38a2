/**
 * Goal: what a voter has said binds it: promises and acceptances are durable before they are told, nothing older counts
 * afterwards, and no lease that it granted is forgotten. Method: one membership whose records are written when a test says
 * so, and which is told message by message what others say; what it answers.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { OneNode } from './testing/one-node.ts';
import { BEAT_MS, DRIFT, LEASE_MS } from './times.ts';

test('a promise is told when it is durable, and not before', async () => {
  const voter = await OneNode.serving('majority');
  voter.isHeld = true;
  await voter.prepare(2, 34);
  assert.deepEqual([voter.said, voter.durable.promised], [[], 20]);
  await voter.write();
  assert.deepEqual([voter.said, voter.durable.promised], [['promise 2'], 34]);
});

test('a promise that cannot be made durable is none', async () => {
  const voter = await OneNode.serving('majority');
  voter.canSave = false;
  await voter.prepare(2, 34);
  assert.deepEqual([voter.said, voter.membership.hasRetired], [[], true]);
});

for (const members of [
  [1, 2, 3],
  [2, 3],
])
  test(`after a promise nothing older is accepted: a configuration of ${members.join()}`, async () => {
    const voter = await OneNode.serving('majority');
    await voter.prepare(2, 34);
    await voter.prepare(3, 51);
    assert.deepEqual(voter.said, ['promise 2', 'promise 3']);
    await voter.accept(2, 34, members);
    assert.deepEqual([voter.said, voter.durable.accepted.term], [['refuse 2'], 20]);
    await voter.accept(3, 51);
    assert.deepEqual([voter.said, voter.durable.accepted.term], [['accepted 3'], 51]);
  });

test('after a promise that is not durable yet nothing older is accepted either', async () => {
  const voter = await OneNode.serving('majority');
  await voter.prepare(2, 34);
  voter.isHeld = true;
  await voter.prepare(3, 51);
  await voter.accept(2, 34);
  await voter.write();
  assert.deepEqual(voter.said, ['promise 2', 'refuse 2', 'promise 3']);
});

test('a configuration counts as accepted when it is durable, and not before', async () => {
  const voter = await OneNode.serving('majority');
  await voter.prepare(2, 34);
  voter.isHeld = true;
  await voter.accept(2, 34);
  assert.deepEqual([voter.said, voter.durable.accepted.term], [['promise 2'], 20]);
  await voter.write();
  assert.deepEqual([voter.said, voter.durable.accepted.term], [['accepted 2'], 34]);
});

test('who lets others go on writes down that it is out, tells it, and is out until it is taken in', async () => {
  const voter = await OneNode.serving('heartbeat');
  await voter.prepare(2, 34, [1]);
  assert.deepEqual([voter.durable.isOut, voter.report.isOut], [true, true]);
  await voter.prepare(3, 51);
  assert.ok(voter.durable.isOut && voter.report.isOut);
  await voter.accept(3, 51);
  assert.equal(voter.durable.isOut, false);
});

test('under majority nobody has to stand back: votes decide', async () => {
  const voter = await OneNode.serving('majority');
  await voter.prepare(2, 34, [1]);
  assert.equal(voter.durable.isOut, false);
});

test('a promise tells of the leases that were granted before it, and of how long they still run', async () => {
  const voter = await OneNode.serving('majority');
  assert.ok(voter.grants(3, 20));
  await voter.clock.advance(500);
  await voter.prepare(2, 34);
  assert.deepEqual(voter.report.leases, [
    [1, 0],
    [2, 0],
    [3, LEASE_MS * DRIFT - 500],
  ]);
});

test('no lease is granted in a term that is over here, from the moment at which the next one is asked for', async () => {
  const voter = await OneNode.serving('majority');
  assert.ok(voter.grants(3, 20));
  voter.isHeld = true;
  await voter.prepare(2, 34);
  assert.ok(!voter.grants(3, 20), 'a promise is on its way to the disk');
  await voter.write();
  assert.ok(!voter.grants(3, 20), 'it has promised');
  await voter.accept(2, 34);
  assert.ok(!voter.grants(3, 20), 'an acceptance is on its way to the disk');
  await voter.write();
  assert.ok(!voter.grants(3, 20), 'it has accepted');
  assert.ok(voter.grants(3, 34));
});

test('a lease runs from the moment at which the beat was sent, however late its answer came', async () => {
  const voter = await OneNode.serving('heartbeat');
  const { sentAt } = voter.beats.at(-1)!;
  await voter.clock.advance(LEASE_MS - BEAT_MS);
  for (const from of [2, 3])
    voter.membership.onBeatAnswer(from, { kind: 'beatAnswer', incarnation: 1, sentAt, term: 20 });
  assert.ok(voter.membership.mayServe());
  await voter.clock.advance(BEAT_MS);
  assert.ok(!voter.membership.mayServe());
});
