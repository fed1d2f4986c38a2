/**
 * What a disk holds, by sectors of 512 bytes, with the volatile cache above it. The content of a sector is any immutable
 * value: a number stands for a block where bytes do not matter. A hole has none.
 *
 *   write ──► cache: the versions since the last flush, in order ──flush──► durable
 *
 * Invariants
 *  1. A sector is never torn: it holds one version or another. Nothing larger is atomic.
 *  2. What `flush` covered survives every power loss; of the rest any version may be found, or what was durable.
 *  3. After a failed flush the versions it should have written count as clean: reads show them until power is lost or
 *     they are evicted, no later flush writes them, and the medium has an arbitrary part of them.
 */

import type { Prng } from '../src/base/prng.ts';

export const SECTOR_LENGTH = 512;

export interface Medium<V> {
  /** What a read finds; undefined: a hole. */
  read(sector: number): V | undefined;
  readAll(sector: number, count: number): (V | undefined)[];
  /** Undefined makes a hole. */
  write(sector: number, value: V | undefined): void;
  /** Names everything written so far, for `flush` and `failFlush`. */
  mark(): number;
  flush(mark: number): void;
  failFlush(mark: number, random: Prng): void;
  powerLoss(random: Prng): void;
  /** Opened anew: what reads showed after a failed flush is forgotten. */
  reopen(): void;
  /** Changes what is durable, silently. */
  rot(sector: number, value: V | undefined): void;
  /** Sectors that hold something durable or cached. */
  sectors(): IterableIterator<number>;
  snapshot(): ReadonlyMap<number, V>;
  /** Another medium in its place. */
  replace(content: ReadonlyMap<number, V>): void;
}

interface Version<V> {
  readonly sequence: number;
  readonly value: V | undefined;
}

/** How much of the cache survives a power loss; real disks show all of these. */
const LOSSES = ['everything', 'nothing', 'theLatest', 'anything'] as const;
const EVICTION_CHANCE = 0.3;

export function createMedium<V>(): Medium<V> {
  let durable = new Map<number, V>();
  let cache = new Map<number, Version<V>[]>();
  /** Sector → what reads show after a failed flush, though it is not on the medium. */
  let clean = new Map<number, V | undefined>();
  let sequence = 0;

  function settle(sector: number, value: V | undefined): void {
    if (value === undefined) durable.delete(sector);
    else durable.set(sector, value);
  }

  /** Takes what `mark` covers out of the cache. */
  function* takeUpTo(mark: number): Generator<readonly [number, Version<V>]> {
    for (const [sector, versions] of cache) {
      let covered = 0;
      while (covered < versions.length && versions[covered]!.sequence <= mark) covered++;
      if (covered === 0) continue;
      const latest = versions[covered - 1]!;
      if (covered === versions.length) cache.delete(sector);
      else versions.splice(0, covered);
      yield [sector, latest];
    }
  }

  function powerLoss(random: Prng): void {
    const loss = random.pick(LOSSES);
    const horizon = random.integer(0, sequence);
    for (const [sector, versions] of cache) {
      let kept = versions.length;
      if (loss === 'everything') kept = 0;
      else if (loss === 'theLatest') kept = versions.filter((version) => version.sequence <= horizon).length;
      else if (loss === 'anything') kept = random.integer(0, versions.length);
      if (kept > 0) settle(sector, versions[kept - 1]!.value);
    }
    cache = new Map();
    clean = new Map();
  }

  function read(sector: number): V | undefined {
    const versions = cache.size === 0 ? undefined : cache.get(sector);
    if (versions !== undefined) return versions[versions.length - 1]!.value;
    return clean.size > 0 && clean.has(sector) ? clean.get(sector) : durable.get(sector);
  }

  return {
    read,
    readAll(sector, count) {
      const values: (V | undefined)[] = [];
      for (let i = 0; i < count; i++) values.push(read(sector + i));
      return values;
    },
    write(sector, value) {
      const version = { sequence: ++sequence, value };
      const versions = cache.get(sector);
      if (versions === undefined) cache.set(sector, [version]);
      else versions.push(version);
      clean.delete(sector);
    },
    mark: () => sequence,
    flush(mark) {
      for (const [sector, { value }] of takeUpTo(mark)) settle(sector, value);
    },
    failFlush(mark, random) {
      for (const [sector, { value }] of takeUpTo(mark)) {
        if (random.chance(0.5)) settle(sector, value);
        else if (!random.chance(EVICTION_CHANCE)) clean.set(sector, value);
      }
    },
    powerLoss,
    reopen: () => clean.clear(),
    rot(sector, value) {
      settle(sector, value);
    },
    *sectors() {
      yield* durable.keys();
      for (const sector of cache.keys()) if (!durable.has(sector)) yield sector;
    },
    snapshot: () => new Map(durable),
    replace(content) {
      durable = new Map(content);
      cache = new Map();
      clean = new Map();
    },
  };
}
