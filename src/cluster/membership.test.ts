/**
 * Goal: who may serve is decided within the times that initiators bear, and never twice. Method: small clusters of real
 * memberships, of which links, records and processes fail one by one.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { SmallCluster, type SmallStrategy } from './testing/small-cluster.ts';
import { LEASE_MS } from './times.ts';

/** Until everybody has found everybody; nodes of a later place wait longer before they propose. */
const START_MS = 6000;
/** A failure is found, agreed on and over. */
const FAILOVER_MS = 5000;

async function started(...of: ConstructorParameters<typeof SmallCluster>): Promise<SmallCluster> {
  const cluster = new SmallCluster(...of);
  await cluster.clock.advance(START_MS);
  const [first, ...others] = cluster.serving;
  assert.ok(first !== undefined, 'somebody serves');
  // After a restart one copy starts and the others learn from it; these tests have no data to learn.
  assert.deepEqual(others, []);
  return cluster;
}

/** As if everybody had learned all there is. */
async function together(...of: ConstructorParameters<typeof SmallCluster>): Promise<SmallCluster> {
  const cluster = await started(...of);
  const nodes = cluster.site.nodes;
  cluster.of(cluster.serving[0]!).proposer.propose({ cause: 'test', excluded: [], promoted: nodes });
  await cluster.clock.advance(1000);
  assert.deepEqual(cluster.serving, nodes);
  return cluster;
}

for (const strategy of ['majority', 'witness', 'stored', 'suspendLow', 'arbitrate', 'continue'] as const)
  test(`${strategy}: two nodes come to serve together`, async () => {
    await together(strategy);
  });

test('a lease that nobody renews ends', async () => {
  const cluster = await together('witness');
  cluster.cut(1, 2, 'sync', 'heartbeat');
  cluster.cut(1, 3, 'sync', 'heartbeat');
  await cluster.clock.advance(LEASE_MS + 300);
  assert.ok(!cluster.serving.includes(1));
  await cluster.clock.advance(FAILOVER_MS);
  assert.deepEqual(cluster.serving, [2]);
});

for (const policy of ['suspendLow', 'arbitrate', 'continue'] as const)
  test(`${policy}: who is left out over the heartbeat link knows it before the other serves alone`, async () => {
    const cluster = await together(policy);
    cluster.cut(1, 2, 'sync');
    await cluster.clock.advance(FAILOVER_MS);
    const [alone, ...others] = cluster.serving;
    assert.ok(alone !== undefined && others.length === 0, cluster.serving.join());
    const other = 3 - alone;
    assert.ok(cluster.of(other).standing.accepted.term >= cluster.of(alone).installed!.term);
    // Now it does not hear the other one any more: it must not take that for its chance.
    cluster.cut(1, 2, 'heartbeat');
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.serving, [alone]);
  });

for (const policy of ['suspendLow', 'arbitrate', 'continue'] as const)
  for (const failed of [1, 2]) {
    test(`${policy}: when the copy of node ${failed} fails, the other goes on, and the vote stays`, async () => {
      const cluster = await together(policy);
      cluster.of(failed).fail('test');
      await cluster.clock.advance(FAILOVER_MS);
      assert.deepEqual(cluster.serving, [3 - failed]);
      assert.equal(cluster.of(failed).standing.accepted.term, cluster.of(3 - failed).installed!.term);
    });

    test(`${policy}: when node ${failed} can make nothing durable, the other goes on all the same`, async () => {
      const cluster = await together(policy);
      const before = cluster.of(failed).standing;
      cluster.setSaving(failed, false);
      cluster.of(failed).fail('test');
      await cluster.clock.advance(FAILOVER_MS);
      assert.deepEqual(cluster.serving, [3 - failed]);
      assert.deepEqual(cluster.of(failed).standing, before);
      // It comes back with what it had when both were together, and alone: it must not begin from there.
      cluster.cut(1, 2, 'sync', 'heartbeat');
      cluster.restart(failed);
      await cluster.clock.advance(20_000);
      assert.deepEqual(cluster.serving, [3 - failed]);
    });
  }

for (const failed of [1, 2])
  test(`arbitrate: right after node ${3 - failed} has come back it goes on without node ${failed}`, async () => {
    const cluster = await together('arbitrate');
    cluster.restart(3 - failed);
    await cluster.clock.advance(FAILOVER_MS);
    assert.deepEqual(cluster.serving, [failed]);
    cluster.of(failed).proposer.propose({ cause: 'test', excluded: [], promoted: [1, 2] });
    await cluster.clock.advance(400);
    assert.deepEqual(cluster.serving, [1, 2]);
    cluster.of(failed).halt();
    cluster.cut(1, 2, 'sync', 'heartbeat');
    await cluster.clock.advance(FAILOVER_MS);
    assert.deepEqual(cluster.serving, [3 - failed]);
  });

test('a copy that fails whenever it is to come back keeps nobody from serving', async () => {
  const cluster = await together('arbitrate');
  cluster.failing.add(2);
  cluster.restart(2);
  await cluster.clock.advance(FAILOVER_MS);
  for (let tries = 0; tries < 3; tries++) {
    cluster.restart(2);
    await cluster.clock.advance(1500);
    assert.deepEqual(cluster.serving, [1]);
  }
});

test('a failed copy of two is no lost vote under majority', async () => {
  const cluster = await together('majority');
  cluster.of(1).fail('test');
  await cluster.clock.advance(FAILOVER_MS);
  assert.deepEqual(cluster.serving, [2]);
});

const ISOLATED: readonly (readonly [SmallStrategy, readonly number[]])[] = [
  ['majority', []],
  ['witness', [1]],
  ['stored', [1]],
  ['suspendLow', [1]],
  ['arbitrate', [1]],
];
for (const [strategy, right] of ISOLATED)
  test(`${strategy}: of two that lose each other ${right.length === 0 ? 'nobody' : 'one'} goes on`, async () => {
    const cluster = await together(strategy);
    cluster.cut(1, 2, 'sync', 'heartbeat');
    await cluster.clock.advance(FAILOVER_MS);
    if (strategy === 'suspendLow') assert.deepEqual(cluster.serving, right);
    else assert.equal(cluster.serving.length, right.length);
    const first = cluster.serving;
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.serving, first);
  });

for (const slow of [1, 2])
  test(`records of node ${slow} that are slow to be written make a change slow, and do not start it over again`, async () => {
    const cluster = await together('arbitrate');
    cluster.saveMs.set(slow, 1700);
    cluster.of(3 - slow).proposer.propose({ cause: 'test', excluded: [], promoted: [] });
    const proposed = cluster.of(3 - slow).promising;
    await cluster.clock.advance(2 * 1700 + 500);
    assert.deepEqual([cluster.of(1).installed?.term, cluster.of(2).installed?.term], [proposed, proposed]);
  });

test('records of one node that are slow to be written do not keep interrupting the other', async () => {
  const cluster = await together('witness');
  cluster.saveMs.set(2, 1700);
  cluster.of(1).proposer.propose({ cause: 'test', excluded: [], promoted: [] });
  await cluster.clock.advance(FAILOVER_MS);
  let looks = 0;
  for (let at = 0; at < 20_000; at += 100) {
    await cluster.clock.advance(100);
    if (cluster.serving.includes(1)) looks += 100;
  }
  assert.ok(looks > 17_000, `it served for ${looks} ms of 20 s`);
});
