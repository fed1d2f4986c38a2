/**
 * Goal: a node is let go where the others can go on, and only there. Method: the mirror itself over simulated disks and links, driven
 * by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mayLeave } from '../../src/engine/leaving.ts';
import type { MirrorHost } from '../../src/engine/mirror/mirror-host.ts';
import type { ClusterSpec, MirrorDeviceSpec } from '../../src/engine/spec.ts';
import type { Site } from '../../src/cluster/configuration.ts';
import { Scenario } from './scenario.ts';

const NAMES = ['alpha', 'beta', 'gamma'];

/** Undefined: it may. */
function reason(scenario: Scenario, site: Site, self: number): string | undefined {
  const cluster: ClusterSpec = {
    name: 'site',
    nodeName: NAMES[self - 1]!,
    node: self,
    certificates: '',
    partners: site.nodes
      .filter((node) => node !== self)
      .map((node) => ({ node, name: NAMES[node - 1]!, links: [] })),
    voteStore: undefined,
    confirmsReads: false,
  };
  // Nothing but what `mayLeave` looks at.
  const spec = { kind: 'mirror', name: 'disk1', site } as Partial<MirrorDeviceSpec> as MirrorDeviceSpec;
  const host = { node: scenario.mirror(self) } as Partial<MirrorHost> as MirrorHost;
  const answer = mayLeave(
    { spec, mirror: { host, cache: undefined, close: () => Promise.resolve() } },
    cluster,
  );
  return answer.ok ? undefined : answer.fault;
}

test('of two any one, and the last one not; who is brought up to date is missed by nobody', async () => {
  const site: Site = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } };
  const scenario = new Scenario({ site });
  await scenario.until(() => scenario.isTogether, 'both come to serve');
  assert.deepEqual(
    [1, 2].map((node) => reason(scenario, site, node)),
    [undefined, undefined],
  );
  scenario.crash(2);
  await scenario.until(() => scenario.serving.join() === '1', 'the first goes on');
  await scenario.write(1, 3, 10);
  const last = 'Device disk1 has no other synchronized copy: beta is away or not up to date.';
  assert.equal(reason(scenario, site, 1), last);
  scenario.restart(2);
  await scenario.until(
    () => scenario.mirror(1).membership.installed?.learners.includes(2) === true,
    'it is brought up to date',
  );
  assert.deepEqual(
    [1, 2].map((node) => reason(scenario, site, node)),
    [last, undefined],
  );
  await scenario.until(() => scenario.isTogether, 'both serve');
  await scenario.pass(1000);
  assert.equal(reason(scenario, site, 1), undefined);
});

test('of three with a majority one, and no second one', async () => {
  const site: Site = { nodes: [1, 2, 3], strategy: { kind: 'majority', witness: undefined } };
  const scenario = new Scenario({ site });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  assert.equal(reason(scenario, site, 3), undefined);
  scenario.crash(3);
  await scenario.until(() => scenario.serving.length === 2, 'the others go on');
  await scenario.pass(3000);
  assert.equal(
    reason(scenario, site, 2),
    'Device disk1 would have no majority without this node: 1 of 3 votes are left.',
  );
});

test('neither side of a split brain', async () => {
  const site: Site = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'continue' } };
  const scenario = new Scenario({ site });
  await scenario.until(() => scenario.isTogether, 'both come to serve');
  const heal = scenario.cut(1, 2);
  await scenario.pass(8000);
  await scenario.write(1, 3, 21);
  await scenario.write(2, 3, 22);
  heal();
  await scenario.until(() => scenario.mirror(2).membership.role === 'diverged', 'the second stops');
  assert.match(reason(scenario, site, 1)!, /no other synchronized copy/);
  assert.match(reason(scenario, site, 2)!, /split brain: choose a side first/);
});
