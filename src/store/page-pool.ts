/**
 * Memory of the RAM store: pages cut out of slabs. A page on its own costs about 27 µs to get (an ArrayBuffer of
 * 64 KiB is filled with zeros and touched all over); a slab of 4 MiB comes as untouched zero pages of the kernel and a
 * page of it costs about 6 µs. Slabs of which no page is in use are let go of, but for a few: copy-on-write takes and
 * returns pages all the time, and slabs should not come and go with it.
 */

import { assert } from '../base/assert.ts';

/** Also what a copy-on-write copies: 64 KiB take 1.3 µs. */
export const PAGE_LENGTH = 64 * 1024;
const SLAB_PAGES = 64;
/** Slabs without a page in use that are kept for the next pages. */
const SPARE_SLABS_MAX = 4;

interface Slab {
  readonly bytes: Uint8Array;
  /** Pages that were never used, from here on. */
  fresh: number;
  /** Pages that were used and given back; not zeroed yet. */
  readonly returned: number[];
}

/** A page of memory, and who reads it at the moment. */
export class Frame {
  readonly bytes: Uint8Array;
  readonly slab: Slab;
  readonly index: number;
  /** Loans not yet released, and the bytes that all of them together span. */
  loans = 0;
  lentFrom = 0;
  lentTo = 0;
  /** No longer part of the device: returns to the pool with its last loan. */
  orphan = false;

  constructor(slab: Slab, index: number) {
    this.slab = slab;
    this.index = index;
    this.bytes = slab.bytes.subarray(index * PAGE_LENGTH, (index + 1) * PAGE_LENGTH);
  }
}

export class PagePool {
  readonly #withRoom = new Set<Slab>();
  #spareSlabs = 0;

  /** A page of zeros. */
  take(): Frame {
    const slab = this.#slabWithRoom();
    if (isSpare(slab)) this.#spareSlabs -= 1;
    const dirty = slab.returned.pop();
    const frame = new Frame(slab, dirty ?? slab.fresh++);
    if (dirty !== undefined) frame.bytes.fill(0);
    if (slab.returned.length === 0 && slab.fresh === SLAB_PAGES) this.#withRoom.delete(slab);
    return frame;
  }

  lend(frame: Frame, from: number, to: number): void {
    if (frame.loans === 0) {
      frame.lentFrom = from;
      frame.lentTo = to;
    } else {
      if (from < frame.lentFrom) frame.lentFrom = from;
      if (to > frame.lentTo) frame.lentTo = to;
    }
    frame.loans += 1;
  }

  release(frame: Frame): void {
    assert(frame.loans > 0, 'a loan is released once');
    frame.loans -= 1;
    if (frame.loans === 0 && frame.orphan) this.#giveBack(frame);
  }

  /** The device has no use for the page any more; readers may still. */
  drop(frame: Frame): void {
    assert(!frame.orphan, 'a page is dropped once');
    frame.orphan = true;
    if (frame.loans === 0) this.#giveBack(frame);
  }

  #slabWithRoom(): Slab {
    for (const slab of this.#withRoom) return slab;
    const slab: Slab = { bytes: new Uint8Array(PAGE_LENGTH * SLAB_PAGES), fresh: 0, returned: [] };
    this.#withRoom.add(slab);
    return slab;
  }

  #giveBack(frame: Frame): void {
    const { slab } = frame;
    slab.returned.push(frame.index);
    this.#withRoom.add(slab);
    if (!isSpare(slab)) return;
    if (this.#spareSlabs < SPARE_SLABS_MAX) this.#spareSlabs += 1;
    else this.#withRoom.delete(slab);
  }
}

/** None of the pages that were ever used is in use. */
function isSpare(slab: Slab): boolean {
  return slab.fresh > 0 && slab.returned.length === slab.fresh;
}
