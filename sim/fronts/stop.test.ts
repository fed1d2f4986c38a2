/**
 * Goal: nodes that are stopped in order leave nothing to be repaired: the others go on at once, and a start after all were
 * stopped needs neither a full resync nor an administrator. Method: the mirror itself in the simulator, driven by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Scenario } from './scenario.ts';

const TWO = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } } as const;
const THREE = { nodes: [1, 2, 3], strategy: { kind: 'majority', witness: undefined } } as const;

for (const site of [TWO, THREE])
  for (const journal of ['ram', 'failure', 'continuous'] as const) {
    const name = `${site.nodes.length} nodes, journal '${journal}'`;

    test(`${name}: one is stopped: the others go on without a pause, and it catches up fast`, async () => {
      const scenario = new Scenario({ site, journal });
      await scenario.until(() => scenario.isTogether, 'all come to serve');
      await scenario.write(1, 3, 10);
      const others = site.nodes.slice(1);
      assert.equal(await scenario.stop(1, 4000), true);
      await scenario.until(() => scenario.serving.join() === others.join(), 'the others serve', 500);
      await scenario.write(2, 3, 11);
      await scenario.until(() => scenario.isTogether, 'all serve again');
      assert.equal(await scenario.read(1, 3), 11);
      assert.deepEqual(scenario.fullResyncs, []);
    });

    test(`${name}: all are stopped, one after the other, and start again`, async () => {
      const scenario = new Scenario({ site, journal });
      await scenario.until(() => scenario.isTogether, 'all come to serve');
      await scenario.write(1, 3, 10);
      for (const node of site.nodes) {
        // Of three the last two are no majority for one of them.
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await scenario.stop(node, 30_000);
        const left = site.nodes.filter((other) => other > node);
        // oxlint-disable-next-line no-await-in-loop
        if (scenario.serving.length > 0) await scenario.write(left[0]!, 3, 10 + node);
      }
      const value = scenario.contents(3).at(-1)!;
      await scenario.until(() => scenario.isTogether, 'all serve again', 120_000);
      assert.equal(await scenario.read(1, 3), value);
      assert.deepEqual(scenario.fullResyncs, []);
    });
  }

test('all are stopped at the same moment and start again: no resync at all', async () => {
  const scenario = new Scenario({ site: TWO, journal: 'failure' });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  await scenario.write(1, 3, 10);
  const stopped = await Promise.all(TWO.nodes.map((node) => scenario.stop(node, 5000)));
  assert.ok(stopped.includes(true));
  await scenario.until(() => scenario.isTogether, 'all serve again');
  assert.equal(await scenario.read(2, 3), 10);
  assert.deepEqual(scenario.fullResyncs, []);
});
