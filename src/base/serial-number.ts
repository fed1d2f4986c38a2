/**
 * Serial number arithmetic over 32 bits (RFC 1982, as RFC 7143 §4.2.2 uses it for CmdSN and StatSN): numbers wrap
 * around, and "less" means "fewer than 2^31 steps behind". Two numbers exactly 2^31 apart are not ordered: both
 * comparisons are false.
 */

/** The number `count` steps after `serial`; `count` may be negative. */
export function serialAdd(serial: number, count: number): number {
  return (serial + count) >>> 0;
}

/** How many steps `to` is ahead of `from`: −2^31 … 2^31 − 1. */
export function serialDistance(from: number, to: number): number {
  return (to - from) | 0;
}

export function serialLess(a: number, b: number): boolean {
  return ((b - a) | 0) > 0;
}

export function serialLessOrEqual(a: number, b: number): boolean {
  return a === b || ((b - a) | 0) > 0;
}
