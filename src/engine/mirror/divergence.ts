/**
 * After a split brain: what only the side holds that is not going to be chosen is given to somebody who keeps it, chunk by
 * chunk, before anything of it is overwritten.
 */

import type { DirtyMap } from '../../journal/dirty-map.ts';
import type { BlockDevice } from '../../ports/block-device.ts';
import { chunkExtent } from '../../replication/chunks.ts';

/** Durable when it answers true. `chunk`: its number, from the first of the device on, in steps of 64 KiB. */
export type Keep = (chunk: number, data: readonly Uint8Array[]) => Promise<boolean>;

/** The numbers of all chunks in `map`; undefined: one could not be read, or was not kept. */
export async function keepChunks(
  store: Pick<BlockDevice, 'geometry' | 'read'>,
  map: DirtyMap,
  keep: Keep,
): Promise<readonly number[] | undefined> {
  const chunks: number[] = [];
  for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) chunks.push(chunk);
  for (const chunk of chunks) {
    const { lba, blocks } = chunkExtent(store.geometry, chunk);
    // oxlint-disable-next-line no-await-in-loop -- one after the other: there may be many
    const read = await store.read(lba, blocks);
    if (!read.ok) return undefined;
    // oxlint-disable-next-line no-await-in-loop
    const isKept = await keep(chunk, read.value.segments).finally(() => read.value.release());
    if (!isKept) return undefined;
  }
  return chunks;
}
