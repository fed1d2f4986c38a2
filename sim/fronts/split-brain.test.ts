/**
 * Goal: where both sides of a cut may go on (heartbeat, policy `continue`), a split brain is found when they meet again,
 * nothing of either side is overwritten before someone chooses, and what the other side held is kept. Method: the mirror
 * itself over simulated disks and links, driven by hand.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { copyOf } from '../../src/base/segments.ts';
import type { JournalStrategy } from '../../src/journal/recovery.ts';
import { decodeBlocks } from '../../src/judge/block-codec.ts';
import { BLOCK_LENGTH, lbaOf } from './mirror-layout.ts';
import { Scenario } from './scenario.ts';

const SITE = { nodes: [1, 2], strategy: { kind: 'heartbeat', policy: 'continue' } } as const;
const FIRST = 3;
/** In another chunk than FIRST. */
const OTHER = 150;
const LEASE_AND_MORE_MS = 8000;

async function split(journal: JournalStrategy = 'failure') {
  const scenario = new Scenario({ site: SITE, journal });
  await scenario.until(() => scenario.serving.length === 2, 'both come to serve');
  await scenario.write(1, FIRST, 10);
  await scenario.write(2, OTHER, 11);
  const heal = scenario.cut(1, 2);
  await scenario.pass(LEASE_AND_MORE_MS);
  assert.deepEqual(scenario.serving, [1, 2], 'both go on, each alone');
  return { scenario, heal };
}

async function conflict(journal?: JournalStrategy): Promise<Scenario> {
  const { scenario, heal } = await split(journal);
  await scenario.write(1, FIRST, 21);
  await scenario.write(2, FIRST, 22);
  await scenario.write(2, OTHER, 32);
  heal();
  await scenario.until(() => scenario.serving.join() === '1', 'the one with the lower priority stops');
  assert.equal(scenario.mirror(2).membership.role, 'diverged');
  // The other one hears of that with the next beat.
  await scenario.pass(500);
  return scenario;
}

/** Chunk → what its blocks held, by the place in the device. */
async function kept(scenario: Scenario, node: number): Promise<ReadonlyMap<number, number>> {
  const blocks = new Map<number, number>();
  const chunks = await scenario.result(
    scenario.mirror(node).divergence.keep({
      keep: (chunk, data) => {
        const perChunk = 65_536 / BLOCK_LENGTH;
        for (const [at, value] of decodeBlocks(copyOf(data), BLOCK_LENGTH).entries())
          blocks.set(chunk * perChunk + at, value);
        return Promise.resolve(true);
      },
      finish: () => Promise.resolve(true),
    }),
  );
  assert.ok(chunks !== undefined && chunks.length > 0);
  return blocks;
}

const at = (block: number): number => lbaOf(block, { dataBlocks: 200, islandBlocks: Infinity });

test('one side only was written: the other one learns from it, whatever the numbers are', async () => {
  for (const writer of [1, 2]) {
    const { scenario, heal } = await split();
    await scenario.write(writer, FIRST, 20);
    heal();
    await scenario.until(() => scenario.isTogether, 'both serve together');
    await scenario.pass(1000);
    assert.deepEqual(scenario.contents(FIRST), [20, 20]);
    assert.equal(await scenario.read(3 - writer, FIRST), 20);
    assert.ok(!scenario.events.includes('mirror.splitBrain'));
  }
});

test('a split brain is found, and neither side is overwritten', async () => {
  const scenario = await conflict();
  assert.ok(scenario.events.includes('mirror.splitBrain'));
  await scenario.pass(30_000);
  assert.deepEqual(scenario.serving, [1]);
  assert.deepEqual(scenario.contents(FIRST), [21, 22]);
  assert.deepEqual(scenario.contents(OTHER), [11, 32]);
  await scenario.write(1, FIRST, 23);
  assert.deepEqual(scenario.contents(FIRST), [23, 22]);
});

test('it is still one after both were restarted, alone or together', async () => {
  const scenario = await conflict();
  scenario.crash(2);
  await scenario.pass(5000);
  scenario.restart(2);
  await scenario.pass(10_000);
  assert.deepEqual(scenario.serving, [1]);
  assert.equal(scenario.mirror(2).membership.role, 'diverged');
  scenario.crash(1);
  await scenario.pass(20_000);
  assert.deepEqual(scenario.serving, [], 'the side that stopped does not go on when the other one is gone');
  scenario.restart(1);
  await scenario.until(() => scenario.serving.join() === '1', 'the first goes on');
  assert.deepEqual(scenario.contents(FIRST), [21, 22]);
});

test('without keeping what the loser holds nobody can be chosen', async () => {
  const scenario = await conflict();
  scenario.mirror(1).membership.proposer.resolve(1);
  await scenario.pass(10_000);
  await scenario.until(() => scenario.serving.join() === '1', 'the first goes on');
  assert.deepEqual(scenario.contents(FIRST), [21, 22]);
});

for (const journal of ['ram', 'failure', 'continuous'] as const)
  test(`${journal}: the side that serves is chosen: the other one is kept, then learns`, async () => {
    const scenario = await conflict(journal);
    const blocks = await kept(scenario, 2);
    assert.deepEqual([blocks.get(at(FIRST)), blocks.get(at(OTHER))], [22, 32]);
    scenario.mirror(1).membership.proposer.resolve(1);
    await scenario.until(() => scenario.serving.length === 2, 'both serve again');
    await scenario.pass(1000);
    assert.deepEqual(scenario.contents(FIRST), [21, 21]);
    assert.deepEqual(scenario.contents(OTHER), [11, 11]);
  });

for (const isRestarted of [false, true])
  test(`the side that stopped is chosen${isRestarted ? ', after a restart' : ''}`, async () => {
    const scenario = await conflict();
    await scenario.write(1, OTHER, 31);
    if (isRestarted) {
      scenario.crash(2);
      scenario.restart(2);
      await scenario.pass(5000);
    }
    assert.equal(scenario.mirror(1).membership.standDown(), true);
    await scenario.pass(1000);
    assert.deepEqual(scenario.serving, []);
    const blocks = await kept(scenario, 1);
    assert.deepEqual([blocks.get(at(FIRST)), blocks.get(at(OTHER))], [21, 31]);
    scenario.mirror(2).membership.proposer.resolve(2);
    await scenario.until(() => scenario.serving.length === 2, 'both serve again');
    await scenario.pass(1000);
    assert.deepEqual(scenario.contents(FIRST), [22, 22]);
    assert.deepEqual(scenario.contents(OTHER), [32, 32]);
  });

test('where nobody has diverged nobody stands down, and no copy that is behind is chosen', async () => {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'both come to serve');
  assert.equal(scenario.mirror(1).membership.standDown(), false);
  scenario.crash(2);
  await scenario.until(() => scenario.serving.join() === '1', 'the first goes on');
  await scenario.write(1, FIRST, 40);
  const heal = scenario.cut(1, 2);
  scenario.restart(2);
  await scenario.pass(3000);
  heal();
  scenario.mirror(1).membership.proposer.resolve(2);
  await scenario.until(() => scenario.isTogether, 'both serve together');
  assert.deepEqual(scenario.contents(FIRST), [40, 40]);
});
