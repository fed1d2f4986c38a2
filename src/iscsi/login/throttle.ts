/**
 * Brute force: after FAILURES_FREE failed authentications of one source at one target each further one doubles the
 * time for which that source is refused there. Pure: time is given. A success clears nothing, or somebody with one
 * good secret could guess at others; an hour without failures does. Other targets stay open to the source: one
 * misconfigured session of a host must not keep the others from coming back. The table is bounded; when full, the
 * entry that failed longest ago is forgotten, so an attacker needs as many addresses as it has entries to profit.
 */

import { assert } from '../../base/assert.ts';

/** Failures before the first delay. */
export const FAILURES_FREE = 5;
export const DELAY_FIRST_MS = 1_000;
export const DELAY_MS_MAX = 300_000;
/** Who has not failed for so long starts anew. */
export const FORGIVEN_AFTER_MS = 3_600_000;
const ENTRIES_MAX = 4_096;

interface Failures {
  count: number;
  last: number;
}

export interface LoginThrottle {
  /** In the order of the last failure, oldest first. */
  readonly failures: Map<string, Failures>;
  readonly entriesMax: number;
}

export function createLoginThrottle(entriesMax = ENTRIES_MAX): LoginThrottle {
  assert(entriesMax > 0, 'a throttle has room for an entry');
  return { failures: new Map(), entriesMax };
}

/** One source at one target; `targetName` is undefined for discovery. */
export function throttleKey(source: string, targetName: string | undefined): string {
  return `${source} ${targetName ?? ''}`;
}

/** Milliseconds for which `key` is still refused; 0: it may try. */
export function refusedForMs(throttle: LoginThrottle, key: string, now: number): number {
  const entry = throttle.failures.get(key);
  if (entry === undefined || entry.count < FAILURES_FREE) return 0;
  // 2^9 seconds are beyond the maximum already; the exponent stays small however often it fails.
  const doublings = Math.min(entry.count - FAILURES_FREE, 16);
  const delay = Math.min(DELAY_FIRST_MS * 2 ** doublings, DELAY_MS_MAX);
  return Math.max(0, entry.last + delay - now);
}

export function authenticationFailed(throttle: LoginThrottle, key: string, now: number): void {
  const entry = throttle.failures.get(key);
  const isForgiven = entry === undefined || now - entry.last > FORGIVEN_AFTER_MS;
  throttle.failures.delete(key);
  for (const oldest of throttle.failures.keys()) {
    if (throttle.failures.size < throttle.entriesMax) break;
    throttle.failures.delete(oldest);
  }
  throttle.failures.set(key, { count: isForgiven ? 1 : entry.count + 1, last: now });
}
