/**
 * How large a device is: a document of the device (docs/FORMATS.md, "Size"). It changes only from one configuration to the
 * next, so that all members begin to act on it together. Revision 0: as the device was made.
 */

import { getCount, putCount } from '../../base/count.ts';
import type { KeptDocument } from './handover.ts';

const VERSION = 1;
const LENGTH = 16;
/** 1 PiB of blocks of 512 bytes: the journal of more would not fit into memory. */
export const BLOCK_COUNT_MAX = 2 ** 41;

/** Version (1), 7 zero, block count (8). */
function encodeSize(blockCount: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  bytes[0] = VERSION;
  putCount(new DataView(bytes.buffer), 8, blockCount);
  return bytes;
}

/** Blocks; undefined: none, or of a later program. */
export function decodeSize(bytes: Uint8Array | undefined): number | undefined {
  if (bytes?.length !== LENGTH || bytes[0] !== VERSION) return undefined;
  const blockCount = getCount(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 8);
  return blockCount > 0 && blockCount <= BLOCK_COUNT_MAX ? blockCount : undefined;
}

export function sizeDocument(blockCount: number, revision = 0): KeptDocument {
  return { name: 'size', revision, bytes: encodeSize(blockCount) };
}

/** What these say; undefined: nothing. */
export function sizeIn(documents: readonly KeptDocument[]): number | undefined {
  return decodeSize(documents.find(({ name }) => name === 'size')?.bytes);
}
