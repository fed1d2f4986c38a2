/**
 * What the cache holds: changes of it, each at once and whole. Blocks within a page are valid and dirty one by one, so
 * that a block of 512 bytes needs nothing of its neighbours.
 *
 * Invariant: bytes that somebody else looks at (a loan, a write beneath) stay as they are: a page that is pinned goes
 * to another frame before it is changed.
 */

import { assert } from '../base/assert.ts';
import { Cursor } from './cursor.ts';
import { DirtyPages } from './dirty-pages.ts';
import { NONE } from './frame-list.ts';
import { DIRTY, FAILED, FREE, Frames, IS_MAIN, MAIN, ORPHAN, PAGE_LENGTH, SMALL, WRITING } from './frames.ts';
import { Replacement } from './replacement.ts';

/** What is longer and went beneath, or came from there, is not kept: a medium is fast with it, and copying costs as
 *  much as answering. */
export const KEPT_PAGES_MAX = 64;

/** Bits `from` to `to`, without `to`. */
export function maskOf(from: number, to: number): number {
  return ((1 << to) - 1) & ~((1 << from) - 1);
}

export type Purpose = 'dirty' | 'clean';

export class Pages {
  readonly frames: Frames;
  readonly replacement: Replacement;
  readonly dirty: DirtyPages;
  readonly blockLength: number;
  readonly blocksPerPage: number;
  readonly #cursor = new Cursor();

  constructor(frameCount: number, blockLength: number) {
    this.frames = new Frames(frameCount);
    this.replacement = new Replacement(this.frames);
    this.dirty = new DirtyPages(this.frames);
    this.blockLength = blockLength;
    this.blocksPerPage = PAGE_LENGTH / blockLength;
  }

  pageOf(lba: number): number {
    return Math.floor(lba / this.blocksPerPage);
  }

  pagesOf(lba: number, blocks: number): number {
    return this.pageOf(lba + blocks - 1) - this.pageOf(lba) + 1;
  }

  /** The blocks of `page` that lie within the extent, as a mask. */
  within(page: number, lba: number, blocks: number): number {
    const first = page * this.blocksPerPage;
    return maskOf(Math.max(0, lba - first), Math.min(this.blocksPerPage, lba + blocks - first));
  }

  /** `dirty`: there are as many frames to take as pages. `clean`: pages for which there is no frame are left out. */
  write(lba: number, blocks: number, data: readonly Uint8Array[], purpose: Purpose): void {
    const { frames } = this;
    const last = this.pageOf(lba + blocks - 1);
    this.#cursor.begin(data);
    for (let page = this.pageOf(lba); page <= last; page++) {
      const mask = this.within(page, lba, blocks);
      const from = (31 - Math.clz32(mask & -mask)) * this.blockLength;
      const length = (32 - Math.clz32(mask)) * this.blockLength - from;
      const frame = this.#frameToWrite(page, mask, purpose);
      if (frame === NONE) {
        this.#cursor.skip(length);
        continue;
      }
      this.#cursor.copyTo(frames.slabOf(frame), frames.offsetOf(frame) + from, length);
      frames.valid[frame]! |= mask;
      if (purpose === 'dirty') frames.dirty[frame]! |= mask;
    }
    this.#cursor.end();
  }

  /** The blocks are beneath as `data` says, durable or not. */
  replaceClean(lba: number, blocks: number, data: readonly Uint8Array[]): void {
    if (this.pagesOf(lba, blocks) > KEPT_PAGES_MAX || this.frames.count === 0) {
      this.discard(lba, blocks);
    } else {
      this.clear(lba, blocks);
      this.write(lba, blocks, data, 'clean');
    }
  }

  /** Takes in what was read beneath, where nothing is valid yet. */
  fill(lba: number, blocks: number, data: readonly Uint8Array[]): void {
    const last = this.pageOf(lba + blocks - 1);
    this.#cursor.begin(data);
    for (let page = this.pageOf(lba); page <= last; page++) {
      const mask = this.within(page, lba, blocks);
      this.#fillPage(page, mask);
    }
    this.#cursor.end();
  }

