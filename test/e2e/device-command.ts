/** Runs `lockstep device …` and `lockstep node …` against one node of a cluster, as an administrator does. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import type { DeviceStatistics } from '../../src/engine/statistics.ts';
import { DEVICE } from './drill-config.ts';

const PROGRAM = resolve(import.meta.dirname, '../../bin/lockstep');
const COMMAND_MS_MAX = 60_000;

/** Of a node on this machine. */
interface Asked {
  readonly stateDirectory: string;
}

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** `words`: the command and what comes behind the name of the device. */
export function device(node: Asked, ...[command = '', ...words]: readonly string[]): Promise<Ended> {
  return lockstep(['device', command, DEVICE, ...words, '--state', node.stateDirectory]);
}

/** `node`: that gets a copy, or loses it. */
export function replica(asked: Asked, change: 'add' | 'remove', node: string): Promise<Ended> {
  return lockstep(['replica', change, DEVICE, node, '--state', asked.stateDirectory]);
}

export function stopNode(node: Asked, ...words: readonly string[]): Promise<Ended> {
  return lockstep(['node', 'stop', ...words, '--state', node.stateDirectory]);
}

function lockstep(args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    const child = execFile(PROGRAM, args, { timeout: COMMAND_MS_MAX }, (_error, out, err) =>
      done({ status: child.exitCode, out, err }),
    );
  });
}

/** What `device show` says. */
export async function shown(node: Asked): Promise<DeviceStatistics> {
  const { status, out, err } = await device(node, 'show', '--json');
  if (status !== 0) throw new Error(err);
  return JSON.parse(out) as DeviceStatistics;
}
