/** What caches tell: their statistics, and, while the node stops, how much they still have to write out. */

import type { Cache } from '../cache/cache.ts';
import { PAGE_LENGTH } from '../cache/frames.ts';
import type { WriteCache } from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import type { Trace } from '../ports/trace.ts';
import { faultText } from './mirror/fault-text.ts';
import type { CacheStatistics } from './statistics.ts';

const TELL_EVERY_MS = 1000;

/** `mode`: what holds for the device, which may write through a cache that could do more. */
export function cacheStatistics(cache: Cache, mode: WriteCache): CacheStatistics {
  const { memory, pages, dirtyPages, hits, misses, destagedBytes, flushForecastMs, fault } = cache.statistics;
  return {
    mode,
    memory,
    used: pages * PAGE_LENGTH,
    dirty: dirtyPages * PAGE_LENGTH,
    hits,
    misses,
    destaged: destagedBytes,
    flushForecastMs,
    fault: fault && faultText(fault),
  };
}

export interface WriteOutOptions {
  /** By the names of their devices. */
  readonly caches: ReadonlyMap<string, Cache>;
  readonly clock: Clock;
  readonly trace: Trace;
  /** Bytes that are left in all, and the milliseconds that they will take, as far as is known. */
  readonly tell: (bytes: number, forecastMs: number | undefined) => void;
}

/**
 * Tells now, and every second, what caches still have to write out, as long as there is something. Answers with what ends
 * it: then everything that could be written has been, and what is left is lost.
 */
export function reportWriteOut({ caches, clock, trace, tell }: WriteOutOptions): () => void {
  let isOver = false;
  const report = (): void => {
    if (isOver) return;
    clock.after(TELL_EVERY_MS, report);
    const statistics = Array.from(caches, ([device, cache]) => ({
      device,
      ...cacheStatistics(cache, 'back'),
    }));
    const waiting = statistics.filter(({ dirty }) => dirty > 0);
    if (waiting.length === 0) return;
    for (const { device, dirty, flushForecastMs } of waiting)
      trace('info', 'cache.writingOut', { device, bytes: dirty, forecastMs: flushForecastMs });
    const forecasts = waiting.flatMap(({ flushForecastMs }) => flushForecastMs ?? []);
    // They write at the same time.
    tell(
      waiting.reduce((sum, { dirty }) => sum + dirty, 0),
      forecasts.length === waiting.length ? Math.max(...forecasts) : undefined,
    );
  };
  report();
  return () => {
    isOver = true;
    for (const [device, cache] of caches) {
      const { dirty, fault } = cacheStatistics(cache, 'back');
      if (dirty > 0) trace('error', 'cache.notWrittenOut', { device, bytes: dirty, cause: fault });
    }
  };
}