  /** The blocks are not cached any more, not even those that are dirty; none of them is being written. */
  discard(lba: number, blocks: number): void {
    this.clear(lba, blocks);
    this.#eachOf(lba, blocks, (frame) => {
      if (this.frames.valid[frame] !== 0) return;
      this.replacement.leave(frame);
      this.frames.forget(frame);
    });
  }

  /** The same, but their pages keep their places: they are written right after. */
  clear(lba: number, blocks: number): void {
    const { frames } = this;
    this.#eachOf(lba, blocks, (frame, mask) => {
      assert(frames.state[frame] !== WRITING, 'what is being written is waited for');
      frames.valid[frame]! &= ~mask;
      if (frames.dirty[frame] === 0) return;
      frames.dirty[frame]! &= ~mask;
      if (frames.dirty[frame] !== 0) return;
      this.dirty.remove(frame);
      this.replacement.enter(frame);
    });
  }

  /** Blocks that are not dirty are not cached any more; their pages keep their places. */
  clearClean(lba: number, blocks: number): void {
    const { frames } = this;
    this.#eachOf(lba, blocks, (frame, mask) => {
      frames.valid[frame]! &= ~mask | frames.dirty[frame]!;
    });
  }

  /** For another number of frames. */
  resize(frameCount: number): void {
    this.frames.resize(frameCount);
    this.replacement.resize();
  }

  /** The bytes of a block that the device beneath does not have yet, or may not have. */
  peek(lba: number): Uint8Array | undefined {
    const page = this.pageOf(lba);
    const frame = this.frames.index.find(page);
    if (frame === NONE || (this.frames.dirty[frame]! & this.within(page, lba, 1)) === 0) return undefined;
    const from = (lba - page * this.blocksPerPage) * this.blockLength;
    return this.frames.view(frame, from, from + this.blockLength);
  }

  #frameToWrite(page: number, mask: number, purpose: Purpose): number {
    const { frames } = this;
    const present = frames.index.find(page);
    if (present === NONE) return this.#newFrame(page, purpose);
    this.replacement.hit(present);
    if (frames.pins[present]! > 0) return this.#copyToWrite(present, mask, purpose);
    const state = frames.state[present];
    if (purpose === 'dirty' && (state === SMALL || state === MAIN)) {
      this.replacement.leave(present);
      this.dirty.add(present);
    }
    return present;
  }

  #newFrame(page: number, purpose: Purpose): number {
    const { frames } = this;
    if (purpose === 'clean' && !this.replacement.makeRoom(1)) return NONE;
    const frame = frames.take();
    assert(frame !== NONE, 'room was made');
    frames.heat[frame] = this.replacement.heatOf(page);
    frames.index.insert(page, frame);
    if (purpose === 'dirty') this.dirty.add(frame);
    else this.replacement.enter(frame);
    return frame;
  }

  /** Another frame for a page that somebody looks at. */
  #copyToWrite(former: number, mask: number, purpose: Purpose): number {
    const { frames, dirty } = this;
    if (purpose === 'clean' && !this.replacement.makeRoom(1)) return this.#withdraw(former, mask);
    const frame = frames.take();
    assert(frame !== NONE, 'room was made');
    if ((frames.valid[former]! & ~mask) !== 0)
      frames.slabOf(frame).set(frames.view(former, 0, PAGE_LENGTH), frames.offsetOf(frame));
    frames.valid[frame] = frames.valid[former]!;
    frames.dirty[frame] = frames.dirty[former]!;
    frames.heat[frame] = frames.heat[former]!;
    const state = frames.state[former];
    if (state === DIRTY || state === FAILED) {
      dirty.replace(former, frame);
    } else if (state === WRITING) {
      // Should it fail, the rest of it is written from here.
      frames.dirty[frame]! &= ~mask;
      dirty.abandon(former);
      frames.heat[frame]! &= IS_MAIN | 3;
      dirty.add(frame);
    } else {
      this.replacement.leave(former);
      if (purpose === 'dirty') dirty.add(frame);
      else this.replacement.enter(frame);
    }
    frames.move(former, frame);
    return frame;
  }

  /** There is no frame to which the page could go: it is given up, as far as it can be. */
  #withdraw(frame: number, mask: number): number {
    const { frames } = this;
    assert((frames.dirty[frame]! & mask) === 0, 'what is dirty is never written as clean');
    frames.valid[frame]! &= ~mask;
    if (frames.valid[frame] === 0) {
      this.replacement.leave(frame);
      frames.forget(frame);
    }
    return NONE;
  }

  #fillPage(page: number, mask: number): void {
    const { frames } = this;
    const length = this.blockLength;
    let frame = frames.index.find(page);
    if (frame === NONE) frame = this.#newFrame(page, 'clean');
    // Blocks of a pinned frame may have been valid when it was pinned.
    const wanted = frame === NONE || frames.pins[frame]! > 0 ? 0 : mask & ~frames.valid[frame]!;
    for (let bits = mask; bits !== 0; bits &= bits - 1) {
      const block = 31 - Math.clz32(bits & -bits);
      if (wanted === mask && mask === maskOf(0, this.blocksPerPage)) {
        this.#cursor.copyTo(frames.slabOf(frame), frames.offsetOf(frame), PAGE_LENGTH);
        break;
      }
      if ((wanted & (1 << block)) === 0) this.#cursor.skip(length);
      else this.#cursor.copyTo(frames.slabOf(frame), frames.offsetOf(frame) + block * length, length);
    }
    if (frame !== NONE) frames.valid[frame]! |= wanted;
  }

  #eachOf(lba: number, blocks: number, action: (frame: number, mask: number) => void): void {
    const { frames } = this;
    const first = this.pageOf(lba);
    const last = this.pageOf(lba + blocks - 1);
    if (last - first < frames.used) {
      for (let page = first; page <= last; page++) {
        const frame = frames.index.find(page);
        if (frame !== NONE) action(frame, this.within(page, lba, blocks));
      }
      return;
    }
    for (let frame = 0; frame < frames.used; frame++) {
      const state = frames.state[frame]!;
      if (state === FREE || state === ORPHAN) continue;
      const page = frames.index.pages[frame]!;
      if (page >= first && page <= last) action(frame, this.within(page, lba, blocks));
    }
  }
}
