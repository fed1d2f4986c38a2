/**
 * Goal: all nodes are stopped and started one after the other while hosts read and write, and no command fails; a node that hosts
 * could not go on without is not stopped. Method: nodes as real processes in network namespaces under a load that is judged;
 * `lockstep node stop`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fault, startAgain } from '../../src/management/drill/faults.ts';
import { copiesOf, type DrillNode, pause, untilSynchronized } from '../../src/management/drill/site.ts';
import { stopNode } from './device-command.ts';
import { logsOf } from './cluster-nodes.ts';
import { startDrillCluster } from './drill-cluster.ts';
import { runDrill } from './run-drill.ts';
import { switchLacks } from './switch.ts';

const LIMIT_MS = 200_000;
const TIMES = { awayMs: 1000, frozenMs: 0 };
const TOGETHER_MS_MAX = 60_000;
const TAKEOVER_MS = 6000;
/** Nothing is lost and nobody waits for leases; a busy machine gets more. */
const STALL_MS_MAX = 6000;

const MAINTENANCE: Fault = {
  name: 'maintenance',
  title: 'node stopped for maintenance and started again',
  needs: 'processes',
  leavesPath: true,
  async run({ nodes }, victim, { awayMs }) {
    const stopped = await stopNode(victim);
    assert.deepEqual(
      stopped,
      { status: 0, out: `Node ${victim.name} has stopped.\n`, err: '' },
      logsOf(nodes),
    );
    assert.ok(!victim.process.isRunning);
    await pause(awayMs);
    await startAgain(victim);
  },
};

async function expectRefused(node: DrillNode, why: RegExp): Promise<void> {
  const refused = await stopNode(node);
  assert.deepEqual([refused.status, refused.out], [1, '']);
  assert.match(refused.err, /^lockstep: Node \w+ was not stopped, since hosts would lose devices:\n/);
  assert.match(refused.err, why);
  assert.ok(node.process.isRunning);
}

test('a rolling restart of three nodes under load', { timeout: LIMIT_MS }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  const shape = { strategy: 'majority', copies: 3, sector: 512, size: '16M' } as const;
  await using cluster = await startDrillCluster(shape, { seed: 51 });
  const reports = await runDrill(t, cluster, {
    faults: [MAINTENANCE, MAINTENANCE, MAINTENANCE],
    times: TIMES,
    firstVictim: 0,
  });
  assert.equal(reports.length, 3);
  for (const { victim, measured, fullResyncs } of reports) {
    assert.equal(measured.failed, 0, victim);
    assert.equal(fullResyncs, 0, victim);
    assert.ok(measured.stallMs < STALL_MS_MAX, `${victim}: ${measured.stallMs} ms`);
  }
});

test('who has the last copy, or a vote that is needed, is not stopped', { timeout: LIMIT_MS }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  const shape = { strategy: 'majority', copies: 2, witness: 'node', sector: 512, size: '16M' } as const;
  await using cluster = await startDrillCluster(shape, { seed: 52 });
  const { site } = cluster;
  const [alpha, beta] = copiesOf(site) as [DrillNode, DrillNode];
  const witness = site.nodes.find(({ isWitness }) => isWitness)!;
  await beta.process.kill();
  await pause(TAKEOVER_MS);
  await expectRefused(
    alpha,
    /Device disk1 has no other synchronized copy: beta is away or not up to date\.\n/,
  );
  await expectRefused(
    witness,
    /Device disk1 would have no majority without this node: 1 of 3 votes are left\.\n/,
  );
  await startAgain(beta);
  assert.ok(await untilSynchronized(site, TOGETHER_MS_MAX), logsOf(site.nodes));
  assert.equal((await stopNode(witness)).status, 0);
  await pause(TAKEOVER_MS);
  await expectRefused(beta, /would have no majority without this node: 1 of 3 votes are left/);
  await startAgain(witness);
  await pause(TAKEOVER_MS);
  assert.equal((await stopNode(beta)).status, 0);
  const forced = await stopNode(alpha, '--force');
  assert.deepEqual(forced, { status: 0, out: 'Node alpha has stopped.\n', err: '' });
});
