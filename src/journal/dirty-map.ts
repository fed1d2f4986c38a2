/**
 * Which chunks of a device changed since a partner left: one bit per 64 KiB, 2 MiB of memory per TiB and partner.
 * Says where replicas may differ, never what the difference is. A bit too many costs time, a bit too few is a
 * corruption: every operation errs towards "dirty".
 *
 *   words    one bit per chunk
 *   summary  one bit per word: is any chunk of it dirty; so a mostly clean TiB is walked by reading 64 KiB
 *   changed  one byte per page of the record on disk (dirty-map-format.ts): was a bit set since it was written
 *   cleared  likewise: was a bit cleared; the record says more than is true, which costs time but is right
 *
 * Invariants
 *  1. A summary bit is set exactly when its word is not zero.
 *  2. `count` is the number of bits that are set.
 *  3. Bits beyond the last chunk are never set.
 */

import { assert } from '../base/assert.ts';

export const CHUNK_LENGTH = 65_536;
/** Words in one page of the record on disk. */
export const WORDS_PER_PAGE = 992;

/** Chunks of a device, the last one perhaps not whole. */
export function chunkCountOf(blockCount: number, blockLength: number): number {
  return Math.ceil(blockCount / (CHUNK_LENGTH / blockLength));
}

export class DirtyMap {
  readonly chunkCount: number;
  readonly pageCount: number;
  /** A power of two, so that multiplying by it is exact. */
  readonly #chunksPerBlock: number;
  readonly #words: Uint32Array;
  readonly #summary: Uint32Array;
  readonly #changed: Uint8Array;
  readonly #cleared: Uint8Array;
  #changedCount = 0;
  #count = 0;

