/**
 * Goal: a node that has no CPU for less than a lease loses nothing, and hosts only wait: no session ends. Method: nodes under
 * load are frozen for a moment (SIGSTOP), again and again. Another moment without CPU may be added by a busy machine, and then
 * ends the sessions rightly: not in most of the rounds.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { copiesOf, type DrillNode, pause, untilSynchronized } from '../../src/management/drill/site.ts';
import { logsOf } from './cluster-nodes.ts';
import { startDrillCluster } from './drill-cluster.ts';
import { switchLacks } from './switch.ts';

const SHAPE = { strategy: 'heartbeat', copies: 2, sector: 4096, size: '16M' } as const;
const ROUNDS = 8;
/** Less than a lease, and less than others wait before they go on without a node (SUSPECT_MS). */
const FROZEN_MS = 650;
const BETWEEN_MS = 1500;
const TOGETHER_MS_MAX = 60_000;

test('nodes that stand still for a moment keep their sessions', { timeout: 120_000 }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  await using cluster = await startDrillCluster(SHAPE, { seed: 9 });
  const { site, load } = cluster;
  const copies = copiesOf(site);
  let undisturbed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = sessionsEnded(copies);
    const { process } = copies[round % copies.length]!;
    process.freeze();
    await pause(FROZEN_MS);
    process.thaw();
    await pause(BETWEEN_MS);
    if (sessionsEnded(copies) === before) undisturbed++;
  }
  t.diagnostic(`${undisturbed} of ${ROUNDS} rounds undisturbed`);
  assert.ok(undisturbed > ROUNDS / 2, logsOf(site.nodes));
  assert.ok(await untilSynchronized(site, TOGETHER_MS_MAX));
  assert.equal(await load.judge(), undefined);
  assert.deepEqual(await cluster.end(), []);
});

function sessionsEnded(nodes: readonly DrillNode[]): number {
  const ends = nodes.map(
    ({ logFile }) => readFileSync(logFile, 'utf8').split('"iscsi.connection.failed"').length,
  );
  return ends.reduce((sum, count) => sum + count, 0);
}
