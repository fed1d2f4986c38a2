/**
 * Goal: a device grows on all nodes that serve it or on none, whatever happens between two steps, and who was away grows when
 * it comes back. Method: the mirror in the simulator, driven by hand.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Site } from '../../src/cluster/configuration.ts';
import { NEW_DEVICE } from '../worker.ts';
import { BLOCK_LENGTH, DEVICE_BLOCKS, DEVICE_BLOCKS_MAX, newBlocksOf, newLbaOf } from './mirror-layout.ts';
import { Scenario } from './scenario.ts';

const TWO: Site = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'suspendLow' } };
const THREE: Site = { nodes: [1, 2, 3], strategy: { kind: 'majority', witness: undefined } };
const LARGER = newLbaOf(9) + 1;
const DONE = { ok: true, value: undefined };

async function together(options: ConstructorParameters<typeof Scenario>[0]): Promise<Scenario> {
  const mirror = new Scenario(options);
  await mirror.until(() => mirror.isTogether, 'they come together');
  return mirror;
}

const sizesOf = (mirror: Scenario, nodes: readonly number[]): number[] =>
  nodes.map((node) => mirror.mirror(node).geometry.blockCount);

async function written(mirror: Scenario, node: number, block: number, value: number): Promise<void> {
  const command = { kind: 'write', lba: block, values: [value] } as const;
  assert.deepEqual(await mirror.command(node, command, NEW_DEVICE), { status: 'good', values: [] });
}

async function read(mirror: Scenario, node: number, block: number): Promise<unknown> {
  const answer = await mirror.command(node, { kind: 'read', lba: block, blocks: 1 }, NEW_DEVICE);
  // A node that is about to begin the next configuration does not know yet how large the device is.
  if (answer?.status === 'unavailable') return read(mirror, node, block);
  return answer?.status === 'good' ? answer.values[0] : answer?.status;
}

for (const journal of ['ram', 'failure', 'continuous'] as const)
  for (const policy of ['through', 'back'] as const)
    describe(`journal ${journal}, write ${policy}`, () => {
      test('it grows on all nodes, and its new blocks are zeros and can be written through each', async () => {
        const mirror = await together({ site: THREE, journal, policy });
        assert.equal(await read(mirror, 2, 0), 'outOfRange');
        assert.deepEqual(await mirror.result(mirror.mirror(2).grow(LARGER)), DONE);
        assert.deepEqual(sizesOf(mirror, [1, 2, 3]), [LARGER, LARGER, LARGER]);
        assert.equal(await read(mirror, 1, 9), 0);
        await written(mirror, 3, 9, 77);
        assert.equal(await read(mirror, 1, 9), 77);
        assert.equal(await read(mirror, 1, 10), 'outOfRange');
      });

      test('who was away grows when it comes back, and learns what was written there; its disk held something else', async () => {
        const mirror = await together({ site: TWO, journal, policy });
        await mirror.write(1, 3, 5);
        mirror.crash(2);
        mirror.leaveBehind(2);
        await mirror.until(() => mirror.serving.join() === '1', 'node 1 goes on');
        assert.deepEqual(await mirror.result(mirror.mirror(1).grow(LARGER)), DONE);
        await written(mirror, 1, 4, 78);
        mirror.restart(2);
        await mirror.until(() => mirror.isTogether, 'node 2 has learnt');
        assert.deepEqual(sizesOf(mirror, [1, 2]), [LARGER, LARGER]);
        const content = [1, 2].map((node) => mirror.newContents(node));
        assert.deepEqual(content[0], [0, 0, 0, 0, 78, 0, 0, 0, 0, 0]);
        assert.deepEqual(content[1], content[0]);
        assert.equal(await mirror.read(2, 3), 5);
        assert.deepEqual(mirror.fullResyncs, [], 'the journal knew what had changed');
      });

      test('after an outage of all it is as large, and the journal of the larger device tells what to compare', async () => {
        const mirror = await together({ site: TWO, journal, policy });
        assert.deepEqual(await mirror.result(mirror.mirror(1).grow(DEVICE_BLOCKS_MAX)), DONE);
        await written(mirror, 2, 40, 79);
        assert.ok(await mirror.stop(2, 500));
        await mirror.until(() => mirror.serving.join() === '1', 'node 1 goes on');
        await written(mirror, 1, 41, 80);
        await mirror.until(() => mirror.isTogether, 'node 2 is back');
        assert.deepEqual(mirror.fullResyncs, []);
        assert.equal(await read(mirror, 2, 41), 80);
        await Promise.all([mirror.stop(1, 800), mirror.stop(2, 800)]);
        await mirror.until(() => mirror.isTogether, 'both are back');
        assert.deepEqual(sizesOf(mirror, [1, 2]), [DEVICE_BLOCKS_MAX, DEVICE_BLOCKS_MAX]);
        assert.deepEqual([await read(mirror, 1, 40), await read(mirror, 2, 41)], [79, 80]);
      });
    });

test('a node that has no room: nothing changes, and the answer names it and why', async () => {
  const mirror = await together({ site: THREE });
  mirror.conditions(3).noSpace = true;
  const why = `node 3 cannot follow: there is no room for ${LARGER * BLOCK_LENGTH} bytes where disk 1000 of host 2 lies`;
  assert.deepEqual(await mirror.result(mirror.mirror(1).grow(LARGER)), { ok: false, fault: why });
  assert.deepEqual(sizesOf(mirror, [1, 2, 3]), [DEVICE_BLOCKS, DEVICE_BLOCKS, DEVICE_BLOCKS]);
  assert.ok(mirror.isTogether);
  mirror.conditions(3).noSpace = false;
  assert.deepEqual(await mirror.result(mirror.mirror(1).grow(LARGER)), DONE);
});

test('a medium that ends says how long it is', async () => {
  const mirror = await together({ site: TWO });
  const grown = await mirror.result(mirror.mirror(1).grow(DEVICE_BLOCKS_MAX + 1));
  assert.ok(!grown.ok && grown.fault.includes('enlarge it first') && grown.fault.startsWith('node 1'));
});

test('it never becomes smaller; as large as it is, is a success; two at once through one node are refused', async () => {
  const mirror = await together({ site: TWO });
  assert.deepEqual(await mirror.result(mirror.mirror(1).grow(DEVICE_BLOCKS)), DONE);
  const both = [mirror.mirror(1).grow(LARGER), mirror.mirror(1).grow(LARGER)];
  assert.deepEqual(await mirror.result(Promise.all(both)), [
    DONE,
    { ok: false, fault: 'it is being extended already' },
  ]);
  const smaller = await mirror.result(mirror.mirror(2).grow(LARGER - 1));
  assert.deepEqual(smaller, { ok: false, fault: 'a device never becomes smaller' });
});

test('of two through two nodes the larger size holds at last', async () => {
  const mirror = await together({ site: THREE });
  const both = [mirror.mirror(1).grow(LARGER), mirror.mirror(2).grow(LARGER + 50)];
  const [, larger] = await mirror.result(Promise.all(both));
  assert.deepEqual(larger, DONE);
  await mirror.until(() => mirror.isTogether, 'all agree');
  assert.deepEqual(sizesOf(mirror, [1, 2, 3]), [LARGER + 50, LARGER + 50, LARGER + 50]);
});

test('through a node that does not serve it is refused, with what to do', async () => {
  const mirror = await together({ site: THREE });
  const mend = [mirror.cut(3, 1), mirror.cut(3, 2)];
  await mirror.until(() => mirror.serving.join() === '1,2', 'node 3 is left out');
  const refused = await mirror.result(mirror.mirror(3).grow(LARGER));
  assert.deepEqual(refused, {
    ok: false,
    fault: 'this node does not serve it now: ask another node, or try again later',
  });
  for (const heal of mend) heal();
});

test('whenever a node dies meanwhile, or the one that was asked, all end with one size, which an answer has told', async () => {
  for (const victim of [1, 2])
    for (let at = 1; at < 60; at += 7) {
      // oxlint-disable-next-line no-await-in-loop -- one run after the other
      await dies(victim, at);
    }
});

async function dies(victim: number, at: number): Promise<void> {
  const mirror = await together({ site: THREE });
  let told: boolean | undefined;
  void mirror
    .mirror(1)
    .grow(LARGER)
    .then(({ ok }) => (told = ok));
  await mirror.pass(at);
  const toldBefore = told;
  mirror.crash(victim);
  await mirror.pass(4000);
  mirror.restart(victim);
  await mirror.until(() => mirror.isTogether, `all are back, after ${victim} died at ${at}`);
  await mirror.pass(2000);
  const [first, ...others] = sizesOf(mirror, [1, 2, 3]);
  assert.ok(
    others.every((size) => size === first),
    `one size, after ${victim} died at ${at}`,
  );
  assert.ok(first === DEVICE_BLOCKS || first === LARGER);
  if ((victim === 1 ? toldBefore : told) === true) assert.equal(first, LARGER);
  const expected = newBlocksOf(first) > 0 ? 0 : 'outOfRange';
  assert.equal(await read(mirror, 2, 0), expected);
}
