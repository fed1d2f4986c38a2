/**
 * Brute force: after FAILURES_FREE failed authentications of one source each further one doubles the time for which
 * that source is refused. Pure: time is given. The table is bounded; when full, the source that failed longest ago
 * is forgotten, so an attacker needs as many addresses as it has entries to profit from that.
 */

import { assert } from '../../base/assert.ts';

/** Failures before the first delay. */
export const FAILURES_FREE = 5;
export const DELAY_FIRST_MS = 1_000;
export const DELAY_MS_MAX = 300_000;
/** A source without failures for so long starts anew. */
export const FORGIVEN_AFTER_MS = 3_600_000;
const SOURCES_MAX = 4_096;

interface Failures {
  count: number;
  last: number;
}

export interface LoginThrottle {
  /** In the order of the last failure, oldest first. */
  readonly failures: Map<string, Failures>;
  readonly sourcesMax: number;
}

export function createLoginThrottle(sourcesMax = SOURCES_MAX): LoginThrottle {
  assert(sourcesMax > 0, 'a throttle has room for a source');
  return { failures: new Map(), sourcesMax };
}

/** Milliseconds for which `source` is still refused; 0: it may try. */
export function refusedForMs(throttle: LoginThrottle, source: string, now: number): number {
  const entry = throttle.failures.get(source);
  if (entry === undefined || entry.count < FAILURES_FREE) return 0;
  // 2^9 seconds are beyond the maximum already; the exponent stays small however often the source fails.
  const doublings = Math.min(entry.count - FAILURES_FREE, 16);
  const delay = Math.min(DELAY_FIRST_MS * 2 ** doublings, DELAY_MS_MAX);
  return Math.max(0, entry.last + delay - now);
}

export function authenticationFailed(throttle: LoginThrottle, source: string, now: number): void {
  const entry = throttle.failures.get(source);
  const isForgiven = entry === undefined || now - entry.last > FORGIVEN_AFTER_MS;
  throttle.failures.delete(source);
  for (const oldest of throttle.failures.keys()) {
    if (throttle.failures.size < throttle.sourcesMax) break;
    throttle.failures.delete(oldest);
  }
  throttle.failures.set(source, { count: isForgiven ? 1 : entry.count + 1, last: now });
}

export function authenticationSucceeded(throttle: LoginThrottle, source: string): void {
  throttle.failures.delete(source);
}
