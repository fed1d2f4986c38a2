/**
 * Which clean page has to go: S3-FIFO (docs/decisions/019-s3-fifo.md). New pages queue in `small`, a tenth of the frames;
 * what is asked for twice while it is there goes on to `main`, and so does what comes back soon after it had to go
 * (`ghosts` remembers it by a fingerprint). A scan passes through `small` and leaves `main` alone. A hit only counts;
 * it moves nothing.
 */

import { FrameList, NONE } from './frame-list.ts';
import { type Frames, HELD, HITS, IS_MAIN, MAIN, SMALL } from './frames.ts';
import { bucketsFor, fingerprintOf, hashOf } from './page-index.ts';

const SMALL_SHARE = 0.1;
/** Hits in `small` that make a page one of `main`. */
const HITS_TO_STAY = 2;

export class Replacement {
  evictions = 0;
  readonly #frames: Frames;
  readonly #small: FrameList;
  readonly #main: FrameList;
  /** One place per hash; a newer page overwrites an older one. */
  #ghosts: Int32Array;

  constructor(frames: Frames) {
    this.#frames = frames;
    this.#small = new FrameList(frames.links);
    this.#main = new FrameList(frames.links);
    this.#ghosts = new Int32Array(bucketsFor(frames.count));
    frames.onIdle = (frame) => this.enter(frame);
  }

  /** What a page that comes into the cache is known for. */
  heatOf(page: number): number {
    return this.#ghosts[hashOf(page) & (this.#ghosts.length - 1)] === fingerprintOf(page) ? IS_MAIN : 0;
  }

  hit(frame: number): void {
    const { heat } = this.#frames;
    if ((heat[frame]! & HITS) < HITS) heat[frame]! += 1;
  }

  /** The page is clean, and may go from now on. */
  enter(frame: number): void {
    const { state, heat, pins } = this.#frames;
    if (this.#frames.isLeaving(frame)) {
      if (pins[frame] === 0) this.#frames.forget(frame);
      else state[frame] = HELD;
    } else if ((heat[frame]! & IS_MAIN) > 0) {
      state[frame] = MAIN;
      this.#main.append(frame);
    } else {
      state[frame] = SMALL;
      this.#small.append(frame);
    }
  }

  /** The page is clean; from now on it does not go by itself. */
  leave(frame: number): void {
    const state = this.#frames.state[frame];
    if (state === SMALL) this.#small.remove(frame);
    else if (state === MAIN) this.#main.remove(frame);
  }

  /** Lets pages go until so many frames may be taken; false: what is left is in use. */
  makeRoom(frames: number): boolean {
    while (this.#frames.available < frames) if (!this.#evict()) return false;
    return true;
  }

  /** After the number of frames has changed. */
  resize(): void {
    const { count, used } = this.#frames;
    this.#ghosts = new Int32Array(bucketsFor(count));
    const { state, pins } = this.#frames;
    for (let frame = count; frame < used; frame++) {
      if (state[frame] !== SMALL && state[frame] !== MAIN) continue;
      this.leave(frame);
      state[frame] = HELD;
      if (pins[frame] === 0) this.enter(frame);
    }
  }

  #evict(): boolean {
    const smallMax = Math.floor(this.#frames.count * SMALL_SHARE);
    for (;;) {
      const isSmall = this.#small.length > smallMax || this.#main.length === 0;
      const queue = isSmall ? this.#small : this.#main;
      const frame = queue.head;
      if (frame === NONE) return false;
      queue.remove(frame);
      if (this.#frames.pins[frame]! > 0) this.#frames.state[frame] = HELD;
      else if (!this.#stays(frame, isSmall)) return true;
    }
  }

  #stays(frame: number, isSmall: boolean): boolean {
    const { heat, state, index } = this.#frames;
    const hits = heat[frame]! & HITS;
    if (isSmall ? hits >= HITS_TO_STAY : hits > 0) {
      heat[frame] = isSmall ? IS_MAIN : heat[frame]! - 1;
      state[frame] = MAIN;
      this.#main.append(frame);
      return true;
    }
    if (isSmall) {
      const page = index.pages[frame]!;
      this.#ghosts[hashOf(page) & (this.#ghosts.length - 1)] = fingerprintOf(page);
    }
    this.#frames.forget(frame);
    this.evictions += 1;
    return false;
  }
}
