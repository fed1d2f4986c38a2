/** What the device server accepts in one command; VPD page B0h promises it and the plans of the commands keep it. */

import type { Geometry } from '../ports/block-device.ts';

/** MAXIMUM TRANSFER LENGTH: 16 MiB. */
const TRANSFER_BYTES_MAX = 16 << 20;
/** OPTIMAL TRANSFER LENGTH. */
export const TRANSFER_BYTES_OPTIMAL = 1 << 20;
/** MAXIMUM COMPARE AND WRITE LENGTH. */
export const COMPARE_AND_WRITE_BLOCKS_MAX = 128;
/** MAXIMUM WRITE SAME LENGTH: one command may hold the device no longer than this takes. */
const WRITE_SAME_BYTES_MAX = 16 << 20;
/** MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT. */
export const UNMAP_DESCRIPTORS_MAX = 256;
/** MAXIMUM UNMAP LBA COUNT, of all descriptors together: 512 MiB, for the same reason. */
const UNMAP_BYTES_MAX = 512 << 20;

export function transferBlocksMax(geometry: Geometry): number {
  return TRANSFER_BYTES_MAX / geometry.blockLength;
}

export function writeSameBlocksMax(geometry: Geometry): number {
  return WRITE_SAME_BYTES_MAX / geometry.blockLength;
}

export function unmapBlocksMax(geometry: Geometry): number {
  return UNMAP_BYTES_MAX / geometry.blockLength;
}
