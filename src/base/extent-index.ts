/**
 * Things that lie on extents of a device, found by overlap. Kept in buckets of consecutive blocks; what is larger than
 * a few buckets is kept apart and looked at every time, for there is little of it.
 *
 * Invariant: an entry is in every bucket that its extent touches, or among the large ones; never in both.
 */

import { assert } from './assert.ts';

interface Placed {
  readonly lba: number;
  readonly blocks: number;
}

const BLOCKS_PER_BUCKET = 2048;
const BUCKETS_MAX = 16;

export class ExtentIndex<T extends Placed> {
  readonly #buckets = new Map<number, T[]>();
  readonly #large: T[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: T): void {
    this.#size += 1;
    const [first, last] = bucketsOf(entry);
    if (last - first >= BUCKETS_MAX) {
      this.#large.push(entry);
      return;
    }
    for (let bucket = first; bucket <= last; bucket++) {
      const entries = this.#buckets.get(bucket);
      if (entries === undefined) this.#buckets.set(bucket, [entry]);
      else entries.push(entry);
    }
  }

  remove(entry: T): void {
    this.#size -= 1;
    const [first, last] = bucketsOf(entry);
    if (last - first >= BUCKETS_MAX) return take(this.#large, entry);
    for (let bucket = first; bucket <= last; bucket++) {
      const entries = this.#buckets.get(bucket);
      assert(entries !== undefined, 'what is removed was added');
      take(entries, entry);
      if (entries.length === 0) this.#buckets.delete(bucket);
    }
  }

  /** Whether any entry that overlaps passes the test. */
  some(lba: number, blocks: number, test: (entry: T) => boolean): boolean {
    const end = lba + blocks;
    const hit = (entry: T): boolean => entry.lba < end && lba < entry.lba + entry.blocks && test(entry);
    if (this.#large.some(hit)) return true;
    const [first, last] = bucketsOf({ lba, blocks });
    if (last - first >= this.#buckets.size) {
      for (const entries of this.#buckets.values()) if (entries.some(hit)) return true;
      return false;
    }
    for (let bucket = first; bucket <= last; bucket++)
      if (this.#buckets.get(bucket)?.some(hit) === true) return true;
    return false;
  }

  /** Entries that overlap, each once, in no particular order. */
  overlapping(lba: number, blocks: number): T[] {
    const found = new Set<T>();
    this.some(lba, blocks, (entry) => {
      found.add(entry);
      return false;
    });
    return [...found];
  }

  clear(): void {
    this.#buckets.clear();
    this.#large.length = 0;
    this.#size = 0;
  }
}

function bucketsOf({ lba, blocks }: Placed): readonly [number, number] {
  return [Math.floor(lba / BLOCKS_PER_BUCKET), Math.floor((lba + blocks - 1) / BLOCKS_PER_BUCKET)];
}

function take<T>(entries: T[], entry: T): void {
  const at = entries.indexOf(entry);
  assert(at >= 0, 'what is removed was added');
  entries[at] = entries.at(-1)!;
  entries.pop();
}
