/**
 * What a device has of a medium on this node: the store, and above it the cache, which may have no memory, and get some later.
 *
 *   device ──► cache ──► store ──► disk
 *
 * Below a cache without memory the store answers as `writeCache` says. Below one with memory it answers at once, and what has
 * to be durable is asked for as such.
 */

import { ok, type Result } from '../base/result.ts';
import { type Cache, createCache } from '../cache/cache.ts';
import type { GrowableDevice } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import { type FlatStoreFault, type FlatStoreOptions, openFlatStore } from '../store/flat-store.ts';

export interface CachedStoreOptions extends FlatStoreOptions {
  /** Bytes of memory for the cache; 0: none to begin with. */
  readonly cacheMemory: number;
  readonly clock: Clock;
  /** Milliseconds after which the cache writes out what is dirty; its own choice if not given. */
  readonly ageMs?: number;
  /** As `CacheOptions` has it. */
  readonly isPowerProtected?: boolean;
}

export interface CachedStore {
  readonly device: GrowableDevice;
  readonly cache: Cache;
  /**
   * Before the medium is opened anew, when nobody asks anything of the device: what is in memory only goes to the medium as
   * it is, as far as that takes it, and everything is forgotten. Answers when nothing is under way at the medium any more.
   */
  readonly letGo: () => Promise<void>;
}

/** Faults are those of the store. */
export function openCachedStore(options: CachedStoreOptions): Result<CachedStore, FlatStoreFault> {
  const { cacheMemory: memory, clock, writeCache, ageMs, isPowerProtected } = options;
  const store = openFlatStore(memory === 0 ? options : { ...options, writeCache: 'back' });
  if (!store.ok) return store;
  const cache = createCache({
    below: store.value,
    clock,
    mode: writeCache,
    memory,
    ...(ageMs === undefined ? {} : { ageMs }),
    ...(isPowerProtected === undefined ? {} : { isPowerProtected }),
  });
  return ok({ device: cache, cache, letGo: () => letGo(cache) });
}

async function letGo(cache: Cache): Promise<void> {
  // It has been acknowledged; perhaps nobody else has it.
  if (cache.mode !== 'none' || cache.statistics.dirtyPages > 0) await cache.flush();
  await cache.forget();
}
