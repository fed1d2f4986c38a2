/**
 * A dirty map on its way to another node (docs/FORMATS.md, "Messages between nodes"): runs of spans, each of 32 words, which
 * are 1024 chunks or 64 MiB of the device. A clean map takes no bytes, one that is dirty all over a few, none much more
 * than its bits.
 */

import { CHUNK_LENGTH, DirtyMap } from '../../journal/dirty-map.ts';
import type { Sized } from '../../replication/operation-wire.ts';

const WORDS_PER_SPAN = 32;
const CHUNKS_PER_SPAN = 32 * WORDS_PER_SPAN;
const SPAN_LENGTH = 4 * WORDS_PER_SPAN;
const RUN_LENGTH = 8;
/** In the length of a run: all its chunks are dirty, no words follow. */
const FULL = 0x8000_0000;
const ALL_ONES = 0xffff_ffff;

interface Run {
  readonly first: number;
  spans: number;
  readonly isFull: boolean;
}

export function encodeMap(map: DirtyMap): Uint8Array {
  const runs = runsOf(map);
  let length = 0;
  for (const { spans, isFull } of runs) length += RUN_LENGTH + (isFull ? 0 : spans * SPAN_LENGTH);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { first, spans, isFull } of runs) {
    view.setUint32(at, first);
    view.setUint32(at + 4, isFull ? (FULL | spans) >>> 0 : spans);
    at += RUN_LENGTH;
    if (isFull) continue;
    const end = (first + spans) * WORDS_PER_SPAN;
    for (let word = first * WORDS_PER_SPAN; word < end; word++, at += 4) view.setUint32(at, map.word(word));
  }
  return bytes;
}

/** Undefined: not a map of this device. */
export function decodeMap(bytes: Uint8Array, { geometry }: Sized): DirtyMap | undefined {
  const map = new DirtyMap(geometry.blockCount, geometry.blockLength);
  const spanCount = Math.ceil(map.chunkCount / CHUNKS_PER_SPAN);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [at, next] = [0, 0];
  while (at < bytes.length) {
    if (at + RUN_LENGTH > bytes.length) return undefined;
    const first = view.getUint32(at);
    const isFull = view.getUint8(at + 4) >= 0x80;
    const spans = (view.getUint32(at + 4) & ~FULL) >>> 0;
    at += RUN_LENGTH;
    const end = first + spans;
    if (first < next || spans === 0 || end > spanCount) return undefined;
    next = end;
    if (isFull) {
      map.markChunks(first * CHUNKS_PER_SPAN, Math.min(end * CHUNKS_PER_SPAN, map.chunkCount) - 1);
      continue;
    }
    if (at + spans * SPAN_LENGTH > bytes.length) return undefined;
    for (let word = first * WORDS_PER_SPAN; word < end * WORDS_PER_SPAN; word++, at += 4)
      map.restoreWord(word, view.getUint32(at));
  }
  return map;
}

/** No map of the device takes more bytes. */
export function mapLengthMax({ geometry }: Sized): number {
  const chunkCount = Math.ceil((geometry.blockCount * geometry.blockLength) / CHUNK_LENGTH);
  return Math.ceil(chunkCount / CHUNKS_PER_SPAN) * (RUN_LENGTH + SPAN_LENGTH);
}

function runsOf(map: DirtyMap): Run[] {
  const runs: Run[] = [];
  let chunk = map.next(0);
  while (chunk >= 0) {
    const span = Math.floor(chunk / CHUNKS_PER_SPAN);
    const isFull = isFullSpan(map, span);
    const last = runs.at(-1);
    if (last !== undefined && last.isFull === isFull && last.first + last.spans === span) last.spans += 1;
    else runs.push({ first: span, spans: 1, isFull });
    chunk = map.next((span + 1) * CHUNKS_PER_SPAN);
  }
  return runs;
}

function isFullSpan(map: DirtyMap, span: number): boolean {
  const end = (span + 1) * WORDS_PER_SPAN;
  for (let word = span * WORDS_PER_SPAN; word < end; word++) if (map.word(word) !== ALL_ONES) return false;
  return true;
}
