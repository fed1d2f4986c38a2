/**
 * Memory of the cache: frames of one page each, cut out of slabs outside of the JavaScript heap, and what is known of
 * each frame, in typed arrays.
 *
 *   free ──take──► (in the index) small · main · held     clean; replacement.ts
 *                                 dirty · writing · failed  not beneath yet; dirty-pages.ts
 *   orphan: no longer the page's, but somebody still reads its bytes; free with the last of them
 *
 * Invariants
 *  1. Bytes of a frame that is pinned do not change, but for blocks that were never valid since it was pinned.
 *  2. `valid`: bit per block of the page; the other bytes mean nothing. `dirty` is part of `valid`.
 *  3. Frames from `count` on are leaving: they are not taken any more, and their memory goes when the last is free.
 */

import { assert } from '../base/assert.ts';
import { FrameList, Links, NONE, resized } from './frame-list.ts';
import { bucketsFor, PageIndex } from './page-index.ts';

/** Unit of caching, in bytes. */
export const PAGE_LENGTH = 4096;
/** Frames are given and taken back by so many. */
const SLAB_FRAMES = 64;
const PINS_MAX = 0xffff;

/** Of one frame: page 8, chain 4, links 8, stamp 4, pins 2, valid, dirty, state, heat; buckets and ghosts 4 each. */
const FRAME_OVERHEAD = 30;
const HASHED_OVERHEAD = 8;

export const FREE = 0;
export const SMALL = 1;
export const MAIN = 2;
export const HELD = 3;
export const DIRTY = 4;
export const WRITING = 5;
export const FAILED = 6;
export const ORPHAN = 7;

/** Bits of `heat`: hits up to 3, then what the page is known for. */
export const HITS = 3;
export const IS_MAIN = 4;
export const HAS_FAILED = 8;

/** Frames for which `bytes` are enough, with all that is known of them. */
export function framesWithin(bytes: number): number {
  const frames = Math.floor(bytes / (PAGE_LENGTH + FRAME_OVERHEAD + HASHED_OVERHEAD));
  return Math.max(0, frames - (frames % SLAB_FRAMES));
}

/** Bytes that `frames` take. */
function bytesOf(frames: number): number {
  return frames * (PAGE_LENGTH + FRAME_OVERHEAD) + HASHED_OVERHEAD * (frames === 0 ? 0 : bucketsFor(frames));
}

export class Frames {
  /** Frames that may be used. */
  count: number;
  /** Frames with at least one pin. */
  pinned = 0;
  readonly links: Links;
  readonly index: PageIndex;
  valid: Uint8Array;
  dirty: Uint8Array;
  state: Uint8Array;
  heat: Uint8Array;
  stamp: Int32Array;
  pins: Uint16Array;
  /** A clean page whose frame was pinned is not any more. */
  onIdle: (frame: number) => void = () => undefined;
  readonly #free: FrameList;
  #slabs: Uint8Array[] = [];
  /** Frames from here on were never used. */
  #fresh = 0;
  /** Frames that memory is reserved for; more than `count` while some are leaving. */
  #reserved: number;
  #leaving = 0;
  #onGone: (() => void) | undefined;

  constructor(count: number) {
    this.count = count;
    this.#reserved = count;
    this.links = new Links(count);
    this.index = new PageIndex(count);
    this.valid = new Uint8Array(count);
    this.dirty = new Uint8Array(count);
    this.state = new Uint8Array(count);
    this.heat = new Uint8Array(count);
    this.stamp = new Int32Array(count);
    this.pins = new Uint16Array(count);
    this.#free = new FrameList(this.links);
  }

