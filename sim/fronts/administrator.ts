/**
 * Changes settings of the mirrored device, resets its logical unit and makes it larger in the middle of everything, and
 * remembers what it did.
 */

import type { DocumentsAtEnd, SettingsAttempt } from '../checkers/documents.ts';
import type { GrowthAtEnd, GrowthAttempt } from '../checkers/growth.ts';
import type { ReplicaAttempt, ReplicasAtEnd } from '../checkers/replicas.ts';
import type { Open } from '../history.ts';
import type { MirrorHost } from './mirror-host.ts';
import { DEVICE_BLOCKS, DEVICE_BLOCKS_MAX, newBlocksOf } from './mirror-layout.ts';
import { type MirrorSite, settingsText } from './mirror-site.ts';

const RESET_SHARE = 0.4;
const BACK_SHARE = 0.7;
const FULL_SHARE = 0.2;

export class Administrator {
  readonly #nodes: readonly MirrorHost[];
  readonly #drawn: MirrorSite;
  readonly #now: () => number;
  readonly #attempts: Open<SettingsAttempt>[] = [];
  readonly #resets: number[] = [];
  readonly #growths: Open<GrowthAttempt>[] = [];
  readonly #replicaChanges: Open<ReplicaAttempt>[] = [];

  /** `nodes`: those with data. */
  constructor(nodes: readonly MirrorHost[], drawn: MirrorSite, now: () => number) {
    this.#nodes = nodes;
    this.#drawn = drawn;
    this.#now = now;
  }

  /** `draw` in [0, 1) says what, and through which node. */
  act(draw: number): void {
    const [part, more, most] = [(draw * 101) % 1, (draw * 10_007) % 1, (draw * 1_000_003) % 1];
    const node = this.#nodes[Math.floor(part * this.#nodes.length)]!;
    if (more < RESET_SHARE) return node.resetUnit((number) => this.#resets.push(number));
    const nodes = node.replicas;
    if (nodes.length === 0) return undefined;
    const turn = Math.floor(most * nodes.length);
    const order = [...nodes.slice(turn), ...nodes.slice(0, turn)];
    // With caches everybody at once must not die, which only the front knows.
    const policy = this.#drawn.policy === 'back' && part < BACK_SHARE ? 'back' : 'through';
    const asides = nodes
      .filter((_, at) => Math.floor(most * 2 ** (at + 2)) % 2 === 1)
      .toSorted((a, b) => a - b);
    const fullResyncAbove = part < FULL_SHARE ? Math.ceil(most * 100) : 100;
    const settings = { order, policy, asides, fullResyncAbove } as const;
    const attempt = {
      settings: settingsText(settings, this.#drawn),
      invokedAt: this.#now(),
      returnedAt: Infinity,
      acknowledged: false,
    };
    const isBegun = node.changeSettings(settings, (isDone) => {
      // Without success it may still be on its way.
      if (!isDone) return;
      attempt.returnedAt = this.#now();
      attempt.acknowledged = true;
    });
    if (isBegun) this.#attempts.push(attempt);
  }

  /** `share` in [0, 1): how much of all that it may grow; `draw` says through which node. */
  grow(share: number, draw: number): void {
    const node = this.#nodes[Math.floor(draw * this.#nodes.length)]!;
    const blockCount = DEVICE_BLOCKS + 1 + Math.floor(share * (DEVICE_BLOCKS_MAX - DEVICE_BLOCKS));
    const attempt = { blocks: newBlocksOf(blockCount), invokedAt: this.#now(), returnedAt: Infinity };
    this.#growths.push(attempt);
    node.grow(blockCount, (isDone) => {
      if (isDone) attempt.returnedAt = this.#now();
    });
  }

  /** Gives a node a copy, or takes its away, through one that serves. */
  changeReplicas(share: number, draw: number): void {
    const serving = this.#nodes.filter((node) => node.serves !== undefined);
    const through = serving[Math.floor(draw * serving.length)];
    const { number: node } = this.#nodes[Math.floor(share * this.#nodes.length)]!;
    if (through === undefined) return;
    const kind = through.replicas.includes(node) ? 'remove' : 'add';
    const attempt = { kind, node, invokedAt: this.#now(), returnedAt: Infinity } as const;
    const open: Open<ReplicaAttempt> = { ...attempt };
    this.#replicaChanges.push(open);
    through.changeReplica(kind, node, (isDone) => {
      if (isDone) open.returnedAt = this.#now();
    });
  }

  replicasAtEnd(): ReplicasAtEnd {
    const held = this.#nodes
      .filter((node) => node.serves !== undefined)
      .map(({ number, replicas }) => ({ node: number - 1, replicas }));
    return { first: this.#drawn.site.nodes, attempts: this.#replicaChanges, held };
  }

  growthAtEnd(): GrowthAtEnd {
    const held = this.#copies().map(({ number, blockCount }) => {
      return { node: number - 1, blockCount, blocks: newBlocksOf(blockCount) };
    });
    return { attempts: this.#growths, held };
  }

  atEnd(): DocumentsAtEnd {
    return {
      attempts: this.#attempts,
      resets: this.#resets,
      held: this.#copies().map((node) => node.documents),
    };
  }

  /** Who has a copy in the end. */
  #copies(): readonly MirrorHost[] {
    const newest = this.#nodes.find((node) => node.serves !== undefined);
    return newest === undefined ? [] : this.#nodes.filter(({ number }) => newest.replicas.includes(number));
  }
}
