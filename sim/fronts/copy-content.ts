/** What the copy of a node holds, as numbers: in its cache, or else on its medium; and how large that cache is. */

import type { CachedStore } from '../../src/engine/cached-store.ts';
import type { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import { decodeBlock } from '../../src/judge/block-codec.ts';
import type { SectorPart } from '../disk-port.ts';
import type { Medium } from '../medium.ts';
import type { WorkloadShape } from '../worker.ts';
import { CACHE_SIZES } from './copy-store.ts';
import { lbaOf, newBlocksOf, newLbaOf } from './mirror-layout.ts';

export interface ContentParts {
  readonly medium: Pick<Medium<SectorPart>, 'read'>;
  readonly shape: WorkloadShape;
  /** Undefined while the process is down. */
  readonly process: () => { readonly node: MirrorNode; readonly store: CachedStore } | undefined;
  readonly hasCache: boolean;
}

export class CopyContent {
  /** Bytes, now and after a restart. */
  cacheMemory: number;
  readonly #parts: ContentParts;

  constructor(parts: ContentParts) {
    this.#parts = parts;
    this.cacheMemory = parts.hasCache ? CACHE_SIZES[0] : 0;
  }

  /** As an administrator sets it; what cannot be written out now stays larger until a restart. */
  resizeCache(memory: number): void {
    this.cacheMemory = memory;
    void this.#parts.process()?.store.cache.resize(memory);
  }

  all(blocks: number): number[] {
    return Array.from({ length: blocks }, (_, block) => this.#valueAt(lbaOf(block, this.#parts.shape)));
  }

  /** The same; undefined where a change is on its way, as far as the node knows. */
  settled(blocks: number): (number | undefined)[] {
    return Array.from({ length: blocks }, (_, block) => this.#settledAt(lbaOf(block, this.#parts.shape)));
  }

  /** Likewise, of the blocks that the device has got since it was made. */
  settledNew(): (number | undefined)[] {
    const length = newBlocksOf(this.#parts.process()?.node.geometry.blockCount ?? 0);
    return Array.from({ length }, (_, index) => this.#settledAt(newLbaOf(index)));
  }

  /** Without what is in the cache. */
  onMedium(block: number): number {
    return this.#mediumAt(lbaOf(block, this.#parts.shape));
  }

  #settledAt(lba: number): number | undefined {
    const log = this.#parts.process()?.node.replica.log;
    return log?.unreadable(lba, 1) === undefined ? this.#valueAt(lba) : undefined;
  }

  #mediumAt(lba: number): number {
    const bytes = this.#parts.medium.read(lba)?.bytes;
    return bytes === undefined ? 0 : decodeBlock(bytes);
  }

  #valueAt(lba: number): number {
    const bytes = this.#parts.process()?.store.cache.peek(lba);
    return bytes === undefined ? this.#mediumAt(lba) : decodeBlock(bytes);
  }
}
