/**
 * Goal: what nodes tell administrators of a device is how it is. Method: the mirror itself over simulated disks and links,
 * driven by hand; what is told is compared.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { joined, mirrorStatistics } from '../../src/engine/mirror-statistics.ts';
import type { ClusterSpec } from '../../src/engine/spec.ts';
import type { MirrorStatistics } from '../../src/engine/statistics.ts';
import { Scenario } from './scenario.ts';

const SITE = { nodes: [1, 2, 3], strategy: { kind: 'majority', witness: undefined } } as const;
const NAMES = ['alpha', 'beta', 'gamma'];

function told(scenario: Scenario, self: number): MirrorStatistics {
  const partners = SITE.nodes
    .filter((node) => node !== self)
    .map((node) => ({ node, name: NAMES[node - 1]!, links: [] }));
  const cluster: ClusterSpec = {
    name: 'site',
    nodeName: NAMES[self - 1]!,
    node: self,
    certificates: '',
    partners,
    voteStore: undefined,
    confirmsReads: false,
  };
  const node = scenario.mirror(self);
  return mirrorStatistics({ site: SITE, journal: 'failure' }, cluster, {
    node,
    state: node.state,
    failure: undefined,
    links: [],
  });
}

const statesOf = ({ replicas }: MirrorStatistics): string[] =>
  replicas.map(({ name, state }) => `${name} ${state}`);

test('all copies serve', async () => {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  const all = told(scenario, 2);
  assert.deepEqual(all.condition, { word: 'synchronized', why: undefined });
  assert.deepEqual(statesOf(all), ['alpha synchronized', 'beta synchronized', 'gamma synchronized']);
  assert.deepEqual(
    all.replicas.map(({ path, isPreferred }) => [path, isPreferred]),
    [
      ['optimized', true],
      ['optimized', false],
      ['optimized', false],
    ],
  );
});

test('who is away, and by whom it is brought up to date when it is back', async () => {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  scenario.crash(3);
  await scenario.until(() => scenario.serving.length === 2, 'the others go on');
  await scenario.write(1, 3, 10);
  await scenario.write(1, 150, 11);
  await scenario.pass(3000);
  const away = told(scenario, 1);
  assert.equal(away.condition.word, 'degraded');
  assert.match(away.condition.why!, /^gamma is away \(nothing is heard of the node on any link\)$/);
  scenario.restart(3);
  await scenario.until(
    () => told(scenario, 1).condition.word === 'resynchronizing',
    'it is brought up to date',
  );
  const [first, source] = [told(scenario, 1), told(scenario, 2)];
  assert.equal(first.replicas[2]!.resync, undefined, 'another node brings it up to date');
  const { resync, state } = joined(first, new Map([[2, source]])).replicas[2]!;
  assert.equal(state, 'resynchronizing');
  assert.ok(resync !== undefined && resync.bytesTotal >= 2 * 65_536 && resync.bytesDone <= resync.bytesTotal);
  await scenario.until(() => told(scenario, 1).condition.word === 'synchronized', 'it is synchronized');
});

test('without a majority nobody serves, and the node says what it waits for', async () => {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  scenario.crash(2);
  scenario.crash(3);
  await scenario.pass(10_000);
  const alone = told(scenario, 1);
  assert.equal(alone.condition.word, 'notServed');
  assert.deepEqual(statesOf(alone).slice(1), ['beta away', 'gamma away']);
});
