/**
 * Goal: what an administrator sets of a mirrored device at one node holds on all of them, also on one that was away, and over
 * restarts. Method: a demo cluster of real processes on loopback addresses; `lockstep device set` and `show`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClusterNode, startCluster } from './cluster.ts';
import { device, shown } from './device-command.ts';

const LIMIT_MS = 180_000;
const TAKEOVER_MS_MAX = 20_000;
const LOOK_MS = 200;

async function settings(node: ClusterNode) {
  const { mirror } = await shown(node);
  return {
    priority: mirror!.replicas.map(({ name }) => name),
    preferred: mirror!.replicas.filter(({ isPreferred }) => isPreferred).map(({ name }) => name),
    aside: mirror!.replicas.filter(({ path }) => path === 'nonOptimized').map(({ name }) => name),
    policy: mirror!.writePolicy,
    inForce: mirror!.writePolicyInForce,
  };
}

/** Of a node whose partner was just killed. */
async function setWhenServing(node: ClusterNode, ...words: readonly string[]): Promise<string> {
  const until = performance.now() + TAKEOVER_MS_MAX;
  for (;;) {
    const { status, out, err } = await device(node, 'set', ...words);
    if (status === 0) return out;
    if (performance.now() > until) throw new Error(err);
    await new Promise((again) => setTimeout(again, LOOK_MS));
  }
}

test('settings changed at one node hold at all, over restarts', { timeout: LIMIT_MS }, async () => {
  await using cluster = await startCluster('127.0.26.1', ['--size', '16M']);
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  const first = await device(b, 'set', 'priority=beta', 'write-policy=back', '--power-protected');
  assert.deepEqual(first, {
    status: 0,
    out:
      'Device disk1: priority is beta, alpha (was alpha, beta)\n' +
      'Device disk1: write policy is back (was through)\n',
    err: '',
  });
  const both = {
    priority: ['beta', 'alpha'],
    preferred: ['beta'],
    aside: [],
    policy: 'back',
    inForce: 'back',
  };
  for (const node of [a, b]) assert.deepEqual(await settings(node), both, node.name);

  const refused = await device(a, 'set', 'priority=gamma');
  assert.deepEqual(refused, {
    status: 1,
    out: '',
    err: 'lockstep: Device disk1 was not changed: no node gamma has a copy of it; there are beta, alpha.\n',
  });

  b.kill();
  assert.equal(
    await setWhenServing(a, 'aside=alpha', 'priority=alpha', 'full-resync-above=30%'),
    'Device disk1: priority is alpha, beta (was beta, alpha)\nDevice disk1: aside is alpha (was none)\n' +
      'Device disk1: full resync above is 30 % (was 100 %)\n',
  );
  const [, lost] = (await shown(a)).mirror!.replicas;
  assert.deepEqual(lost!.lack, { bytes: 0, percent: 0 });
  assert.equal((await settings(a)).inForce, 'through', 'alone it writes through');
  await b.start();
  await cluster.together([a, b], 2);
  const later = { ...both, priority: ['alpha', 'beta'], preferred: ['beta'], aside: ['alpha'] };
  for (const node of [a, b]) assert.deepEqual(await settings(node), later, node.name);

  await Promise.all([a.stop(), b.stop()]);
  await Promise.all([a.start(), b.start()]);
  await cluster.together([a, b], 2);
  for (const node of [a, b]) assert.deepEqual(await settings(node), later, node.name);
});
