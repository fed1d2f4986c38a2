/**
 * Goal: nodes get a vote and lose it while the device is served, and at no time can two sides serve that do not know of each
 * other. Method: memberships over links that are cut, one change after the other; then random cuts, restarts and changes
 * for every strategy, looked at after every message.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { createPrng } from '../base/prng.ts';
import type { Configuration } from './configuration.ts';
import { SmallCluster, type SmallStrategy } from './testing/small-cluster.ts';

const SETTLE_MS = 3000;
const START_MS = 12_000;
const RUNS = 6;

async function together(strategy: SmallStrategy, count: number, ...added: number[]): Promise<SmallCluster> {
  const cluster = new SmallCluster(strategy, count);
  for (const node of added) cluster.addNode(node);
  await cluster.clock.advance(START_MS);
  assert.equal(cluster.serving.length > 0, true, 'somebody serves');
  for (let node = 1; node <= count; node++) await promote(cluster, node);
  return cluster;
}

/** Until it serves. */
async function promote(cluster: SmallCluster, node: number): Promise<void> {
  for (let tries = 0; tries < 5 && !cluster.serving.includes(node); tries++) {
    const [member] = cluster.serving;
    if (member !== undefined && installedOf(cluster).learners.includes(node))
      cluster.of(member).proposer.propose({ cause: 'test', excluded: [], promoted: [node] });
    await cluster.clock.advance(SETTLE_MS);
  }
  assert.ok(cluster.serving.includes(node), `node ${node} serves`);
}

function installedOf(cluster: SmallCluster): Configuration {
  return cluster.of(cluster.serving[0]!).installed!;
}

/** As an administrator does, through one that serves. */
function change(cluster: SmallCluster, replicas: readonly number[]): void {
  const [member] = cluster.serving;
  if (member === undefined) return;
  const { installed, proposer, site } = cluster.of(member);
  if (installed === undefined || proposer.isBusy) return;
  proposer.propose({
    cause: 'test',
    excluded: site.nodes.filter((node) => !replicas.includes(node)),
    promoted: [],
    change: { baseTerm: installed.term, replicas },
  });
}

test('a node that is added learns, has a vote, and decides with the others when it counts', async () => {
  const cluster = await together('majority', 2, 3);
  assert.deepEqual(installedOf(cluster).replicas, undefined);
  change(cluster, [1, 2, 3]);
  await cluster.clock.advance(SETTLE_MS);
  const { members, learners, replicas, formerly } = installedOf(cluster);
  assert.deepEqual(
    { members, learners, replicas, formerly },
    {
      members: [1, 2],
      learners: [3],
      replicas: [1, 2, 3],
      formerly: undefined,
    },
  );
  await promote(cluster, 3);
  // Of two without a witness nobody would.
  cluster.cut(2, 1, 'sync', 'heartbeat');
  cluster.cut(2, 3, 'sync', 'heartbeat');
  await cluster.clock.advance(2 * SETTLE_MS);
  assert.deepEqual(cluster.serving, [1, 3]);
});

test('while replicas change a majority of the former and one of the new ones have to agree', async () => {
  const cluster = await together('majority', 3, 4);
  // Nobody else hears of it: node 4 alone accepts.
  cluster.cut(1, 2, 'sync', 'heartbeat');
  cluster.cut(1, 3, 'sync', 'heartbeat');
  const before = installedOf(cluster);
  change(cluster, [1, 2, 3, 4]);
  await cluster.clock.advance(200);
  assert.notEqual(cluster.of(1).installed?.replicas, [1, 2, 3, 4]);
  await cluster.clock.advance(2 * SETTLE_MS);
  assert.deepEqual(cluster.serving, [2, 3]);
  assert.ok(installedOf(cluster).term > before.term);
});

