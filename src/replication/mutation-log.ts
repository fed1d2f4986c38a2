/**
 * The changes this replica remembers, by extent and stamp: those on their way, and recent ones that a late older
 * change could still meet. What a block holds is decided by the highest stamp among those that touch it.
 *
 * Invariants
 *  1. A change that is not readable is here.
 *  2. A change is forgotten only when it is readable, when no older one can arrive any more (every peer has told a
 *     Lamport time that is not below its own, in order), and when no older one that overlaps it is left.
 */

import { ExtentIndex } from '../base/extent-index.ts';
import type { Mutation } from './mutation.ts';
import { lamportOf, type Operation, partOf, type Stamp } from './operation.ts';

export interface Part {
  readonly stamp: Stamp;
  readonly operation: Operation;
}

/** Remembers where changes came while something older is on its way to the same blocks. */
export interface Watch {
  readonly lba: number;
  readonly blocks: number;
  /** Of the changes that were not readable when it began, and of all that came since. */
  readonly touched: { readonly lba: number; readonly blocks: number }[];
  end(): void;
}

export class MutationLog {
  readonly #index = new ExtentIndex<Mutation>();
  readonly #byStamp = new Map<Stamp, Mutation>();
  /** Readable ones, oldest first as far as they became so. */
  #readable: Mutation[] = [];
  readonly #blockLength: number;
  readonly #watches = new ExtentIndex<Watch>();

  constructor(blockLength: number) {
    this.#blockLength = blockLength;
  }

  get size(): number {
    return this.#byStamp.size;
  }

  add(mutation: Mutation): void {
    this.#index.add(mutation);
    this.#byStamp.set(mutation.stamp, mutation);
    if (this.#watches.size === 0) return;
    for (const watch of this.#watches.overlapping(mutation.lba, mutation.blocks))
      watch.touched.push(mutation);
  }

  watch(lba: number, blocks: number): Watch {
    const touched: { lba: number; blocks: number }[] = [];
    for (const mutation of this.#index.overlapping(lba, blocks))
      if (!mutation.isReadable) touched.push(mutation);
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.#watches.remove(watch);
      isOver = true;
    };
    const watch = { lba, blocks, touched, end };
    this.#watches.add(watch);
    return watch;
  }

  get(stamp: Stamp): Mutation | undefined {
    return this.#byStamp.get(stamp);
  }

  /** As they are now. */
  all(): Mutation[] {
    return [...this.#byStamp.values()];
  }

  /** One that stands in the way of a read of these blocks. */
  unreadable(lba: number, blocks: number): Mutation | undefined {
    let found: Mutation | undefined;
    this.#index.some(lba, blocks, (mutation) => {
      if (!mutation.isReadable) found = mutation;
      return found !== undefined;
    });
    return found;
  }

  /** What of the change no newer one in `over` covers. */
  visibleParts(mutation: Mutation, over: (newer: Mutation) => boolean): Operation[] {
    const { lba, blocks, operation, stamp } = mutation;
    const newer: Mutation[] = [];
    this.#index.some(lba, blocks, (other) => {
      if (other.stamp > stamp && over(other)) newer.push(other);
      return false;
    });
    if (newer.length === 0) return [operation];
    newer.sort((a, b) => a.lba - b.lba);
    const parts: Operation[] = [];
    let at = lba;
    const end = lba + blocks;
    for (const cover of newer) {
      if (cover.lba > at) parts.push(partOf(operation, at, Math.min(cover.lba, end) - at, this.#blockLength));
      at = Math.max(at, cover.lba + cover.blocks);
      if (at >= end) break;
    }
    if (at < end) parts.push(partOf(operation, at, end - at, this.#blockLength));
    return parts;
  }

  becameReadable(mutation: Mutation): void {
    this.#readable.push(mutation);
  }

  /** `lamport`: the lowest that any peer has told. */
  forget(lamport: number): void {
    if (this.#readable.length === 0) return;
    const kept: Mutation[] = [];
    for (const mutation of this.#readable) {
      if (lamportOf(mutation.stamp) > lamport || this.#hasOlder(mutation)) {
        kept.push(mutation);
        continue;
      }
      this.#index.remove(mutation);
      this.#byStamp.delete(mutation.stamp);
    }
    this.#readable = kept;
  }

  remove(mutation: Mutation): void {
    this.#index.remove(mutation);
    this.#byStamp.delete(mutation.stamp);
    this.#readable = this.#readable.filter((other) => other !== mutation);
  }

  /**
   * What is not valid, or valid and not in the store yet, part by part, without what newer changes cover: everybody
   * may be without the one, and this copy is without the other.
   */
  pending(): Part[] {
    const parts: Part[] = [];
    for (const mutation of this.#byStamp.values()) {
      if (mutation.isReadable) continue;
      for (const operation of this.visibleParts(mutation, () => true))
        parts.push({ stamp: mutation.stamp, operation });
    }
    return parts;
  }

  /** The configuration is over. */
  clear(): void {
    const all = [...this.#byStamp.values()];
    this.#index.clear();
    this.#byStamp.clear();
    this.#readable = [];
    for (const mutation of all) {
      mutation.isOver = true;
      mutation.changed();
    }
  }

  #hasOlder(mutation: Mutation): boolean {
    return this.#index.some(mutation.lba, mutation.blocks, (other) => other.stamp < mutation.stamp);
  }
}
