/**
 * Reads: from the cache without a copy, from the device beneath where nothing is cached, and both in one answer. What
 * was read beneath is kept for later.
 *
 * Invariants
 *  1. What is cached when a read begins is answered from there: it is pinned until the answer is given back. So nothing
 *     is taken from beneath that was in the cache, perhaps newer, when the read was asked for.
 *  2. What was read beneath is kept only if no change of its blocks began meanwhile. Whoever reads waits for those that
 *     have begun before (cache.ts).
 */

import { fail, isAsync, type MaybeAsync, ok, type Result } from '../base/result.ts';
import type { BlockDevice, DeviceFault, Loan } from '../ports/block-device.ts';
import { NONE } from './frame-list.ts';
import { copyLoan, FrameLoan, FramesLoan } from './loans.ts';
import { limitsFor } from './limits.ts';
import { KEPT_PAGES_MAX, type Pages } from './pages.ts';

type Answer = MaybeAsync<Result<Loan, DeviceFault>>;

/** Blocks that are read beneath. */
interface Fill {
  readonly lba: number;
  readonly blocks: number;
  isKept: boolean;
  loan: Loan | undefined;
}

export class Reader {
  hits = 0;
  misses = 0;
  readonly #below: Pick<BlockDevice, 'read'>;
  readonly #pages: Pages;
  readonly #fills: Fill[] = [];
  #pinnedMax: number;

  constructor(below: Pick<BlockDevice, 'read'>, pages: Pages) {
    this.#below = below;
    this.#pages = pages;
    this.#pinnedMax = limitsFor(pages.frames.count).pinnedMax;
  }

  /** The number of frames has changed. */
  resized(): void {
    this.#pinnedMax = limitsFor(this.#pages.frames.count).pinnedMax;
  }

