/** Where the blocks of the world lie on the mirrored device. */

import type { WorkloadShape } from '../worker.ts';

export const BLOCK_LENGTH = 512;
const BLOCKS_PER_EXTENT = 8192;
/** A little more than three extents of the activity log. */
export const DEVICE_BLOCKS = 3 * BLOCKS_PER_EXTENT + 40;
/** Writes that reservations guard go here. */
export const RESERVED_LBA = BLOCKS_PER_EXTENT + 5;
/** Data lies over the border of two chunks, each island of it in chunks of its own; locks in another extent. */
const DATA_LBA = 126;
const ISLAND_STRIDE = 1024;
const LOCKS_LBA = 2 * BLOCKS_PER_EXTENT;

export function lbaOf(
  block: number,
  { dataBlocks, islandBlocks }: Pick<WorkloadShape, 'dataBlocks' | 'islandBlocks'>,
): number {
  if (block >= dataBlocks) return LOCKS_LBA + (block - dataBlocks);
  if (islandBlocks > block) return DATA_LBA + block;
  return DATA_LBA + Math.floor(block / islandBlocks) * ISLAND_STRIDE + (block % islandBlocks);
}

export const DEVICE = 'd'.repeat(32);
