/** QEMU's initiator at a node of a demo cluster, and the copies that nodes leave behind. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ClusterNode } from './cluster.ts';

const run = promisify(execFile);
const COMMAND_MS_MAX = 20_000;
/** Takes three seconds; a busy machine gets more. */
const TAKEOVER_MS_MAX = 15_000;
const PIECE = 1024 * 1024;

/** Runs commands of qemu-io; one that fails, or does not find the pattern, fails the test. */
export async function io({ url }: ClusterNode, ...commands: readonly string[]): Promise<void> {
  const words = commands.flatMap((command) => ['-c', command]);
  const { stdout } = await run('qemu-io', ['-f', 'raw', ...words, url], { timeout: COMMAND_MS_MAX });
  assert.doesNotMatch(stdout, /failed|error/i, stdout);
}

/** The other node is gone: QEMU's initiator has one path and asks again, where others would wait. */
export async function ioAfterLoss(node: ClusterNode, ...commands: readonly string[]): Promise<void> {
  const until = performance.now() + TAKEOVER_MS_MAX;
  for (;;) {
    try {
      await io(node, ...commands);
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}

/** Of nodes that have stopped. */
export async function expectEqual(a: ClusterNode, b: ClusterNode): Promise<void> {
  const [first, second] = await Promise.all([open(a.image), open(b.image)]);
  const { size } = await first.stat();
  const [left, right] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
  for (let at = 0; at < size; at += PIECE) {
    await Promise.all([first.read(left, 0, PIECE, at), second.read(right, 0, PIECE, at)]);
    assert.ok(left.equals(right), `the copies differ between ${at} and ${at + PIECE}`);
  }
  await Promise.all([first.close(), second.close()]);
}