  read(lba: number, blocks: number): Answer {
    const pages = this.#pages;
    if (pages.frames.index.length === 0 && pages.frames.count === 0) return this.#below.read(lba, blocks);
    const { index, valid } = pages.frames;
    const first = pages.pageOf(lba);
    const last = pages.pageOf(lba + blocks - 1);
    let isWhole = true;
    for (let page = first; page <= last && isWhole; page++) {
      const frame = index.find(page);
      isWhole = frame !== NONE && (pages.within(page, lba, blocks) & ~valid[frame]!) === 0;
    }
    if (!isWhole) return this.#readAround(lba, blocks);
    this.hits += last - first + 1;
    if (first === last) {
      const from = (lba - first * pages.blocksPerPage) * pages.blockLength;
      return ok(this.#lendOne(index.find(first), from, from + blocks * pages.blockLength));
    }
    const segments: Uint8Array[] = [];
    const pins: number[] = [];
    this.#lend(lba, blocks, segments, pins);
    return ok(new FramesLoan(pages.frames, pins, segments, []));
  }

  /** The blocks change: what is being read of them is old, perhaps. */
  spoil(lba: number, blocks: number): void {
    for (const fill of this.#fills)
      if (fill.lba < lba + blocks && lba < fill.lba + fill.blocks) fill.isKept = false;
  }

  #lendOne(frame: number, from: number, to: number): Loan {
    const { frames, replacement } = this.#pages;
    replacement.hit(frame);
    const view = frames.view(frame, from, to);
    if (!this.#mayPin(frame)) return copyLoan([view]);
    frames.pin(frame);
    return new FrameLoan(frames, frame, view);
  }

  #mayPin(frame: number): boolean {
    const { frames } = this.#pages;
    return (frames.pinned < this.#pinnedMax || frames.pins[frame]! > 0) && frames.canPin(frame);
  }

  /** Adds views of the blocks, all of which are cached; those of frames beside each other in one. */
  #lend(lba: number, blocks: number, segments: Uint8Array[], pins: number[]): void {
    const pages = this.#pages;
    const { frames } = pages;
    const end = lba + blocks;
    let [start, length, former] = [NONE, 0, NONE];
    for (let at = lba; at < end; ) {
      const page = pages.pageOf(at);
      const frame = frames.index.find(page);
      pages.replacement.hit(frame);
      const stop = Math.min(end, (page + 1) * pages.blocksPerPage);
      const from = (at - page * pages.blocksPerPage) * pages.blockLength;
      const bytes = (stop - at) * pages.blockLength;
      at = stop;
      const isPinned = this.#mayPin(frame);
      if (
        former !== NONE &&
        isPinned &&
        frame === former + 1 &&
        frames.slabOf(frame) === frames.slabOf(former)
      ) {
        length += bytes;
      } else {
        if (former !== NONE) segments.push(frames.slabOf(former).subarray(start, start + length));
        start = frames.offsetOf(frame) + from;
        length = bytes;
      }
      former = isPinned ? frame : NONE;
      if (isPinned) pins.push(frame);
      else segments.push(frames.view(frame, from, from + bytes).slice());
      if (isPinned) frames.pin(frame);
    }
    if (former !== NONE) segments.push(frames.slabOf(former).subarray(start, start + length));
  }

  #readAround(lba: number, blocks: number): Answer {
    const segments: (Uint8Array | Fill)[] = [];
    const pins: number[] = [];
    const fills: Fill[] = [];
    for (let at = lba; at < lba + blocks; ) {
      const { isCached, end } = this.#stretchAt(at, lba + blocks);
      if (isCached) {
        this.#lend(at, end - at, segments as Uint8Array[], pins);
        this.hits += this.#pages.pagesOf(at, end - at);
      } else {
        const fill = { lba: at, blocks: end - at, isKept: this.#mayKeep(at, end - at), loan: undefined };
        fills.push(fill);
        segments.push(fill);
        this.misses += this.#pages.pagesOf(at, end - at);
      }
      at = end;
    }
    const waits: Promise<DeviceFault | undefined>[] = [];
    let fault: DeviceFault | undefined;
    for (const fill of fills) {
      const answer = this.#fill(fill);
      if (isAsync(answer)) waits.push(answer);
      else fault ??= answer;
    }
    if (waits.length === 0) return this.#answer(segments, pins, fills, fault);
    return Promise.all(waits).then((faults) =>
      this.#answer(segments, pins, fills, fault ?? faults.find((found) => found !== undefined)),
    );
  }

  /** Whether the block is cached, and up to where that is so of those behind it. */
  #stretchAt(lba: number, limit: number): { readonly isCached: boolean; readonly end: number } {
    const pages = this.#pages;
    const isCached = this.#isCached(lba);
    let end = lba + 1;
    while (end < limit) {
      const page = pages.pageOf(end);
      const frame = pages.frames.index.find(page);
      const inPage = Math.min(limit, (page + 1) * pages.blocksPerPage);
      const wanted = pages.within(page, end, inPage - end);
      const valid = frame === NONE ? 0 : pages.frames.valid[frame]! & wanted;
      if (valid === (isCached ? wanted : 0)) end = inPage;
      else if (this.#isCached(end) === isCached) end += 1;
      else break;
    }
    return { isCached, end };
  }

  #isCached(lba: number): boolean {
    const page = this.#pages.pageOf(lba);
    const frame = this.#pages.frames.index.find(page);
    return frame !== NONE && (this.#pages.frames.valid[frame]! & this.#pages.within(page, lba, 1)) !== 0;
  }

  #mayKeep(lba: number, blocks: number): boolean {
    const pages = this.#pages.pagesOf(lba, blocks);
    return pages <= KEPT_PAGES_MAX && this.#pages.frames.count > 0;
  }

  #fill(fill: Fill): MaybeAsync<DeviceFault | undefined> {
    const answer = this.#below.read(fill.lba, fill.blocks);
    if (!isAsync(answer)) return this.#filled(fill, answer);
    this.#fills.push(fill);
    return answer.then((result) => {
      const place = this.#fills.indexOf(fill);
      const last = this.#fills.pop()!;
      if (last !== fill) this.#fills[place] = last;
      return this.#filled(fill, result);
    });
  }

  #filled(fill: Fill, result: Result<Loan, DeviceFault>): DeviceFault | undefined {
    if (!result.ok) return result.fault;
    fill.loan = result.value;
    if (fill.isKept) this.#pages.fill(fill.lba, fill.blocks, result.value.segments);
    return undefined;
  }

  #answer(
    pieces: readonly (Uint8Array | Fill)[],
    pins: readonly number[],
    fills: readonly Fill[],
    fault: DeviceFault | undefined,
  ): Result<Loan, DeviceFault> {
    const loans: Loan[] = [];
    for (const { loan } of fills) if (loan !== undefined) loans.push(loan);
    if (fault === undefined && pieces.length === 1 && loans.length === 1) return ok(loans[0]!);
    const segments = pieces.flatMap((piece) =>
      piece instanceof Uint8Array ? [piece] : (piece.loan?.segments ?? []),
    );
    const loan = new FramesLoan(this.#pages.frames, pins, segments, loans);
    if (fault === undefined) return ok(loan);
    loan.release();
    return fail(fault);
  }
}
