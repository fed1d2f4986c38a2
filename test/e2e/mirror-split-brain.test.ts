/**
 * Goal: where both sides of a cut go on, the split brain is told when they meet again, an administrator chooses, and what is given up
 * is kept. Method: nodes as real processes in network namespaces, with isolation policy `continue`; all that they send each other
 * is lost for a while, and both are written; `lockstep device conflict` and `resolve`; each side is chosen once.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Conflict, Resolved } from '../../src/engine/split-brain.ts';
import { copiesOf, type DrillNode, pause, untilSynchronized } from '../../src/management/drill/site.ts';
import { device, shown } from './device-command.ts';
import { logsOf } from './cluster-nodes.ts';
import { type DrillCluster, startDrillCluster } from './drill-cluster.ts';
import { switchLacks } from './switch.ts';

const LIMIT_MS = 240_000;
const LOOKS_MS_MAX = 40_000;
const LOOK_MS = 300;
const SECTOR = 512;
const [ALPHA, BETA] = [0, 1];
const CHUNK_BLOCKS = 65_536 / SECTOR;
/** In the first chunk, and in the tenth. */
const [FIRST, OTHER] = [0, 10 * CHUNK_BLOCKS];

async function until(
  { site }: DrillCluster,
  what: string,
  holds: (node: DrillNode) => Promise<boolean>,
): Promise<void> {
  const limit = performance.now() + LOOKS_MS_MAX;
  for (const node of copiesOf(site))
    while (!(await holds(node))) {
      assert.ok(performance.now() < limit, `${node.name}: not ${what}\n${logsOf(site.nodes)}`);
      await pause(LOOK_MS);
    }
}

/** Both write the first chunk, beta another one, too. */
async function split(cluster: DrillCluster, values: readonly [alpha: number, beta: number]): Promise<void> {
  const { site, onlooker } = cluster;
  const nodes = copiesOf(site);
  for (const { name } of nodes) await site.network!.cutFrom(name);
  await until(cluster, 'alone', async (node) => {
    const { mirror } = await shown(node);
    return mirror!.isServing && mirror!.members.length === 1;
  });
  for (const path of [ALPHA, BETA]) await onlooker.look(path);
  await onlooker.writeBlock(ALPHA, FIRST, SECTOR, values[ALPHA]!);
  await onlooker.writeBlock(BETA, FIRST, SECTOR, values[BETA]!);
  await onlooker.writeBlock(BETA, OTHER, SECTOR, values[BETA]!);
  for (const { name } of nodes) await site.network!.heal(name);
  await until(cluster, 'diverged', async (node) => (await shown(node)).mirror!.condition.word === 'diverged');
}

async function expectBlocks({ site, onlooker }: DrillCluster, first: number, other: number): Promise<void> {
  assert.ok(await untilSynchronized(site, LOOKS_MS_MAX), logsOf(site.nodes));
  for (const path of [ALPHA, BETA]) {
    await onlooker.look(path);
    assert.equal(await onlooker.readBlock(path, FIRST, SECTOR), first);
    assert.equal(await onlooker.readBlock(path, OTHER, SECTOR), other);
  }
}

function expectKept(resolved: Resolved, node: string, chunks: readonly number[], value: number): void {
  const [given] = resolved.givenUp;
  assert.ok(given !== undefined && resolved.givenUp.length === 1);
  assert.equal(given.node, node);
  const list = JSON.parse(readFileSync(`${given.file}.json`, 'utf8')) as { chunks: number[] };
  assert.equal(list.chunks.length, given.chunks);
  for (const chunk of chunks)
    assert.ok(list.chunks.includes(chunk), `chunk ${chunk} of ${list.chunks.join()}`);
  const bytes = readFileSync(given.file);
  for (const chunk of chunks) assert.equal(bytes[chunk * 65_536], value);
}

test('a split brain is told, and either side can be chosen', { timeout: LIMIT_MS }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  const shape = {
    strategy: 'heartbeat',
    isolation: 'continue',
    copies: 2,
    sector: SECTOR,
    size: '16M',
  } as const;
  await using cluster = await startDrillCluster(shape, { seed: 41, isIdle: true });
  const [alpha, beta] = copiesOf(cluster.site) as [DrillNode, DrillNode];
  for (const path of [ALPHA, BETA]) await cluster.onlooker.look(path);
  await cluster.onlooker.writeBlock(ALPHA, OTHER, SECTOR, 1);
  const none = await device(beta, 'conflict');
  assert.deepEqual(
    [none.status, none.out],
    [0, 'Device disk1 has no split brain, as far as its nodes tell.\n'],
  );
  assert.equal((await device(beta, 'resolve', '--keep', 'beta', '--yes')).status, 1);

  await split(cluster, [11, 22]);
  const { sides } = JSON.parse((await device(beta, 'conflict', '--json')).out) as Conflict;
  assert.deepEqual(
    sides.map(({ node, isServing }) => [node, isServing]),
    [
      ['alpha', true],
      ['beta', false],
    ],
  );
  assert.ok(sides[0]!.chunks >= 1 && sides[1]!.chunks >= 2, JSON.stringify(sides));
  assert.ok(sides.every(({ since, epoch }) => since !== undefined && since < epoch));

  const unsaid = await device(alpha, 'resolve', '--keep', 'beta');
  assert.deepEqual([unsaid.status, unsaid.out], [2, '']);
  // The chunk that it wrote alone, and perhaps the one that it wrote before, which the journal still has marked.
  assert.match(
    unsaid.err,
    /node alpha gives up what it changed, up to (64 KiB \(1 chunk\)|128 KiB \(2 chunks\)), since epoch \d+;/,
  );
  assert.match(unsaid.err, /was left as it is: say --yes/);
  assert.equal((await device(alpha, 'resolve', '--keep', 'gamma', '--yes')).status, 1);
  assert.equal((await shown(beta)).mirror!.condition.word, 'diverged');

  const first = await device(alpha, 'resolve', '--keep', 'beta', '--yes', '--json');
  assert.equal(first.status, 0, `${first.err}\n${logsOf(cluster.site.nodes)}`);
  expectKept(JSON.parse(first.out) as Resolved, 'alpha', [0], 11);
  await expectBlocks(cluster, 22, 22);

  await split(cluster, [33, 44]);
  const second = await device(alpha, 'resolve', '--keep', 'alpha', '--yes', '--json');
  assert.equal(second.status, 0, `${second.err}\n${logsOf(cluster.site.nodes)}`);
  expectKept(JSON.parse(second.out) as Resolved, 'beta', [0, 10], 44);
  await expectBlocks(cluster, 33, 22);
  assert.deepEqual(await cluster.end(), [], logsOf(cluster.site.nodes));
});
