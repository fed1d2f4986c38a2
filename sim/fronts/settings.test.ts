/**
 * Goal: what an administrator changes holds on every node, through restarts and changes of configuration, and never lets
 * two go on alone. Method: the mirror itself in the simulator, driven by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Scenario } from './scenario.ts';

const TWO = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } } as const;

async function together(): Promise<Scenario> {
  const scenario = new Scenario({ site: TWO, policy: 'back' });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  return scenario;
}

const policies = (scenario: Scenario) => TWO.nodes.map((node) => scenario.mirror(node).replica.copy.policy);

test('a change through one node holds on all, and after all were restarted', async () => {
  const scenario = await together();
  const settings = { order: [2, 1], policy: 'through', asides: [1], fullResyncAbove: 100 } as const;
  assert.equal((await scenario.changeSettings(1, settings))?.ok, true);
  const all = () => TWO.nodes.map((node) => scenario.mirror(node).settings);
  await scenario.until(() => all().every(({ order }) => order[0] === 2), 'both have heard', 1000);
  assert.deepEqual(all(), [settings, settings]);
  assert.deepEqual(
    TWO.nodes.map((node) => scenario.mirror(node).state.paths.map(({ state }) => state)),
    [
      ['nonOptimized', 'optimized'],
      ['nonOptimized', 'optimized'],
    ],
  );
  for (const node of TWO.nodes) scenario.crash(node);
  for (const node of TWO.nodes) scenario.restart(node);
  await scenario.until(() => scenario.isTogether, 'all serve again, without an administrator');
  assert.deepEqual(all(), [settings, settings]);
});

test('the new first goes on alone, and the former does not', async () => {
  const scenario = await together();
  assert.equal((await scenario.changeSettings(1, { order: [2, 1] }))?.ok, true);
  const heal = scenario.cut(1, 2);
  await scenario.until(() => scenario.serving.join() === '2', 'node 2 goes on');
  await scenario.pass(20_000);
  assert.deepEqual(scenario.serving, [2]);
  heal();
  await scenario.until(() => scenario.isTogether, 'node 1 comes back');
});

test('caches are flushed when the policy becomes through, and used again when it becomes back', async () => {
  const scenario = await together();
  await scenario.write(1, 3, 10);
  assert.deepEqual(policies(scenario), ['back', 'back']);
  assert.equal((await scenario.changeSettings(2, { policy: 'through' }))?.ok, true);
  assert.deepEqual(scenario.onMedium(3), [10, 10]);
  await scenario.write(1, 3, 11);
  assert.deepEqual(scenario.onMedium(3), [11, 11]);
  assert.equal((await scenario.changeSettings(1, { policy: 'back' }))?.ok, true);
  await scenario.until(() => policies(scenario).join() === 'back,back', 'both write back', 1000);
});

test('what cannot be is refused, and changes nothing', async () => {
  const scenario = await together();
  const refused = await scenario.changeSettings(1, { asides: [7] });
  assert.ok(refused?.ok === false && refused.fault.kind === 'invalidSettings');
  assert.deepEqual(scenario.mirror(2).settings.asides, []);
});
