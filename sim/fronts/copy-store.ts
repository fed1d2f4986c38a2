/** The copy of a simulated node as the program opens it: a store, and a cache above it where the site has caches. */

import { assert } from '../../src/base/assert.ts';
import { MEMORY_MIN } from '../../src/cache/cache.ts';
import { type CachedStore, openCachedStore } from '../../src/engine/cached-store.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Disk } from '../../src/ports/disk.ts';
import { BLOCK_LENGTH } from './mirror-layout.ts';
import type { MirrorSite } from './mirror-site.ts';

export function openCopyStore(
  disk: Disk,
  clock: Clock,
  { hasCache, cacheAgeMs }: Pick<MirrorSite, 'hasCache' | 'cacheAgeMs'>,
): CachedStore {
  const opened = openCachedStore({
    disk,
    blockLength: BLOCK_LENGTH,
    writeCache: 'back',
    clock,
    // As many pages as commands know of: more would only cost time.
    cacheMemory: hasCache ? MEMORY_MIN : 0,
    ageMs: cacheAgeMs,
  });
  assert(opened.ok, 'the data disk is whole blocks');
  return opened.value;
}
