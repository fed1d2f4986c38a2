/**
 * Parameter lists of POPULATE TOKEN (SBC-3) and WRITE USING TOKEN (SBC-3).
 *
 *   both      0 DATA LENGTH (2), 2 IMMED (bit 0)
 *   populate  2 RTV (bit 1), 4 INACTIVITY TIMEOUT (4), 8 ROD TYPE (4), 14 descriptors' length (2), 16 descriptors
 *   write     2 DEL_TKN (bit 1), 8 OFFSET INTO ROD (8), 16 ROD token (512), 534 descriptors' length (2), 536 descriptors
 *   range     0 LBA (8), 8 NUMBER OF LOGICAL BLOCKS (4)
 */

import { fail, ok, type Result } from '../../base/result.ts';
import type { Extent, Geometry } from '../../ports/block-device.ts';
import { u16, u32, u64 } from '../fields.ts';
import { type Fault, fault, invalidParameter } from '../sense.ts';
import { INACTIVITY_SECONDS_MAX, RANGE_DESCRIPTORS_MAX, TOKEN_BYTES_MAX } from './limits.ts';
import { RodType, TOKEN_LENGTH } from './token-format.ts';

export const POPULATE_HEADER_LENGTH = 16;
export const WRITE_HEADER_LENGTH = 24 + TOKEN_LENGTH;
export const RANGES_LENGTH_MAX = RANGE_DESCRIPTORS_MAX * 16;

const IMMED = 0x01;
const RTV = 0x02;
const DEL_TKN = 0x02;

interface List {
  readonly immediate: boolean;
  /** In the order of the data; none is empty. */
  readonly extents: readonly Extent[];
  readonly blocks: number;
}

export interface PopulateList extends List {
  /** 0: the default. */
  readonly inactivitySeconds: number;
}

export interface WriteList extends List {
  readonly deletesToken: boolean;
  /** Blocks of the unit that is written. */
  readonly offset: number;
  readonly token: Uint8Array;
}

export function decodePopulateList(list: Uint8Array, geometry: Geometry): Result<PopulateList, Fault> {
  const inactivitySeconds = u32(list, 4);
  if (inactivitySeconds > INACTIVITY_SECONDS_MAX) return fail(invalidParameter(4));
  if ((list[2]! & RTV) !== 0 && !isMade(u32(list, 8))) return fail(invalidParameter(8));
  const decoded = decodeList(list, POPULATE_HEADER_LENGTH, geometry);
  return decoded.ok ? ok({ ...decoded.value, inactivitySeconds }) : decoded;
}

function isMade(rodType: number): boolean {
  return rodType === RodType.CHANGE_VULNERABLE || rodType === RodType.ANY_POINT_IN_TIME;
}

export function decodeWriteList(list: Uint8Array, geometry: Geometry): Result<WriteList, Fault> {
  const decoded = decodeList(list, WRITE_HEADER_LENGTH, geometry);
  if (!decoded.ok) return decoded;
  return ok({
    ...decoded.value,
    deletesToken: (list[2]! & DEL_TKN) !== 0,
    offset: u64(list, 8),
    token: list.slice(16, 16 + TOKEN_LENGTH),
  });
}

function decodeList(list: Uint8Array, headerLength: number, geometry: Geometry): Result<List, Fault> {
  const rangesLength = u16(list, headerLength - 2);
  if (u16(list, 0) < headerLength - 2 + rangesLength) return fail(invalidParameter(0));
  if (headerLength + rangesLength > list.length) return fail(fault('parameterListLengthError'));
  if (rangesLength < 16 || rangesLength % 16 !== 0) return fail(invalidParameter(headerLength - 2));
  if (rangesLength > RANGES_LENGTH_MAX) return fail(fault('tooManySegmentDescriptors'));
  const extents: Extent[] = [];
  let blocks = 0;
  for (let at = headerLength; at < headerLength + rangesLength; at += 16) {
    const extent: Extent = { lba: u64(list, at), blocks: u32(list, at + 8) };
    if (extent.lba + extent.blocks > geometry.blockCount) return fail(fault('lbaOutOfRange'));
    if (extents.some((other) => overlap(other, extent))) return fail(invalidParameter(at));
    blocks += extent.blocks;
    if (blocks * geometry.blockLength > TOKEN_BYTES_MAX) return fail(invalidParameter(at + 8));
    if (extent.blocks > 0) extents.push(extent);
  }
  return ok({ immediate: (list[2]! & IMMED) !== 0, extents, blocks });
}

function overlap(a: Extent, b: Extent): boolean {
  return a.lba < b.lba + b.blocks && b.lba < a.lba + a.blocks;
}
