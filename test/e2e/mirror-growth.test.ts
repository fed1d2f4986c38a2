/**
 * Goal: a mirrored device grows while hosts read and write, on every node at once, and hosts are told; where that cannot be,
 * nothing changes. Method: nodes as real processes in network namespaces under a load that is judged; `lockstep device extend`;
 * another host that looks through each path by itself.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startAgain } from '../../src/management/drill/faults.ts';
import { copiesOf, type DrillNode, untilSynchronized } from '../../src/management/drill/site.ts';
import { device, shown } from './device-command.ts';
import { logsOf } from './cluster-nodes.ts';
import { type DrillCluster, startDrillCluster } from './drill-cluster.ts';
import { switchLacks } from './switch.ts';

const run = promisify(execFile);
const LIMIT_MS = 200_000;
const TOGETHER_MS_MAX = 60_000;
const MIB = 2 ** 20;
const SECTOR = 512;
const CHANGED = '6/2a/09';
const [ALPHA, BETA] = [0, 1];

/** No file of the node's engine becomes longer from now on. */
async function limitFiles({ process }: DrillNode, bytes: number | 'unlimited'): Promise<void> {
  const engine = process.ready!.pids[2]!;
  await run('prlimit', ['--pid', `${engine}`, `--fsize=${bytes}:`]);
}

/** Every host is told once through each path, and sees the same size. */
async function expectSize({ onlooker }: DrillCluster, bytes: number): Promise<void> {
  for (const path of [ALPHA, BETA]) {
    const look = await onlooker.look(path);
    assert.equal(look.bytes, bytes, `path ${path}`);
    assert.equal(
      look.attentions.filter((code) => code === CHANGED).length,
      1,
      `path ${path}: ${look.attentions.join()}`,
    );
    assert.deepEqual((await onlooker.look(path)).attentions, []);
  }
}

async function expectRefusals(node: DrillNode, bytes: number): Promise<void> {
  for (const [size, why] of [
    [
      `${bytes - MIB}`,
      /^lockstep: Device disk1 was not extended to \d+ bytes: a device never becomes smaller\.\n$/,
    ],
    [`${bytes + 100}`, /it is no multiple of its sector length 512\.\n$/],
    ['2000T', /node (alpha|beta) cannot follow: no device may be so large/],
  ] as const) {
    const refused = await device(node, 'extend', '--size', size);
    assert.deepEqual([refused.status, refused.out], [1, ''], size);
    assert.match(refused.err, why);
  }
  assert.equal((await shown(node)).bytes, bytes);
}

test('a mirrored device grows under load, or stays as it is', { timeout: LIMIT_MS }, async (t) => {
  const lack = await switchLacks();
  if (lack !== undefined) return t.skip(lack);
  const shape = { strategy: 'heartbeat', copies: 2, sector: SECTOR, size: '16M' } as const;
  await using cluster = await startDrillCluster(shape, { seed: 31, areaBytes: 16 * MIB });
  const { site, load, onlooker } = cluster;
  const [alpha, beta] = copiesOf(site) as [DrillNode, DrillNode];
  await load.beginPart();
  for (const path of [ALPHA, BETA]) assert.equal((await onlooker.look(path)).bytes, 16 * MIB);

  const grown = await device(beta, 'extend', '--size', '24M');
  assert.deepEqual(grown, { status: 0, out: 'Device disk1 has 24 MiB (25165824 bytes) now.\n', err: '' });
  await expectSize(cluster, 24 * MIB);
  const last = (24 * MIB) / SECTOR - 1;
  assert.equal(await onlooker.readBlock(BETA, last, SECTOR), 0);
  await onlooker.writeBlock(ALPHA, last, SECTOR, 7);
  assert.equal(await onlooker.readBlock(BETA, last, SECTOR), 7);
  await expectRefusals(alpha, 24 * MIB);

  await limitFiles(beta, 24 * MIB);
  const noRoom = await device(alpha, 'extend', '--size', '32M');
  await limitFiles(beta, 'unlimited');
  assert.equal(noRoom.status, 1);
  assert.match(
    noRoom.err,
    /^lockstep: Device disk1 was not extended to 33554432 bytes: node beta cannot follow: .+\.\n$/,
  );
  for (const node of [alpha, beta]) assert.equal((await shown(node)).bytes, 24 * MIB);
  for (const path of [ALPHA, BETA])
    assert.deepEqual(await onlooker.look(path), { attentions: [], bytes: 24 * MIB });

  await beta.process.kill();
  const alone = await device(alpha, 'extend', '--size', '32M');
  assert.equal(alone.status, 0, `${alone.err}\n${logsOf(site.nodes)}`);
  assert.equal((await onlooker.look(ALPHA)).bytes, 32 * MIB);
  await startAgain(beta);
  assert.ok(await untilSynchronized(site, TOGETHER_MS_MAX), logsOf(site.nodes));
  assert.equal((await onlooker.look(BETA)).bytes, 32 * MIB);
  for (const node of [alpha, beta]) {
    const { bytes, mirror } = await shown(node);
    assert.equal(bytes, 32 * MIB);
    assert.equal(mirror?.condition.word, 'synchronized');
  }
  assert.equal(await onlooker.readBlock(BETA, last, SECTOR), 7);
  assert.ok(await load.untilAllPaths(TOGETHER_MS_MAX));

  const { commands, failed, failures } = await load.part();
  assert.ok(commands > 0);
  assert.deepEqual([failed, ...failures], [0]);
  assert.equal(await load.judge(), undefined);
  assert.deepEqual(await cluster.end(), [], logsOf(site.nodes));
});
