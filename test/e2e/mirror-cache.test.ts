/**
 * Goal: with write-back caches in the memory of two nodes nothing that was acknowledged is lost when either is killed, and a stop
 * in order leaves nothing to be copied; also while caches come and go. Method: a demo cluster of real processes; QEMU's initiator; the images at the end.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type Cluster, type ClusterNode, startCluster } from './cluster.ts';
import { device } from './device-command.ts';
import { expectEqual, io, ioAfterLoss } from './qemu-io.ts';

const run = promisify(execFile);
const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const LIMIT_MS = 240_000;
const MEMORY = 16 * 2 ** 20;

/** What each resync since the node was started again had to look at, in chunks. */
function chunksCopied({ log }: ClusterNode): number[] {
  const events = log
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { readonly event: string; readonly chunks?: number });
  assert.ok(events.some(({ event }) => event === 'mirror.installed'));
  return events.flatMap(({ event, chunks }) =>
    event === 'mirror.resync.begins' ? (chunks ?? Infinity) : [],
  );
}

test('write-back caches: killed nodes lose nothing, and stopped ones have nothing to copy', {
  timeout: LIMIT_MS,
}, async () => {
  await using cluster = await startCluster('127.0.26.1', ['--size', '64M', '--cache', 'wb:16M']);
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  await io(a, 'write -P 1 0 1M', 'write -P 2 3M 64k', 'read -P 1 0 1M');
  const cached = await cluster.cache(a);
  assert.ok(cached !== undefined && cached.memory <= MEMORY && cached.memory > 0.9 * MEMORY);
  await io(b, 'read -P 1 0 1M', 'read -P 2 3M 64k', 'write -P 3 512k 4k');

  // Nobody has flushed: the killed node takes what its cache had with it, and the other writes its own out.
  b.kill();
  await ioAfterLoss(a, 'read -P 3 512k 4k', 'read -P 2 3M 64k', 'write -P 4 8M 2M');
  const alone = await cluster.cache(a);
  assert.deepEqual([alone?.mode, alone?.dirty], ['through', 0]);
  await b.start();
  await cluster.together([a, b], 2);
  assert.equal((await cluster.cache(b))?.mode, 'back');
  a.kill();
  await ioAfterLoss(b, 'read -P 1 0 512k', 'read -P 3 512k 4k', 'read -P 4 8M 2M', 'write -P 5 20M 64k');
  await a.start();
  await cluster.together([a, b], 2);

  await io(a, 'write -P 6 30M 1M', 'write -P 7 40M 64k');
  await Promise.all([a.stop(), b.stop()]);
  await expectEqual(a, b);
  await Promise.all([a.start(), b.start()]);
  await cluster.together([a, b], 2);
  for (const node of [a, b])
    assert.ok(
      chunksCopied(node).every((chunks) => chunks === 0),
      node.log.join('\n'),
    );
  await io(
    b,
    'read -P 6 30M 1M',
    'read -P 7 40M 64k',
    'read -P 5 20M 64k',
    'read -P 4 8M 2M',
    'read -P 1 0 512k',
  );
});

/** What `device set cache=` says. */
async function resized(node: ClusterNode, size: string): Promise<string> {
  const { status, out, err } = await device(node, 'set', `cache=${size}`);
  assert.equal(status, 0, err);
  return out;
}

/** Statistics come once a second. */
async function memoryOf(cluster: Cluster, node: ClusterNode, isRight: (memory: number) => boolean) {
  for (const until = performance.now() + 10_000; performance.now() < until; ) {
    const memory = (await cluster.cache(node))?.memory ?? 0;
    if (isRight(memory)) return;
    await new Promise((again) => setTimeout(again, 200));
  }
  assert.fail(`node ${node.name} has ${JSON.stringify(await cluster.cache(node))}`);
}

test('the cache of one node changes while the device is served, holds over a restart, and loses nothing', {
  timeout: LIMIT_MS,
}, async () => {
  await using cluster = await startCluster('127.0.27.1', ['--size', '64M', '--cache', 'wb:16M']);
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  await io(a, 'write -P 1 0 4M', 'write -P 2 8M 64k');
  assert.equal(await resized(a, 'none'), 'Device disk1: cache of this node is none (was 16 MiB)\n');
  await io(a, 'read -P 1 0 4M', 'read -P 2 8M 64k', 'write -P 3 1M 64k');
  await memoryOf(cluster, a, (memory) => memory === 0);
  // The other node has its own.
  await memoryOf(cluster, b, (memory) => memory > 0.9 * MEMORY);
  assert.equal(await resized(b, '2M'), 'Device disk1: cache of this node is 2 MiB (was 16 MiB)\n');
  await io(b, 'read -P 1 0 1M', 'read -P 3 1M 64k', 'write -P 4 16M 4M');

  a.kill();
  await ioAfterLoss(b, 'read -P 4 16M 4M', 'read -P 2 8M 64k');
  await a.start();
  await cluster.together([a, b], 2);
  await memoryOf(cluster, a, (memory) => memory === 0);
  await memoryOf(cluster, b, (memory) => memory > 0 && memory <= 2 * 2 ** 20);
  await Promise.all([a.stop(), b.stop()]);
  await expectEqual(a, b);
  await Promise.all([a.start(), b.start()]);
  await cluster.together([a, b], 2);
  await memoryOf(cluster, b, (memory) => memory > 0 && memory <= 2 * 2 ** 20);
  assert.equal(await resized(a, '8M'), 'Device disk1: cache of this node is 8 MiB (was none)\n');
  await io(
    a,
    'read -P 1 0 1M',
    'read -P 3 1M 64k',
    'read -P 4 16M 4M',
    'write -P 5 0 64k',
    'read -P 5 0 64k',
  );

  const { status, err } = await device(a, 'set', 'cache=900T');
  assert.equal(status, 1);
  assert.match(err, /^lockstep: The cache of device disk1 was not changed: caches take 900 TiB, and at most/);
});

test('a drill with write-back caches does not kill all nodes at once', async () => {
  const drill = run(PROGRAM, ['drill', '--cache', 'wb:16M'], { timeout: LIMIT_MS });
  await assert.rejects(drill, {
    code: 2,
    stderr: /an outage of all nodes at once loses what was not flushed/,
  });
});
