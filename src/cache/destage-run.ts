/** Dirty pages that lie beside each other, as one write for the device beneath. */

import { serialLess } from '../base/serial-number.ts';
import { NONE } from './frame-list.ts';
import { DIRTY, PAGE_LENGTH } from './frames.ts';
import { maskOf, type Pages } from './pages.ts';

export interface Run {
  readonly firstPage: number;
  /** One for each page. */
  readonly frames: readonly number[];
  /** Generation of its oldest page. */
  readonly generation: number;
}

interface Piece {
  readonly lba: number;
  readonly blocks: number;
  readonly data: readonly Uint8Array[];
}

/** The page and its dirty neighbours, as far as `isFree` lets them be written now. */
export function runAround(
  pages: Pages,
  page: number,
  pagesMax: number,
  isFree: (page: number) => boolean,
): Run {
  const { index, state, stamp } = pages.frames;
  const seed = index.find(page);
  const frames = [seed];
  let firstPage = page;
  if (!pages.dirty.isFailure(seed) && isSolid(pages, seed)) {
    const next = (at: number): number => {
      const frame = frames.length < pagesMax ? index.find(at) : NONE;
      const joins = frame !== NONE && state[frame] === DIRTY && !pages.dirty.isFailure(frame);
      return joins && isSolid(pages, frame) && isFree(at) ? frame : NONE;
    };
    const before: number[] = [];
    for (let frame = seed; reachesStart(pages, frame); ) {
      frame = firstPage === 0 ? NONE : next(firstPage - 1);
      if (frame === NONE || before.length + 1 >= pagesMax || !reachesEnd(pages, frame)) break;
      before.push(frame);
      firstPage -= 1;
    }
    frames.unshift(...before.reverse());
    for (let frame = seed; reachesEnd(pages, frame); ) {
      frame = next(firstPage + frames.length);
      if (frame === NONE || !reachesStart(pages, frame)) break;
      frames.push(frame);
    }
  }
  let generation = stamp[seed]!;
  for (const frame of frames) if (serialLess(stamp[frame]!, generation)) generation = stamp[frame]!;
  return { firstPage, frames, generation };
}

/** A solid run is one write; a page with gaps in it is several. */
export function piecesOf(pages: Pages, run: Run): Piece[] {
  const { blocksPerPage, blockLength, frames } = pages;
  const seed = run.frames[0]!;
  const firstLba = run.firstPage * blocksPerPage;
  if (run.frames.length === 1 && !isSolid(pages, seed)) {
    const pieces: Piece[] = [];
    const dirty = frames.dirty[seed]!;
    for (let from = 0; from < blocksPerPage; from++) {
      if ((dirty & (1 << from)) === 0) continue;
      let to = from + 1;
      while ((dirty & (1 << to)) !== 0) to += 1;
      const data = [frames.view(seed, from * blockLength, to * blockLength)];
      pieces.push({ lba: firstLba + from, blocks: to - from, data });
      from = to;
    }
    return pieces;
  }
  const last = run.frames.at(-1)!;
  const from = lowestBit(frames.dirty[seed]!);
  const to = (run.frames.length - 1) * blocksPerPage + highestBit(frames.dirty[last]!) + 1;
  const data = viewsOf(pages, run.frames, from * blockLength, to * blockLength);
  return [{ lba: firstLba + from, blocks: to - from, data }];
}

/** Bytes `from` to `to` of frames one after the other, in as few views as their places allow. */
function viewsOf(pages: Pages, list: readonly number[], from: number, to: number): Uint8Array[] {
  const { frames } = pages;
  const views: Uint8Array[] = [];
  let start = from;
  for (let at = 0; at < list.length; ) {
    let end = at + 1;
    while (end < list.length && list[end] === list[end - 1]! + 1 && isSameSlab(pages, list[at]!, list[end]!))
      end += 1;
    const stop = Math.min(to, end * PAGE_LENGTH) - at * PAGE_LENGTH;
    views.push(frames.view(list[at]!, start - at * PAGE_LENGTH, stop));
    start = end * PAGE_LENGTH;
    at = end;
  }
  return views;
}

function isSameSlab({ frames }: Pages, a: number, b: number): boolean {
  return frames.slabOf(a) === frames.slabOf(b);
}

/** From its first dirty block to its last one everything is valid: clean blocks in between may be written with them. */
function isSolid({ frames }: Pages, frame: number): boolean {
  const dirty = frames.dirty[frame]!;
  const hull = maskOf(lowestBit(dirty), highestBit(dirty) + 1);
  return (hull & ~frames.valid[frame]!) === 0;
}

function reachesStart({ frames }: Pages, frame: number): boolean {
  return (frames.dirty[frame]! & 1) !== 0;
}

function reachesEnd({ frames, blocksPerPage }: Pages, frame: number): boolean {
  return (frames.dirty[frame]! & (1 << (blocksPerPage - 1))) !== 0;
}

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

function highestBit(mask: number): number {
  return 31 - Math.clz32(mask);
}
