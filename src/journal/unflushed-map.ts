/**
 * What a partner has acknowledged but may hold only in memory. When it crashes, this is dirty for it, and so a hard
 * reset with a write-back cache still ends in a fast resync. In memory only: it matters only while this node lives.
 *
 *   mark ──► current ──seal──► sealed ──confirm──► forgotten
 *
 * `seal` goes with a flush marker to the partner; its answer, "everything you sent before the marker is on my
 * medium", is `confirm`. One marker is under way at a time, which is why two generations are enough.
 *
 * Invariant: everything marked since the last confirmed marker was sent is in the union of both.
 */

import { assert } from '../base/assert.ts';
import { DirtyMap } from './dirty-map.ts';

export class UnflushedMap {
  #current: DirtyMap;
  #sealed: DirtyMap;
  #underWay = false;

  constructor(blockCount: number, blockLength: number) {
    this.#current = new DirtyMap(blockCount, blockLength);
    this.#sealed = new DirtyMap(blockCount, blockLength);
  }

  /** The same for the device as it is now, larger or smaller; no marker is under way. */
  resized(blockCount: number, blockLength: number): UnflushedMap {
    assert(!this.#underWay, 'no marker is under way while a device changes its size');
    const resized = new UnflushedMap(blockCount, blockLength);
    this.copyTo(resized.#current);
    return resized;
  }

  /** Whether a marker waits for its answer. */
  get underWay(): boolean {
    return this.#underWay;
  }

  get isEmpty(): boolean {
    return this.#current.count === 0 && this.#sealed.count === 0;
  }

  mark(lba: number, blocks: number): void {
    this.#current.mark(lba, blocks);
  }

  /** A marker is sent. */
  seal(): void {
    assert(!this.#underWay && this.#sealed.count === 0, 'one marker is under way at a time');
    [this.#current, this.#sealed] = [this.#sealed, this.#current];
    this.#underWay = true;
  }

  /** The partner has confirmed the marker. */
  confirm(): void {
    assert(this.#underWay, 'only a marker that was sent is confirmed');
    this.#sealed.clearAll();
    this.#underWay = false;
  }

  /** The marker will never be answered: what it covered waits for the next one. */
  abandon(): void {
    this.#current.union(this.#sealed);
    this.#sealed.clearAll();
    this.#underWay = false;
  }

  copyTo(map: DirtyMap): void {
    map.union(this.#current);
    map.union(this.#sealed);
  }

  /** The partner is gone, and with it the marker: all of this is dirty for it. */
  moveTo(map: DirtyMap): void {
    this.copyTo(map);
    this.#current.clearAll();
    this.#sealed.clearAll();
    this.#underWay = false;
  }
}
