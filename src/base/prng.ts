/**
 * Seeded pseudo-random numbers (sfc32): the same seed gives the same sequence on every machine and Node version.
 * Exported for tests and simulation. Never for secrets (ports/crypto).
 */

export interface Prng {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [low, high], both included. */
  integer(low: number, high: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** Exponentially distributed with this mean. */
  exponential(mean: number): number;
  /** One element; the array is not empty. */
  pick<T>(from: readonly T[]): T;
  /** An independent generator named by `label`: what one part draws does not shift what another sees. */
  fork(label: string): Prng;
}

const WARM_UP_ROUNDS = 12;

export function createPrng(seed: number): Prng {
  let a = seed >>> 0;
  let b = Math.floor(seed / 0x1_0000_0000) >>> 0;
  let c = 0x9e3779b9;
  let counter = 1;

  function uint32(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  }
  for (let round = 0; round < WARM_UP_ROUNDS; round++) uint32();

  const next = (): number => (uint32() * 0x20_0000 + (uint32() >>> 11)) / 0x20_0000_0000_0000;
  return {
    next,
    integer: (low, high) => low + Math.floor(next() * (high - low + 1)),
    chance: (probability) => next() < probability,
    exponential: (mean) => -Math.log(1 - next()) * mean,
    pick: (from) => from[Math.floor(next() * from.length)]!,
    fork: (label) => createPrng(hash(label, seed)),
  };
}

/** FNV-1a over the label, mixed with the seed; 53 bits. */
function hash(label: string, seed: number): number {
  let low = (0x811c9dc5 ^ seed) >>> 0;
  let high = (0x01000193 ^ Math.floor(seed / 0x1_0000_0000)) >>> 0;
  for (let i = 0; i < label.length; i++) {
    low = Math.imul(low ^ label.charCodeAt(i), 0x01000193) >>> 0;
    high = Math.imul(high ^ low, 0x85ebca6b) >>> 0;
  }
  return (high & 0x1f_ffff) * 0x1_0000_0000 + low;
}
