/** Lists of frames whose links lie in two typed arrays: no object per entry. A frame is in one list at most. */

/** No frame. */
export const NONE = -1;

/** Links of all frames; shared by the lists, because no frame is in two of them. */
export class Links {
  next: Int32Array;
  previous: Int32Array;

  constructor(count: number) {
    this.next = new Int32Array(count);
    this.previous = new Int32Array(count);
  }

  resize(count: number): void {
    this.next = resized(this.next, new Int32Array(count));
    this.previous = resized(this.previous, new Int32Array(count));
  }
}

/** First in, first out. */
export class FrameList {
  head = NONE;
  length = 0;
  readonly #links: Links;
  #tail = NONE;

  constructor(links: Links) {
    this.#links = links;
  }

  append(frame: number): void {
    const { next, previous } = this.#links;
    next[frame] = NONE;
    previous[frame] = this.#tail;
    if (this.#tail === NONE) this.head = frame;
    else next[this.#tail] = frame;
    this.#tail = frame;
    this.length += 1;
  }

  remove(frame: number): void {
    const { next, previous } = this.#links;
    const after = next[frame]!;
    const before = previous[frame]!;
    if (before === NONE) this.head = after;
    else next[before] = after;
    if (after === NONE) this.#tail = before;
    else previous[after] = before;
    this.length -= 1;
  }

  /** `frame` takes the place of `former`. */
  replace(former: number, frame: number): void {
    const { next, previous } = this.#links;
    const after = next[former]!;
    const before = previous[former]!;
    next[frame] = after;
    previous[frame] = before;
    if (before === NONE) this.head = frame;
    else next[before] = frame;
    if (after === NONE) this.#tail = frame;
    else previous[after] = frame;
  }

  clear(): void {
    this.head = NONE;
    this.#tail = NONE;
    this.length = 0;
  }

  after(frame: number): number {
    return this.#links.next[frame]!;
  }
}

interface Numbers<A> {
  readonly length: number;
  subarray(from: number, to: number): A;
  set(from: A): void;
}

/** As much of `former` as `fresh` has room for; answers `fresh`. */
export function resized<A extends Numbers<A>>(former: A, fresh: A): A {
  fresh.set(former.subarray(0, Math.min(former.length, fresh.length)));
  return fresh;
}