  constructor(blockCount: number, blockLength: number) {
    const blocksPerChunk = CHUNK_LENGTH / blockLength;
    assert(Number.isInteger(Math.log2(blocksPerChunk)), 'a chunk is a power of two of blocks');
    this.#chunksPerBlock = 1 / blocksPerChunk;
    this.chunkCount = chunkCountOf(blockCount, blockLength);
    this.#words = new Uint32Array(Math.ceil(this.chunkCount / 32));
    this.#summary = new Uint32Array(Math.ceil(this.#words.length / 32));
    this.pageCount = Math.ceil(this.#words.length / WORDS_PER_PAGE);
    this.#changed = new Uint8Array(this.pageCount);
    this.#cleared = new Uint8Array(this.pageCount);
  }

  /** Number of dirty chunks. */
  get count(): number {
    return this.#count;
  }

  /** True if no bit was set since the last `pageWritten` of each page. */
  get isWritten(): boolean {
    return this.#changedCount === 0;
  }

  /** Marks every chunk that the extent touches. True if a bit was set that had not been. */
  mark(lba: number, blocks: number): boolean {
    const first = Math.floor(lba * this.#chunksPerBlock);
    const last = Math.floor((lba + blocks - 1) * this.#chunksPerBlock);
    // Nearly every write: into one chunk, which is dirty already.
    if (first === last && (this.#words[first >>> 5]! & (1 << (first & 31))) !== 0) return false;
    return this.markChunks(first, last);
  }

  /** Marks chunks `first` to `last`, both included. */
  markChunks(first: number, last: number): boolean {
    assert(first >= 0 && first <= last && last < this.chunkCount, 'chunks lie on the device');
    const lastWord = last >>> 5;
    let news = false;
    for (let word = first >>> 5; word <= lastWord; word++) {
      const low = word === first >>> 5 ? first & 31 : 0;
      const high = word === lastWord ? last & 31 : 31;
      const mask = (((0xffff_ffff >>> (31 - high)) >>> low) << low) >>> 0;
      if ((this.#words[word]! & mask) >>> 0 === mask) continue;
      this.#set(word, mask);
      news = true;
    }
    return news;
  }

  markAll(): void {
    if (this.chunkCount > 0) this.markChunks(0, this.chunkCount - 1);
  }

  /** The partner has this chunk on its medium. */
  clear(chunk: number): void {
    assert(chunk >= 0 && chunk < this.chunkCount, 'the chunk lies on the device');
    const word = chunk >>> 5;
    const before = this.#words[word]!;
    const after = (before & ~(1 << (chunk & 31))) >>> 0;
    if (after === before) return;
    this.#words[word] = after;
    this.#count -= 1;
    this.#cleared[Math.floor(word / WORDS_PER_PAGE)] = 1;
    if (after === 0) this.#summary[word >>> 5]! &= ~(1 << (word & 31));
  }

  /** Forgets everything, and that records lack anything; costs as much as was marked, whatever the size. */
  clearAll(): void {
    for (let index = 0; index < this.#summary.length; index++) {
      const bits = this.#summary[index]!;
      if (bits === 0) continue;
      this.#words.fill(0, index * 32, index * 32 + 32);
      this.#summary[index] = 0;
    }
    this.#count = 0;
    this.#changed.fill(0);
    this.#changedCount = 0;
    this.#cleared.fill(1);
  }

  has(chunk: number): boolean {
    return (this.#words[chunk >>> 5]! & (1 << (chunk & 31))) !== 0;
  }

  /** The first dirty chunk at or after `from`; -1 when there is none. */
  next(from: number): number {
    if (from >= this.chunkCount) return -1;
    let word = from >>> 5;
    const here = (this.#words[word]! >>> (from & 31)) << (from & 31);
    if (here !== 0) return word * 32 + lowestBit(here);
    word += 1;
    let index = word >>> 5;
    if (index >= this.#summary.length) return -1;
    let bits = (this.#summary[index]! >>> (word & 31)) << (word & 31);
    while (bits === 0) {
      index += 1;
      if (index >= this.#summary.length) return -1;
      bits = this.#summary[index]!;
    }
    word = index * 32 + lowestBit(bits);
    return word * 32 + lowestBit(this.#words[word]!);
  }

  /**
   * Marks everything that `other` has; both are of the same device, which may have been smaller or larger then: what lies
   * behind the last chunk of this one is no part of the device.
   */
  union(other: DirtyMap): void {
    for (let index = 0; index < other.#summary.length; index++) {
      for (let bits = other.#summary[index]!; bits !== 0; bits &= bits - 1) {
        const word = index * 32 + lowestBit(bits);
        const mask = (other.#words[word]! & this.#inside(word)) >>> 0;
        if (mask === 0) continue;
        if ((this.#words[word]! & mask) >>> 0 !== mask) this.#set(word, mask);
      }
    }
  }

  /** The first page at or after `from` with a bit that its record does not have; -1 when there is none. */
  nextChanged(from: number): number {
    return this.#changedCount === 0 ? -1 : this.#changed.indexOf(1, from);
  }

  /** The first page at or after `from` whose record has bits that were cleared; -1 when there is none. */
  nextCleared(from: number): number {
    return this.#cleared.indexOf(1, from);
  }

  /** True if a bit was set in the page of this chunk since it was written. */
  isChanged(chunk: number): boolean {
    return this.#changed[this.pageOf(chunk)] === 1;
  }

  pageOf(chunk: number): number {
    return Math.floor((chunk >>> 5) / WORDS_PER_PAGE);
  }

  /** The first dirty chunk that lies in a later page than `chunk`; -1 when there is none. */
  nextPage(chunk: number): number {
    return this.next((this.pageOf(chunk) + 1) * WORDS_PER_PAGE * 32);
  }

  /** The record of this page is about to be made from its bits of this moment. */
  pageTaken(page: number): void {
    this.#changedCount -= this.#changed[page]!;
    this.#changed[page] = 0;
    this.#cleared[page] = 0;
  }

  /** The record of this page did not become durable. */
  pageLost(page: number): void {
    this.#changedCount += 1 - this.#changed[page]!;
    this.#changed[page] = 1;
  }

  word(index: number): number {
    return this.#words[index] ?? 0;
  }

  /** Sets bits of one word, as read from a record. Bits beyond the last chunk are left out. */
  restoreWord(index: number, bits: number): void {
    const mask = (bits & this.#inside(index)) >>> 0;
    if (mask !== 0) this.#set(index, mask);
  }

  /** The bits of a word that stand for chunks of the device. */
  #inside(word: number): number {
    const after = this.chunkCount - word * 32;
    return after >= 32 ? 0xffff_ffff : after <= 0 ? 0 : (1 << after) - 1;
  }

  #set(word: number, mask: number): void {
    const before = this.#words[word]!;
    this.#words[word] = before | mask;
    this.#summary[word >>> 5]! |= 1 << (word & 31);
    this.#count += bitCount((mask & ~before) >>> 0);
    const page = Math.floor(word / WORDS_PER_PAGE);
    if (this.#changed[page] !== 0) return;
    this.#changed[page] = 1;
    this.#changedCount += 1;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function bitCount(bits: number): number {
  const pairs = bits - ((bits >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
