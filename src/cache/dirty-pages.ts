/**
 * Pages that the device beneath does not have yet, oldest first.
 *
 *   add ──► waiting ──begin──► writing ──wrote──► (clean)
 *              ▲                  └──couldNotWrite──► failed
 *              └────────────retry────────────────────────┘
 *
 * Every page carries the generation in which it became dirty; the list is in order of generations. So "all that was
 * dirty at this moment" is one number, and a page that is changed again while it waits keeps its place.
 */

import { serialAdd, serialLessOrEqual } from '../base/serial-number.ts';
import { FrameList, NONE } from './frame-list.ts';
import { DIRTY, FAILED, type Frames, HAS_FAILED, WRITING } from './frames.ts';

export class DirtyPages {
  readonly waiting: FrameList;
  /** Pages whose last writing failed, waiting or being written again among them. */
  failures = 0;
  #generation = 1;
  #writing = 0;
  readonly #failed: FrameList;
  readonly #frames: Frames;

  constructor(frames: Frames) {
    this.#frames = frames;
    this.waiting = new FrameList(frames.links);
    this.#failed = new FrameList(frames.links);
  }

  /** Frames; of a page that was changed while it is being written, two. */
  get count(): number {
    return this.waiting.length + this.#failed.length + this.#writing;
  }

  /** Ends the present generation and answers its number. */
  nextGeneration(): number {
    const ended = this.#generation;
    this.#generation = serialAdd(ended, 1);
    return ended;
  }

  /** Whether a page of this generation or an older one waits. */
  hasWaiting(generation: number): boolean {
    const oldest = this.waiting.head;
    return oldest !== NONE && this.isOf(oldest, generation);
  }

  /** Whether the page became dirty in this generation or in an older one. */
  isOf(frame: number, generation: number): boolean {
    return serialLessOrEqual(this.#frames.stamp[frame]!, generation | 0);
  }

  isFailure(frame: number): boolean {
    return (this.#frames.heat[frame]! & HAS_FAILED) > 0;
  }

  /** The page is in no list. */
  add(frame: number): void {
    this.#frames.state[frame] = DIRTY;
    this.#frames.stamp[frame] = this.#generation | 0;
    this.waiting.append(frame);
  }

  /** The page waits, or has failed, and is dirty no more. */
  remove(frame: number): void {
    this.#listOf(frame).remove(frame);
    this.#forgive(frame);
  }

  /** `frame` holds the page of `former` from now on, which waits or has failed. */
  replace(former: number, frame: number): void {
    const { state, stamp } = this.#frames;
    this.#listOf(former).replace(former, frame);
    state[frame] = state[former]!;
    stamp[frame] = stamp[former]!;
  }

  begin(frame: number): void {
    this.waiting.remove(frame);
    this.#frames.state[frame] = WRITING;
    this.#writing += 1;
  }

  /** Another frame holds the page now, and what it has that is not beneath. */
  abandon(frame: number): void {
    this.#forgive(frame);
  }

  /** Both after `begin`; an orphan is in no list afterwards. */
  wrote(frame: number): void {
    this.#writing -= 1;
    if (this.#frames.state[frame] !== WRITING) return;
    this.#frames.dirty[frame] = 0;
    this.#forgive(frame);
  }

  couldNotWrite(frame: number): void {
    this.#writing -= 1;
    const { state, heat } = this.#frames;
    if (state[frame] !== WRITING) return;
    if (!this.isFailure(frame)) this.failures += 1;
    heat[frame]! |= HAS_FAILED;
    state[frame] = FAILED;
    this.#failed.append(frame);
  }

  /** What has failed waits again. */
  retry(): void {
    for (let frame = this.#failed.head; frame !== NONE; frame = this.#failed.head) {
      this.#failed.remove(frame);
      this.add(frame);
    }
  }

  #listOf(frame: number): FrameList {
    return this.#frames.state[frame] === FAILED ? this.#failed : this.waiting;
  }

  #forgive(frame: number): void {
    if (!this.isFailure(frame)) return;
    this.failures -= 1;
    this.#frames.heat[frame]! &= ~HAS_FAILED;
  }
}
