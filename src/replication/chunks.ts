/** Chunks: the unit in which replicas are compared and brought up to date. */

import { CHUNK_LENGTH } from '../journal/dirty-map.ts';
import type { Extent, Geometry } from '../ports/block-device.ts';

export type Size = Pick<Geometry, 'blockLength' | 'blockCount'>;

export function chunkExtent({ blockLength, blockCount }: Size, chunk: number): Extent {
  const perChunk = CHUNK_LENGTH / blockLength;
  const lba = chunk * perChunk;
  return { lba, blocks: Math.min(perChunk, blockCount - lba) };
}