  /** Bytes reserved, with all that is known of the frames. */
  get memory(): number {
    return bytesOf(this.#reserved);
  }

  /** Frames that may be taken. */
  get available(): number {
    return this.#free.length + Math.max(0, this.count - this.#fresh);
  }

  /** Frames below this number may be in use. */
  get used(): number {
    return this.#fresh;
  }

  /** A frame that holds no page, without anything valid; NONE: all are in use. */
  take(): number {
    let frame = this.#free.head;
    if (frame !== NONE) this.#free.remove(frame);
    else if (this.#fresh < this.count) frame = this.#freshFrame();
    else return NONE;
    this.valid[frame] = 0;
    this.dirty[frame] = 0;
    return frame;
  }

  slabOf(frame: number): Uint8Array {
    return this.#slabs[Math.floor(frame / SLAB_FRAMES)]!;
  }

  offsetOf(frame: number): number {
    return (frame % SLAB_FRAMES) * PAGE_LENGTH;
  }

  view(frame: number, from: number, to: number): Uint8Array {
    const offset = this.offsetOf(frame);
    return this.slabOf(frame).subarray(offset + from, offset + to);
  }

  canPin(frame: number): boolean {
    return this.pins[frame]! < PINS_MAX;
  }

  pin(frame: number): void {
    if (this.pins[frame]!++ === 0) this.pinned += 1;
  }

  unpin(frame: number): void {
    assert(this.pins[frame]! > 0, 'a frame is let go of as often as it was pinned');
    if (--this.pins[frame]! > 0) return;
    this.pinned -= 1;
    const state = this.state[frame];
    if (state === ORPHAN) this.#putBack(frame);
    else if (state === HELD) this.onIdle(frame);
  }

  /** The page is not cached any more; the frame is in no list. */
  forget(frame: number): void {
    this.index.remove(frame);
    this.#letGo(frame);
  }

  /** The page of `former` is in `frame` from now on. */
  move(former: number, frame: number): void {
    const page = this.index.pages[former]!;
    this.index.remove(former);
    this.index.insert(page, frame);
    this.#letGo(former);
  }

  isLeaving(frame: number): boolean {
    return frame >= this.count;
  }

  /** More frames are there at once. Fewer: see `whenGone`; what is not pinned or dirty has to be forgotten. */
  resize(count: number): void {
    this.count = count;
    if (count > this.#reserved) this.#reserve(count);
    this.#free.clear();
    this.#leaving = 0;
    for (let frame = 0; frame < this.#fresh; frame++) {
      if (this.state[frame] !== FREE) this.#leaving += frame < count ? 0 : 1;
      else if (frame < count) this.#free.append(frame);
    }
    this.#shrinkIfGone();
  }

  /** Answers when the memory of all frames that are leaving has been given back. */
  whenGone(): Promise<void> {
    if (this.#leaving === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onGone = resolve;
    });
  }

  #freshFrame(): number {
    const frame = this.#fresh++;
    if (frame % SLAB_FRAMES === 0) this.#slabs.push(new Uint8Array(SLAB_FRAMES * PAGE_LENGTH));
    return frame;
  }

  #letGo(frame: number): void {
    if (this.pins[frame]! > 0) this.state[frame] = ORPHAN;
    else this.#putBack(frame);
  }

  #putBack(frame: number): void {
    this.state[frame] = FREE;
    if (frame < this.count) return this.#free.append(frame);
    this.#leaving -= 1;
    this.#shrinkIfGone();
  }

  #shrinkIfGone(): void {
    if (this.#leaving > 0) return;
    if (this.#reserved > this.count) {
      this.#fresh = Math.min(this.#fresh, this.count);
      this.#slabs.length = Math.ceil(this.#fresh / SLAB_FRAMES);
      this.#reserve(this.count);
    }
    this.#onGone?.();
    this.#onGone = undefined;
  }

  #reserve(count: number): void {
    const isIndexed = (frame: number): boolean => {
      const state = this.state[frame];
      return state !== FREE && state !== ORPHAN;
    };
    this.index.resize(count, isIndexed);
    this.links.resize(count);
    this.valid = resized(this.valid, new Uint8Array(count));
    this.dirty = resized(this.dirty, new Uint8Array(count));
    this.state = resized(this.state, new Uint8Array(count));
    this.heat = resized(this.heat, new Uint8Array(count));
    this.stamp = resized(this.stamp, new Int32Array(count));
    this.pins = resized(this.pins, new Uint16Array(count));
    this.#reserved = count;
  }
}
