/**
 * Goal: a device on one node becomes a mirror of two and of three, moves to other nodes and is on one again, while hosts read and
 * write; where that cannot be, nothing changes; and what the cluster has agreed on holds over restarts, whatever the
 * configuration files say. Method: nodes as real processes in network namespaces under a load that is judged; `lockstep replica`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceStatistics, MirrorStatistics } from '../../src/engine/statistics.ts';
import { askDevice } from '../../src/management/control/client.ts';
import { startAgain } from '../../src/management/drill/faults.ts';
import { copiesOf, type DrillNode, pause } from '../../src/management/drill/site.ts';
import { logsOf } from './cluster-nodes.ts';
import { replica } from './device-command.ts';
import { type DrillCluster, startDrillCluster } from './drill-cluster.ts';
import { DEVICE } from './drill-config.ts';
import { switchLacks } from './switch.ts';

const LIMIT_MS = 500_000;
const TOGETHER_MS_MAX = 60_000;
const LOOK_MS = 200;
const MIB = 2 ** 20;
const AWAY_MS = 2000;
const HEARD_MS_MAX = 20_000;

/** All of these say that they, and no others, have synchronized copies. */
async function untilOn({ site }: DrillCluster, holders: readonly DrillNode[]): Promise<void> {
  const names = holders.map(({ name }) => name).join();
  const until = performance.now() + TOGETHER_MS_MAX;
  for (;;) {
    const found = await Promise.all(holders.map((node) => saidBy(node)));
    if (found.every((said) => said === `synchronized: ${names}`)) return;
    if (performance.now() > until)
      assert.fail(`not on ${names}: ${found.join(' | ')}\n${logsOf(site.nodes)}`);
    await pause(LOOK_MS);
  }
}

async function saidBy(node: DrillNode): Promise<string> {
  const mirror = await mirrorOf(node);
  if (mirror === undefined) return 'silent';
  const names = mirror.replicas.map(({ name }) => name).toSorted();
  return `${mirror.condition.word}: ${names.join()}`;
}

/** As `lockstep device show` hears it; undefined: the node does not answer. */
async function mirrorOf({ stateDirectory }: DrillNode): Promise<MirrorStatistics | undefined> {
  const answer = await askDevice(stateDirectory, DEVICE, { kind: 'show' });
  return answer.ok ? (answer.value as DeviceStatistics).mirror : undefined;
}

async function change(
  asked: DrillNode,
  ...[kind, { name }]: readonly ['add' | 'remove', DrillNode]
): Promise<void> {
  const { status, err } = await replica(asked, kind, name);
  assert.deepEqual([status, err], [0, ''], `${kind} ${name}`);
}

async function expectRefusal(
  asked: DrillNode,
  ...[kind, name, why]: readonly ['add' | 'remove', string, string | RegExp]
): Promise<void> {
  const before = await saidBy(asked);
  const { status, out, err } = await replica(asked, kind, name);
  assert.deepEqual([status, out], [1, ''], `${kind} ${name}`);
  const told = err.replace('lockstep: The copies of device disk1 were not changed: ', '');
  if (typeof why === 'string') assert.equal(told, `${why}.\n`);
  else assert.match(told, why);
  assert.equal(await saidBy(asked), before);
}

async function expectNoCopy(node: DrillNode): Promise<void> {
  const { isServing, condition } = (await mirrorOf(node))!;
  assert.deepEqual([isServing, condition.word], [false, 'notServed']);
  assert.match(condition.why ?? '', /^this node has no copy of it: /);
}

/** A node that was away learns that it has lost its copy. */
async function untilHeard(node: DrillNode): Promise<void> {
  const until = performance.now() + HEARD_MS_MAX;
  while ((await mirrorOf(node))?.role !== 'removed') {
    assert.ok(performance.now() < until, 'it never hears of it');
    await pause(LOOK_MS);
  }
  await expectNoCopy(node);
}

test('nodes get copies of a device and lose them under load', { timeout: LIMIT_MS }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  const shape = { strategy: 'heartbeat', copies: 3, holders: 1, sector: 512, size: '128M' } as const;
  await using cluster = await startDrillCluster(shape, { seed: 47, areaBytes: 16 * MIB });
  const { site, load } = cluster;
  const [alpha, beta, gamma] = copiesOf(site) as [DrillNode, DrillNode, DrillNode];
  await load.beginPart();
  await expectNoCopy(gamma);
  await expectRefusal(alpha, 'add', 'alpha', 'node alpha has a copy already');
  await expectRefusal(
    alpha,
    'add',
    'delta',
    'there is no node delta in the cluster: there are alpha, beta, gamma',
  );
  await expectRefusal(alpha, 'remove', 'beta', 'node beta has no copy of it');
  await expectRefusal(alpha, 'remove', 'alpha', /^nobody else has everything that is on it/);

  // Asked where there is no copy.
  await change(gamma, 'add', beta);
  await untilOn(cluster, [alpha, beta]);
  await change(beta, 'remove', alpha);
  await untilOn(cluster, [beta]);
  await expectNoCopy(alpha);

  await gamma.process.kill();
  await expectRefusal(beta, 'add', 'gamma', /^node gamma does not answer: it cannot be reached: /);
  await startAgain(gamma);
  // Its file says that alpha has the only copy.
  await change(alpha, 'add', gamma);
  await gamma.process.kill();
  assert.deepEqual((await mirrorOf(beta))!.members, [2], 'in the middle of its resynchronization');
  await pause(AWAY_MS);
  await startAgain(gamma);
  await untilOn(cluster, [beta, gamma]);
  await change(gamma, 'add', alpha);
  await untilOn(cluster, [alpha, beta, gamma]);

  // Nobody connects from there.
  await gamma.process.kill();
  await change(alpha, 'remove', gamma);
  await startAgain(gamma);
  await untilHeard(gamma);
  await untilOn(cluster, [alpha, beta]);
  await change(alpha, 'add', gamma);
  await untilOn(cluster, [alpha, beta, gamma]);

  await change(alpha, 'remove', alpha);
  await untilOn(cluster, [beta, gamma]);
  await expectNoCopy(alpha);
  await Promise.all(site.nodes.map(({ process }) => process.kill()));
  await Promise.all(site.nodes.map((node) => startAgain(node)));
  await untilOn(cluster, [beta, gamma]);
  await expectNoCopy(alpha);

  const { commands, failed, failures } = await load.part();
  assert.ok(commands > 0);
  assert.deepEqual([failed, ...failures], [0]);
  assert.equal(await load.judge(), undefined);
  assert.deepEqual(await cluster.end([beta, gamma]), [], logsOf(site.nodes));
});
