/** What a drill needs of a cluster: nodes that can be broken, networks that can be cut, and what nodes say of a mirror. */

import { readFileSync } from 'node:fs';
import type { NodeStatus } from '../control/status.ts';
import { askStatus } from '../control/client.ts';
import type { NodeProcess } from '../demo/node-process.ts';
import { synchronized } from '../demo/report.ts';

export interface DrillNode {
  readonly name: string;
  readonly isWitness: boolean;
  readonly stateDirectory: string;
  readonly logFile: string;
  readonly process: NodeProcess;
}

export type NetworkName = 'sync1' | 'sync2' | 'front';

/** Cables, as a switch sees them. What is lost is lost silently: nobody is told. */
export interface DrillNetwork {
  cut(node: string, networks: readonly NetworkName[]): Promise<void>;
  /** What the node sends to other nodes is lost, and what they send arrives. */
  cutFrom(node: string): Promise<void>;
  heal(node: string): Promise<void>;
}

export interface Site {
  readonly device: string;
  readonly nodes: readonly DrillNode[];
  /** Undefined: only processes can be broken. */
  readonly network: DrillNetwork | undefined;
}

const LOOK_MS = 100;

export function copiesOf(site: Site): readonly DrillNode[] {
  return site.nodes.filter(({ isWitness }) => !isWitness);
}

/** Answers when all copies are members and serve, and is true; or false after `withinMs`. */
export async function untilSynchronized(site: Site, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  const copies = copiesOf(site);
  do {
    // oxlint-disable-next-line no-await-in-loop -- the next look is later
    const statuses = await Promise.all(copies.map((node) => statusOf(node)));
    if (synchronized(statuses, site.device, copies.length) !== undefined) return true;
    // oxlint-disable-next-line no-await-in-loop -- the same
    await pause(LOOK_MS);
  } while (performance.now() < until);
  return false;
}

/** Undefined: it does not run, or does not answer. */
async function statusOf({ stateDirectory }: DrillNode): Promise<NodeStatus | undefined> {
  const answer = await askStatus(stateDirectory);
  return answer.ok ? answer.value : undefined;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export interface Resynchronized {
  readonly bytes: number;
  readonly full: number;
}

const CHUNK_BYTES = 65_536;

/** How much the logs of the nodes say was brought up to date, from so many bytes of each on. */
export function resynchronizedSince(site: Site, offsets: ReadonlyMap<string, number>): Resynchronized {
  let bytes = 0;
  let full = 0;
  for (const node of site.nodes) {
    const text = logOf(node)
      .subarray(offsets.get(node.name) ?? 0)
      .toString();
    for (const line of text.split('\n')) {
      if (!line.includes('"mirror.resync.')) continue;
      const { event, chunks, full: isFull } = JSON.parse(line) as ResyncLine;
      if (event === 'mirror.resync.ends') bytes += chunks * CHUNK_BYTES;
      if (event === 'mirror.resync.begins' && isFull === true) full++;
    }
  }
  return { bytes, full };
}

interface ResyncLine {
  readonly event: string;
  readonly chunks: number;
  readonly full?: boolean;
}

export function logOffsets(site: Site): ReadonlyMap<string, number> {
  return new Map(site.nodes.map((node) => [node.name, logOf(node).length]));
}

function logOf({ logFile }: DrillNode): Buffer {
  try {
    return readFileSync(logFile);
  } catch {
    return Buffer.alloc(0);
  }
}