test('a node that is taken away while it is not there finds that out, and disturbs nobody', async () => {
  const cluster = await together('majority', 3);
  cluster.cut(3, 1, 'sync', 'heartbeat');
  cluster.cut(3, 2, 'sync', 'heartbeat');
  await cluster.clock.advance(2 * SETTLE_MS);
  assert.deepEqual(cluster.serving, [1, 2]);
  change(cluster, [1, 2]);
  await cluster.clock.advance(SETTLE_MS);
  assert.deepEqual(installedOf(cluster).replicas, [1, 2]);
  const { term } = installedOf(cluster);
  cluster.restart(3);
  await cluster.clock.advance(5000);
  cluster.mend();
  await cluster.clock.advance(5000);
  assert.equal(cluster.of(3).role, 'removed');
  assert.deepEqual([cluster.serving, installedOf(cluster).term], [[1, 2], term]);
  change(cluster, [1, 2, 3]);
  await cluster.clock.advance(SETTLE_MS);
  assert.deepEqual(installedOf(cluster).learners, [3]);
});

for (const strategy of ['majority', 'witness', 'stored', 'suspendLow', 'arbitrate', 'continue'] as const)
  test(`${strategy}: a single copy becomes two, and the first one may leave`, async () => {
    const cluster = await together(strategy, 1, 3);
    change(cluster, [1, 3]);
    await cluster.clock.advance(SETTLE_MS);
    assert.deepEqual(installedOf(cluster).learners, [3]);
    await promote(cluster, 3);
    change(cluster, [3]);
    await cluster.clock.advance(SETTLE_MS);
    assert.deepEqual(
      [cluster.serving, installedOf(cluster).replicas, cluster.of(1).role],
      [[3], [3], 'removed'],
    );
    await cluster.clock.advance(SETTLE_MS);
    assert.equal(installedOf(cluster).formerly, undefined);
    cluster.restart(1);
    cluster.restart(3);
    await cluster.clock.advance(START_MS);
    assert.deepEqual(cluster.serving, [3]);
  });

/** Nodes that serve at one time know of each other: they are in the same configuration. */
function assertTogether(cluster: SmallCluster): void {
  const terms = new Set(cluster.serving.map((node) => cluster.of(node).installed!.term));
  assert.ok(terms.size <= 1, `node ${cluster.serving.join(' and ')} serve in terms ${[...terms].join(', ')}`);
}

for (const strategy of ['majority', 'witness', 'stored', 'suspendLow', 'arbitrate'] as const)
  test(`${strategy}: whatever is cut, restarted and changed, no two sides serve`, async () => {
    const property = fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 3 }), async (seed, count) => {
      const random = createPrng(seed);
      const cluster = new SmallCluster(strategy, count);
      const nodes = [1, 2, 3, 4, 5].filter((node) => node !== count + 1).slice(0, 4);
      for (const node of nodes) if (node > count) cluster.addNode(node);
      await cluster.clock.advance(START_MS);
      for (let step = 0; step < 25; step++) {
        act(cluster, nodes, () => random.next());
        for (let at = 0; at < 40; at++) {
          await cluster.clock.advance(25 * random.next());
          assertTogether(cluster);
        }
      }
      cluster.mend();
      for (let at = 0; at < 20; at++) await cluster.clock.advance(SETTLE_MS / 2);
      assertTogether(cluster);
      assert.ok(cluster.serving.length > 0, 'when all is mended somebody serves');
    });
    await fc.assert(property, { numRuns: RUNS });
  });

function act(cluster: SmallCluster, nodes: readonly number[], draw: () => number): void {
  const pick = (): number => nodes[Math.floor(draw() * nodes.length)]!;
  const [a, b] = [pick(), pick()];
  const what = draw();
  if (what < 0.25 && a !== b) return cluster.cut(a, b, 'sync', 'heartbeat');
  if (what < 0.35 && a !== b) return cluster.cut(a, b, 'sync');
  if (what < 0.5) return cluster.mend();
  if (what < 0.6) return cluster.restart(a);
  const [member] = cluster.serving;
  if (member === undefined) return undefined;
  const { installed, proposer, site } = cluster.of(member);
  if (what < 0.75 && installed!.learners.length > 0 && !proposer.isBusy)
    return proposer.propose({ cause: 'test', excluded: [], promoted: installed!.learners });
  const wanted = site.nodes.includes(a) ? site.nodes.filter((node) => node !== a) : [...site.nodes, a];
  if (installed!.members.some((node) => wanted.includes(node))) change(cluster, wanted);
  return undefined;
}
