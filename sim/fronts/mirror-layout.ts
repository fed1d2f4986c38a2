/** Where the blocks of the world lie on the mirrored device. */

export const BLOCK_LENGTH = 512;
const BLOCKS_PER_EXTENT = 8192;
/** A little more than three extents of the activity log. */
export const DEVICE_BLOCKS = 3 * BLOCKS_PER_EXTENT + 40;
/** Writes that reservations guard go here. */
export const RESERVED_LBA = BLOCKS_PER_EXTENT + 5;
/** Data lies over the border of two chunks, locks in another extent. */
const DATA_LBA = 126;
const LOCKS_LBA = 2 * BLOCKS_PER_EXTENT;

export function lbaOf(block: number, dataBlocks: number): number {
  return block < dataBlocks ? DATA_LBA + block : LOCKS_LBA + (block - dataBlocks);
}
