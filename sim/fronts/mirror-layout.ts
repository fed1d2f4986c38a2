/** Where the blocks of the world lie on the mirrored device. */

import { SUPERBLOCK_FILE_LENGTH } from '../../src/cluster/superblock.ts';
import { journalLength } from '../../src/journal/journal.ts';
import { SECTOR_LENGTH } from '../medium.ts';
import type { WorkloadShape } from '../worker.ts';

export const BLOCK_LENGTH = 512;
const BLOCKS_PER_EXTENT = 8192;
/** A little more than three extents of the activity log. */
export const DEVICE_BLOCKS = 3 * BLOCKS_PER_EXTENT + 40;
/** Blocks behind the end that the device was made with, of which commands know. */
export const NEW_BLOCKS = 48;
const NEW_STRIDE = 211;
/** No administrator makes it longer: another extent. */
export const DEVICE_BLOCKS_MAX = DEVICE_BLOCKS + NEW_BLOCKS * NEW_STRIDE;
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

/** Of the block `index` among those: pairs, each a long way from the next. */
export function newLbaOf(index: number): number {
  return DEVICE_BLOCKS + (index >> 1) * 2 * NEW_STRIDE + (index & 1);
}

/** How many of them a device so long has. */
export function newBlocksOf(blockCount: number): number {
  let count = 0;
  while (count < NEW_BLOCKS && newLbaOf(count) < blockCount) count += 1;
  return count;
}

export const DEVICE = 'd'.repeat(32);

/** Of the disk with superblock and journal of a device so long, which has so many copies. */
export function recordSectors(blocks: number, copies: number): number {
  return Math.ceil((SUPERBLOCK_FILE_LENGTH + journalLength(blocks, BLOCK_LENGTH, copies)) / SECTOR_LENGTH);
}
