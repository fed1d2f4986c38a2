/**
 * A dirty map on disk: two copies of a directory, then the pages of the map (docs/FORMATS.md, "Dirty map").
 *
 *   0     4096   8192
 *   dir A dir B  page 0  page 1 …            4 KiB each, with a CRC32C of its own
 *
 * The directory says against which epoch the map was kept and which groups of pages have been written; a group that
 * was never written is clean, so that starting a map costs one write whatever the size of the device. A page that
 * cannot be read, belongs to another map, or lacks although the directory knows it, reads as all ones.
 *
 * Never: takes a record for clean because it is damaged. A directory that is older than a page it belongs with is
 * not trusted either (its newer copy is lost).
 */

import { getCount, putCount } from '../base/count.ts';
import { crc32c } from '../base/crc32c.ts';
import { getUuid, putUuid, type Uuid } from '../base/uuid.ts';
import { type DirtyMap, WORDS_PER_PAGE } from './dirty-map.ts';

export const PAGE_LENGTH = 4096;
export const DIRECTORY_COPIES = 2;

const VERSION = 1;
const DIRECTORY_MAGIC = 0x4c534444;
const PAGE_MAGIC = 0x4c53444d;
const CHECKSUM = PAGE_LENGTH - 4;
const BODY = 124;
/** Groups that one directory can tell apart. */
const GROUPS_MAX = WORDS_PER_PAGE * 32;

/** The partner in a directory that says that nobody's map lies there; node ids begin at 1. */
export const NOBODY = 0;

/** Which map a record belongs to. */
export interface MapIdentity {
  readonly device: Uuid;
  readonly partner: number;
  /** The last epoch of which the partner was a member: the map has every change since. */
  readonly baseTerm: number;
  readonly baseId: Uuid;
  /** Of the partner's own records, as it told last in that epoch; 0: it has not. A disk that shows less lacks more. */
  readonly recorded: number;
}

export interface MapDirectory extends MapIdentity {
  /** One more with each directory written; the copy lies at `sequence` modulo 2. */
  readonly sequence: number;
  /** The sequence at which this map was begun; its pages carry the same. */
  readonly generation: number;
  readonly chunkCount: number;
  /** One bit per group of pages: has it been written. */
  readonly groups: Uint32Array;
}

/** log2 of pages per bit of the directory: 0 up to 60 TiB. */
export function groupShift(pageCount: number): number {
  let shift = 0;
  while (Math.ceil(pageCount / 2 ** shift) > GROUPS_MAX) shift += 1;
  return shift;
}

export function makeGroups(): Uint32Array {
  return new Uint32Array(WORDS_PER_PAGE);
}

export function encodeDirectory(directory: MapDirectory): Uint8Array {
  const bytes = new Uint8Array(PAGE_LENGTH);
  const view = new DataView(bytes.buffer);
  putHead(view, DIRECTORY_MAGIC, directory);
  putCount(view, 48, directory.sequence);
  putCount(view, 56, directory.generation);
  putCount(view, 64, directory.chunkCount);
  putCount(view, 72, directory.recorded);
  for (let i = 0; i < WORDS_PER_PAGE; i++) view.setUint32(BODY + 4 * i, directory.groups[i]!);
  view.setUint32(CHECKSUM, crc32c(bytes.subarray(0, CHECKSUM), 0));
  return bytes;
}

/** Undefined when it is not whole, or of a version that this program does not know. */
export function decodeDirectory(bytes: Uint8Array): MapDirectory | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isWhole(bytes, view, DIRECTORY_MAGIC)) return undefined;
  const groups = makeGroups();
  for (let i = 0; i < WORDS_PER_PAGE; i++) groups[i] = view.getUint32(BODY + 4 * i);
  return {
    ...getHead(view),
    recorded: getCount(view, 72),
    sequence: getCount(view, 48),
    generation: getCount(view, 56),
    chunkCount: getCount(view, 64),
    groups,
  };
}

export function encodePage(map: DirtyMap, page: number, directory: MapDirectory): Uint8Array {
  const bytes = new Uint8Array(PAGE_LENGTH);
  const view = new DataView(bytes.buffer);
  putHead(view, PAGE_MAGIC, directory);
  putCount(view, 48, page);
  putCount(view, 56, directory.generation);
  const first = page * WORDS_PER_PAGE;
  for (let i = 0; i < WORDS_PER_PAGE; i++) view.setUint32(BODY + 4 * i, map.word(first + i));
  view.setUint32(CHECKSUM, crc32c(bytes.subarray(0, CHECKSUM), 0));
  return bytes;
}

/** The generation of a whole page, whoever it belongs to; 0 when it is none. */
export function pageGeneration(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isWhole(bytes, view, PAGE_MAGIC) ? getCount(view, 56) : 0;
}

/** `newer`: a page of a later map than the directory knows of, so the directory is out of date. */
export type PageVerdict = 'read' | 'clean' | 'allOnes' | 'newer';

/** Adds to `map` what the record says of `page`; undefined bytes could not be read from the disk. */
export function decodePage(
  bytes: Uint8Array | undefined,
  page: number,
  directory: MapDirectory,
  map: DirtyMap,
): PageVerdict {
  const isKnown = hasGroup(directory.groups, page >>> groupShift(map.pageCount));
  const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes !== undefined && view !== undefined && isWhole(bytes, view, PAGE_MAGIC)) {
    const isOurs = view.getUint16(6) === directory.partner && getUuid(view, 8) === directory.device;
    const generation = getCount(view, 56);
    if (isOurs && generation > directory.generation) return 'newer';
    if (
      isOurs &&
      generation === directory.generation &&
      getCount(view, 48) === page &&
      sameBase(view, directory)
    ) {
      for (let i = 0; i < WORDS_PER_PAGE; i++)
        map.restoreWord(page * WORDS_PER_PAGE + i, view.getUint32(BODY + 4 * i));
      return 'read';
    }
  }
  if (!isKnown) return 'clean';
  markPage(map, page);
  return 'allOnes';
}

function sameBase(view: DataView, directory: MapDirectory): boolean {
  return getCount(view, 24) === directory.baseTerm && getUuid(view, 32) === directory.baseId;
}

function markPage(map: DirtyMap, page: number): void {
  for (let i = 0; i < WORDS_PER_PAGE; i++) map.restoreWord(page * WORDS_PER_PAGE + i, 0xffff_ffff);
}

export function hasGroup(groups: Uint32Array, group: number): boolean {
  return (groups[group >>> 5]! & (1 << (group & 31))) !== 0;
}

export function addGroup(groups: Uint32Array, group: number): void {
  groups[group >>> 5]! |= 1 << (group & 31);
}

function putHead(view: DataView, magic: number, identity: Omit<MapIdentity, 'recorded'>): void {
  view.setUint32(0, magic);
  view.setUint16(4, VERSION);
  view.setUint16(6, identity.partner);
  putUuid(view, 8, identity.device);
  putCount(view, 24, identity.baseTerm);
  putUuid(view, 32, identity.baseId);
}

function getHead(view: DataView): Omit<MapIdentity, 'recorded'> {
  return {
    device: getUuid(view, 8),
    partner: view.getUint16(6),
    baseTerm: getCount(view, 24),
    baseId: getUuid(view, 32),
  };
}

function isWhole(bytes: Uint8Array, view: DataView, magic: number): boolean {
  return (
    bytes.length === PAGE_LENGTH &&
    view.getUint32(0) === magic &&
    view.getUint16(4) === VERSION &&
    view.getUint32(CHECKSUM) === crc32c(bytes.subarray(0, CHECKSUM), 0)
  );
}
