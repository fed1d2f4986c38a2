/**
 * Goal: a mirrored device is one disk through every node, and stays so while nodes are killed, stopped and come back.
 * Method: a demo cluster of real processes on loopback addresses; QEMU's initiator writes through one node and reads through
 * another; at the end the nodes stop in order and their image files are compared.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { type ClusterNode, startCluster } from './cluster.ts';
import { expectEqual, io, ioAfterLoss } from './qemu-io.ts';

const run = promisify(execFile);
const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const LIMIT_MS = 120_000;
const COMMAND_MS_MAX = 20_000;
const SIZE = '64M';
const PIECE = 1024 * 1024;

interface LinkLine {
  readonly roundTripMs?: number;
  readonly bytesPerSecond?: number;
  readonly fault?: string;
}

/** What `lockstep cluster check` says; its exit status has to be 1 where a link does not work. */
async function checkLinks({ image }: ClusterNode): Promise<readonly LinkLine[]> {
  const args = ['cluster', 'check', '--config', join(dirname(image), 'node.toml'), '--json'];
  const { stdout, code } = await run(PROGRAM, args, { timeout: COMMAND_MS_MAX }).then(
    ({ stdout: text }) => ({ stdout: text, code: 0 }),
    (error: { readonly stdout: string; readonly code: number }) => error,
  );
  const { links } = JSON.parse(stdout) as { links: readonly LinkLine[] };
  assert.equal(code, links.some(({ fault }) => fault !== undefined) ? 1 : 0);
  return links;
}

/** The same configuration, but for a folder that is not there. */
async function withoutCertificates({ image }: ClusterNode): Promise<string> {
  const config = await readFile(join(dirname(image), 'node.toml'), 'utf8');
  const file = join(dirname(image), 'without.toml');
  await writeFile(file, config.replace('certificates = "certificates"', 'certificates = "nowhere"'), {
    mode: 0o600,
  });
  return file;
}

test('what is written through one of two nodes is read through the other, whichever of them is killed', {
  timeout: LIMIT_MS,
}, async () => {
  await using cluster = await startCluster('127.0.20.1', ['--size', SIZE]);
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  await io(a, 'write -P 1 0 1M', 'write -P 2 3M 64k');
  await io(b, 'read -P 1 0 1M', 'read -P 2 3M 64k', 'write -P 3 512k 4k');
  await io(a, 'read -P 3 512k 4k', 'read -P 1 516k 4k');

  const links = await checkLinks(a);
  assert.equal(links.length, 2);
  for (const link of links)
    assert.ok(link.roundTripMs! > 0 && link.bytesPerSecond! > PIECE, JSON.stringify(link));

  await assert.rejects(run(PROGRAM, ['cluster', 'check', '--config', await withoutCertificates(a)]), {
    code: 2,
    stderr: /The links cannot be checked: the certificates in .*nowhere cannot be used: ENOENT/,
  });

  b.kill();
  for (const { fault } of await checkLinks(a)) assert.match(fault!, /cannot be reached: .*ECONNREFUSED/);
  await ioAfterLoss(a, 'write -P 4 8M 2M', 'discard 0 64k');
  await b.start();
  await cluster.together([a, b], 2);
  await io(b, 'read -P 4 8M 2M', 'read -P 0 0 64k', 'write -P 5 20M 64k');

  a.kill();
  await ioAfterLoss(b, 'read -P 5 20M 64k', 'write -P 6 21M 4k');
  await a.start();
  await cluster.together([a, b], 2);
  await io(a, 'read -P 6 21M 4k', 'read -P 5 20M 64k', 'read -P 4 8M 2M');

  await Promise.all([a.stop(), b.stop()]);
  await expectEqual(a, b);
});

test('nodes stop and start in order, one by one and all', { timeout: LIMIT_MS }, async () => {
  await using cluster = await startCluster('127.0.22.1', [
    '--size',
    SIZE,
    '--nodes',
    '3',
    '--strategy',
    'majority',
  ]);
  const { nodes } = cluster;
  const [a, b, c] = nodes as [ClusterNode, ClusterNode, ClusterNode];
  await io(a, 'write -P 1 0 1M');
  for (const node of nodes) {
    await node.stop();
    await ioAfterLoss(node === a ? b : a, 'write -P 7 5M 64k', 'read -P 1 0 64k');
    await node.start();
    await cluster.together(nodes, 3);
  }
  await Promise.all(nodes.map((node) => node.stop()));
  await expectEqual(a, c);
  await Promise.all(nodes.map((node) => node.start()));
  await cluster.together(nodes, 3);
  await io(c, 'read -P 1 0 1M', 'read -P 7 5M 64k');
});

test('of two nodes with a witness either goes on alone', { timeout: LIMIT_MS }, async () => {
  await using cluster = await startCluster('127.0.24.1', ['--size', SIZE, '--strategy', 'majority']);
  const [a, b] = cluster.nodes as [ClusterNode, ClusterNode];
  await io(b, 'write -P 1 0 64k');
  a.kill();
  await ioAfterLoss(b, 'write -P 2 64k 64k', 'read -P 1 0 64k');
  await a.start();
  await cluster.together([a, b], 2);
  b.kill();
  await ioAfterLoss(a, 'read -P 2 64k 64k', 'read -P 1 0 64k', 'write -P 3 1M 4k');
});
