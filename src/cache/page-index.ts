/**
 * Which frame holds a page: a hash table of typed arrays with chains, one link per frame. Pages are numbers up to 2^53.
 * Sixteen pages beside each other lie in buckets beside each other, for the sake of sequential access.
 */

import { NONE } from './frame-list.ts';

const NEIGHBOURS = 16;
const HALF = 2 ** 32;

/** 32 bits. */
function mix(number: number): number {
  let hash = number | 0;
  if (number >= HALF) hash ^= Math.imul((number / HALF) | 0, 0x5bd1e995);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export function hashOf(page: number): number {
  return mix(page < HALF ? page >>> 4 : Math.floor(page / NEIGHBOURS)) ^ (page % NEIGHBOURS);
}

/** Another hash, of the page alone. */
export function fingerprintOf(page: number): number {
  return mix(page + 0x9e3779b9) | 1;
}

/** The power of two that is at most `count`, and 1 at least. */
export function bucketsFor(count: number): number {
  return count < 2 ? 1 : 2 ** (31 - Math.clz32(count));
}

export class PageIndex {
  /** Page of each frame that is in the index. */
  pages: Float64Array;
  length = 0;
  #chain: Int32Array;
  #buckets: Int32Array;

  constructor(frames: number) {
    this.pages = new Float64Array(frames);
    this.#chain = new Int32Array(frames);
    this.#buckets = new Int32Array(bucketsFor(frames)).fill(NONE);
  }

  find(page: number): number {
    const { pages } = this;
    let frame = this.#buckets[hashOf(page) & (this.#buckets.length - 1)]!;
    while (frame !== NONE && pages[frame] !== page) frame = this.#chain[frame]!;
    return frame;
  }

  insert(page: number, frame: number): void {
    const bucket = hashOf(page) & (this.#buckets.length - 1);
    this.pages[frame] = page;
    this.#chain[frame] = this.#buckets[bucket]!;
    this.#buckets[bucket] = frame;
    this.length += 1;
  }

  remove(frame: number): void {
    const bucket = hashOf(this.pages[frame]!) & (this.#buckets.length - 1);
    const after = this.#chain[frame]!;
    let at = this.#buckets[bucket]!;
    if (at === frame) {
      this.#buckets[bucket] = after;
    } else {
      while (this.#chain[at] !== frame) at = this.#chain[at]!;
      this.#chain[at] = after;
    }
    this.length -= 1;
  }

  /** For another number of frames; `isIndexed` says which of them are in the index. */
  resize(frames: number, isIndexed: (frame: number) => boolean): void {
    const former = this.pages;
    this.pages = new Float64Array(frames);
    this.#chain = new Int32Array(frames);
    this.#buckets = new Int32Array(bucketsFor(frames)).fill(NONE);
    this.length = 0;
    const kept = Math.min(frames, former.length);
    for (let frame = 0; frame < kept; frame++) if (isIndexed(frame)) this.insert(former[frame]!, frame);
  }
}
