/** The copy of a simulated node as the program opens it: a store, and a cache above it, with memory where the site has caches. */

import { assert } from '../../src/base/assert.ts';
import { MEMORY_MIN } from '../../src/cache/cache.ts';
import { type CachedStore, openCachedStore } from '../../src/engine/cached-store.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Disk } from '../../src/ports/disk.ts';
import { BLOCK_LENGTH } from './mirror-layout.ts';
import type { MirrorSite } from './mirror-site.ts';

/** Bytes of caches; to begin with, the first. As many pages as commands know of: more would only cost time. */
export const CACHE_SIZES = [MEMORY_MIN, 2 * MEMORY_MIN, 0] as const;

export function openCopyStore(
  disk: Disk,
  clock: Clock,
  { cacheAgeMs: ageMs }: Pick<MirrorSite, 'cacheAgeMs'>,
  { cacheMemory }: { readonly cacheMemory: number },
): CachedStore {
  const opened = openCachedStore({
    disk,
    blockLength: BLOCK_LENGTH,
    writeCache: 'back',
    clock,
    cacheMemory,
    ageMs,
  });
  assert(opened.ok, 'the data disk is whole blocks');
  return opened.value;
}
