/**
 * The cache of a device in memory: a BlockDevice over a BlockDevice, below the mirror.
 *
 *   back      a write is answered when it is in memory, and goes beneath later; lost with the power
 *   through   a write is answered when it is durable beneath; then it is kept for readers
 *   none      everything goes beneath as it came; no memory is taken
 *
 * Durable writes, WRITE SAME, UNMAP and writes too long for the cache go beneath directly, in every mode.
 *
 * Invariants
 *  1. What overlaps takes effect in the order of its calls (`#changes`), and of changes that are under way beneath,
 *     whether direct or written out, no two are of the same page (`#order`).
 *  2. What a direct change overwrites stays dirty until the change has gone well: should it fail, what was acknowledged
 *     before is still there.
 *  3. While pages could not be written out, or the last flush beneath failed, nothing is acknowledged that is in memory
 *     only.
 *  4. After each wait the mode is looked at again: nothing becomes dirty once `through` was asked for.
 */

import { assert } from '../base/assert.ts';
import { RangeLock } from '../base/range-lock.ts';
import { DONE, fail, type MaybeAsync, type Result, then } from '../base/result.ts';
import { firstDifference, lengthOf } from '../base/segments.ts';
import type {
  DeviceFault,
  Durability,
  Extent,
  Geometry,
  GrowableDevice,
  GrowthFault,
  Loan,
  MappedExtent,
  WriteCache,
} from '../ports/block-device.ts';
import type { Clock } from '../ports/clock.ts';
import { Destager } from './destager.ts';
import { framesWithin } from './frames.ts';
import { limitsFor } from './limits.ts';
import { Pages } from './pages.ts';
import { holdAll, merged } from './ranges.ts';
import { Reader } from './reader.ts';

export type CacheMode = WriteCache | 'none';

export interface CacheOptions {
  /** The cache owns it from now on. Its own write cache may be on: what has to be durable is asked for as such. */
  readonly below: GrowableDevice;
  readonly clock: Clock;
  /** `through` if not given. */
  readonly mode?: WriteCache;
  /** Bytes of memory, with all bookkeeping; at least MEMORY_MIN, or 0: then the mode is `none`. */
  readonly memory: number;
  /** Milliseconds after which what is dirty is written out, at the latest; 5000 if not given. */
  readonly ageMs?: number;
  /** False: what only memory has would be lost with the power, so the mode never becomes `back`; true if not given. */
  readonly isPowerProtected?: boolean;
}

export interface CacheStatistics {
  /** Pages of 4096 bytes that reads found, and did not find. */
  readonly hits: number;
  readonly misses: number;
  /** Pages in memory; of them, pages that the device beneath does not have. */
  readonly pages: number;
  readonly dirtyPages: number;
  /** Bytes and writes that went beneath from the cache. */
  readonly destagedBytes: number;
  readonly destageWrites: number;
  readonly evictions: number;
  /** Bytes reserved, bookkeeping included. */
  readonly memory: number;
  /** Milliseconds that writing everything out would take, at the speed seen lately; undefined before any was seen. */
  readonly flushForecastMs: number | undefined;
  /** Why nothing is acknowledged in memory at the moment. */
  readonly fault: DeviceFault | undefined;
}

export interface Cache extends GrowableDevice {
  readonly mode: CacheMode;
  readonly statistics: CacheStatistics;
  /**
   * Changes the size while in use; 0: to none. Writes are answered as before, whoever does it then: without memory the device
   * beneath, whose own write cache is on while there is a cache. Answers when what has to leave is beneath, for `none` when it
   * is durable there, and its memory was given back. After a fault all is as before.
   */
  resize(memory: number): Promise<Result<void, DeviceFault>>;
  /** The bytes of a block that are in memory only, as far as is known. */
  peek(lba: number): Uint8Array | undefined;
  /** As at a loss of power: what is in memory only is lost. Answers when nothing is under way beneath. */
  abandon(): Promise<void>;
  /**
   * The same, and then the cache goes on, empty: what lies beneath was opened anew, and may hold something else. Nothing is
   * asked of the cache before this has answered.
   */
  forget(): Promise<void>;
}

/** The smallest cache, in bytes: 64 pages. */
export const MEMORY_MIN = 272 * 1024;

const AGE_MS = 5000;
const WRITE_PROTECTED = fail<DeviceFault>({ kind: 'writeProtected' });
const UNPROTECTED = fail<DeviceFault>({
  kind: 'unavailable',
  reason: 'writes would be answered that only memory has, and no power supply that lasts was confirmed',
});

type Answer = MaybeAsync<Result<void, DeviceFault>>;

export function createCache(options: CacheOptions): Cache {
  return new RamCache(options);
}

class RamCache implements Cache {
  readonly #below: GrowableDevice;
  readonly #pages: Pages;
  readonly #reader: Reader;
  readonly #destager: Destager;
  /** Blocks that are being changed or wait to be, in the order of calls. */
  readonly #changes = new RangeLock();
  /** Pages that are being changed beneath. */
  readonly #order = new RangeLock();
  #mode: CacheMode;
  #dirtyMax: number;
  #configuring: Promise<unknown> = Promise.resolve();
  #flushFault: DeviceFault | undefined;
  readonly #isPowerProtected: boolean;

  constructor(options: CacheOptions) {
    const { below, clock, mode = 'through', memory, ageMs = AGE_MS, isPowerProtected = true } = options;
    this.#below = below;
    this.#isPowerProtected = isPowerProtected;
    this.#mode = memory === 0 ? 'none' : mode;
    assert(this.#mode !== 'back' || isPowerProtected, 'memory holds back what survives a loss of power');
    const frames = framesFor(memory);
    this.#pages = new Pages(frames, below.geometry.blockLength);
    this.#dirtyMax = limitsFor(frames).dirtyMax;
    this.#reader = new Reader(below, this.#pages);
    this.#destager = new Destager({ below, clock, pages: this.#pages, order: this.#order, ageMs });
  }

  get geometry(): Geometry {
    return this.#below.geometry;
  }

  get mode(): CacheMode {
    return this.#mode;
  }

  get writeCache(): WriteCache {
    return this.#mode === 'none' ? this.#below.writeCache : this.#mode;
  }

  get statistics(): CacheStatistics {
    const { frames, dirty, replacement } = this.#pages;
    return {
      hits: this.#reader.hits,
      misses: this.#reader.misses,
      pages: frames.index.length,
      dirtyPages: dirty.count,
      destagedBytes: this.#destager.bytes,
      destageWrites: this.#destager.writes,
      evictions: replacement.evictions,
      memory: frames.memory,
      flushForecastMs: this.#destager.forecastMs,
      fault: this.#fault,
    };
  }

  get #fault(): DeviceFault | undefined {
    return this.#destager.fault ?? this.#flushFault;
  }

  setWriteCache(mode: WriteCache): Answer {
    return this.#inTurn(() => (this.#mode === 'none' ? this.#changeBelow(mode) : this.#change(mode)));
  }

  resize(memory: number): Promise<Result<void, DeviceFault>> {
    return this.#inTurn(() => (memory === 0 ? this.#goWithout() : this.#goWith(memory)));
  }

  read(lba: number, blocks: number): MaybeAsync<Result<Loan, DeviceFault>> {
    this.#assertRange(lba, blocks);
    if (this.#changes.isFree(lba, blocks, 'shared')) return this.#reader.read(lba, blocks);
    return then(this.#changes.hold(lba, blocks, 'shared'), (held) =>
      then(this.#reader.read(lba, blocks), (result) => {
        held.release();
        return result;
      }),
    );
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability): Answer {
    const blocks = lengthOf(data) / this.#pages.blockLength;
    this.#assertRange(lba, blocks);
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    if (this.#changes.isFree(lba, blocks, 'exclusive') && this.#keeps(lba, blocks, data, durability))
      return DONE;
    const how = this.#promised(durability);
    return this.#alone([{ lba, blocks }], () => this.#write(lba, blocks, data, how));
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array, durability: Durability): Answer {
    this.#assertRange(lba, blocks);
    assert(pattern.length === this.#pages.blockLength, 'the pattern is one block');
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const extents = [{ lba, blocks }];
    const promised = this.#promised(durability);
    return this.#alone(extents, () =>
      this.#direct(
        extents,
        promised,
        (how) => this.#below.writeSame(lba, blocks, pattern, how),
        () => this.#pages.discard(lba, blocks),
      ),
    );
  }

  unmap(extents: readonly Extent[], durability: Durability): Answer {
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const changed = merged(extents);
    for (const { lba, blocks } of changed) this.#assertRange(lba, blocks);
    const promised = this.#promised(durability);
    return this.#alone(changed, () =>
      this.#direct(
        changed,
        promised,
        (how) => this.#below.unmap(extents, how),
        () => {
          for (const { lba, blocks } of changed) this.#pages.discard(lba, blocks);
        },
      ),
    );
  }

  /** What is given up behind `from` leaves the memory first, lest it be written out later. */
  async grow(blockCount: number, from?: number): Promise<Result<void, GrowthFault>> {
    const { blockCount: end } = this.geometry;
    if (from !== undefined && from < end) {
      const cleared = await this.unmap([{ lba: from, blocks: end - from }], 'durable');
      if (!cleared.ok) {
        // Perhaps it was the flush.
        const kind = cleared.fault.kind === 'mediumError' ? 'flushFailed' : 'failed';
        return fail({ kind, message: 'what lies behind the device cannot be cleared' });
      }
    }
    return this.#below.grow(blockCount, from);
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
  ): Answer {
    const blocks = lengthOf(expected) / this.#pages.blockLength;
    assert(lengthOf(data) === lengthOf(expected), 'as much to write as to compare');
    this.#assertRange(lba, blocks);
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const how = this.#promised(durability);
    return this.#alone([{ lba, blocks }], () =>
      then(this.#reader.read(lba, blocks), (present) => {
        if (!present.ok) return present;
        const offset = firstDifference(expected, present.value.segments);
        present.value.release();
        if (offset !== -1) return fail({ kind: 'miscompare', offset });
        return this.#write(lba, blocks, data, how);
      }),
    );
  }

  flush(): Answer {
    return then(this.#destager.drain(), (drained) =>
      drained.ok ? then(this.#below.flush(), (flushed) => this.#flushed(flushed)) : drained,
    );
  }

  mapping(
    lba: number,
    blocks: number,
    runsMax: number,
  ): MaybeAsync<Result<readonly MappedExtent[], DeviceFault>> {
    this.#assertRange(lba, blocks);
    const ask = (): ReturnType<GrowableDevice['mapping']> => this.#below.mapping(lba, blocks, runsMax);
    if (this.#pages.dirty.count === 0) return ask();
    return then(this.#destager.drain(), (drained) => (drained.ok ? ask() : drained));
  }

  peek(lba: number): Uint8Array | undefined {
    return this.#pages.peek(lba);
  }

  async abandon(): Promise<void> {
    await this.#destager.stop();
    const held = await this.#changes.hold(0, Number.MAX_SAFE_INTEGER, 'exclusive');
    held.release();
  }

  async forget(): Promise<void> {
    await this.abandon();
    this.#pages.discard(0, Number.MAX_SAFE_INTEGER);
    this.#reader.spoil(0, Number.MAX_SAFE_INTEGER);
    this.#flushFault = undefined;
    this.#destager.startAnew();
  }

  async close(): Promise<void> {
    // Waits for everything that was asked for before.
    await this.#changes.hold(0, Number.MAX_SAFE_INTEGER, 'exclusive');
    await this.flush();
    await this.#destager.stop();
    await this.#below.close();
  }

  #assertRange(lba: number, blocks: number): void {
    assert(
      Number.isInteger(lba) && Number.isInteger(blocks) && lba >= 0 && blocks > 0,
      'LBA and length are counts',
    );
    assert(lba + blocks <= this.geometry.blockCount, 'the blocks lie within the device');
  }

  /** Runs `work` while no other change of these extents runs. */
  #alone(extents: readonly Extent[], work: () => Answer): Answer {
    return then(holdAll(this.#changes, extents), (held) =>
      then(work(), (result) => {
        held.release();
        return result;
      }),
    );
  }

  /** What a change has to be when it is answered. Whoever calls while the mode is `through` gets that, whatever the mode
   *  is when his turn comes. */
  #promised(durability: Durability): Durability {
    return this.writeCache === 'through' ? 'durable' : durability;
  }

  #isForMemory(pages: number, durability: Durability): boolean {
    return this.#mode === 'back' && durability === 'cached' && pages * 2 <= this.#dirtyMax;
  }

  /** Writes into memory if that can be done at once. */
  #keeps(lba: number, blocks: number, data: readonly Uint8Array[], durability: Durability): boolean {
    const pages = this.#pages.pagesOf(lba, blocks);
    if (!this.#isForMemory(pages, durability) || this.#fault !== undefined) return false;
    if (!this.#destager.hasRoom(pages) || !this.#pages.replacement.makeRoom(pages)) return false;
    this.#put(lba, blocks, data);
    return true;
  }

  #put(lba: number, blocks: number, data: readonly Uint8Array[]): void {
    this.#pages.write(lba, blocks, data, 'dirty');
    this.#reader.spoil(lba, blocks);
    this.#destager.noticed();
  }

  /** The caller holds the blocks. */
  #write(lba: number, blocks: number, data: readonly Uint8Array[], durability: Durability): Answer {
    const pages = this.#pages.pagesOf(lba, blocks);
    if (!this.#isForMemory(pages, durability)) return this.#writeBelow(lba, blocks, data, durability);
    const fault = this.#fault;
    if (fault !== undefined) return fail(fault);
    if (this.#keeps(lba, blocks, data, durability)) return DONE;
    if (this.#destager.hasRoom(pages)) return this.#writeBelow(lba, blocks, data, durability);
    return this.#destager.room(pages).then((given) => {
      if (!given.ok) return given;
      const answer = this.#writeWithRoom(lba, blocks, data, durability);
      this.#destager.roomTaken(pages);
      return answer;
    });
  }

  #writeWithRoom(lba: number, blocks: number, data: readonly Uint8Array[], durability: Durability): Answer {
    const pages = this.#pages.pagesOf(lba, blocks);
    const isKept = this.#isForMemory(pages, durability) && this.#pages.replacement.makeRoom(pages);
    if (!isKept) return this.#writeBelow(lba, blocks, data, durability);
    if (this.#fault !== undefined) return fail(this.#fault);
    this.#put(lba, blocks, data);
    return DONE;
  }

  #writeBelow(lba: number, blocks: number, data: readonly Uint8Array[], durability: Durability): Answer {
    return this.#direct(
      [{ lba, blocks }],
      durability,
      (how) => this.#below.write(lba, data, how),
      () => this.#pages.replaceClean(lba, blocks, data),
    );
  }

  /** Changes the extents beneath; the caller holds them. `done`: what to do with what is cached when it went well. */
  #direct(
    extents: readonly Extent[],
    durability: Durability,
    change: (durability: Durability) => Answer,
    done: () => void,
  ): Answer {
    const pages = merged(
      extents.map(({ lba, blocks }) => ({
        lba: this.#pages.pageOf(lba),
        blocks: this.#pages.pagesOf(lba, blocks),
      })),
    );
    return then(holdAll(this.#order, pages), (held) => {
      for (const { lba, blocks } of extents) {
        this.#pages.clearClean(lba, blocks);
        this.#reader.spoil(lba, blocks);
      }
      return then(change(this.#promised(durability)), (result) => {
        if (result.ok) done();
        held.release();
        this.#destager.pump();
        return result;
      });
    });
  }

  #flushed(result: Result<void, DeviceFault>): Result<void, DeviceFault> {
    this.#flushFault = result.ok ? undefined : result.fault;
    return result;
  }

  #inTurn(work: () => Promise<Result<void, DeviceFault>>): Promise<Result<void, DeviceFault>> {
    const turn = this.#configuring.then(work);
    this.#configuring = turn;
    return turn;
  }

  async #goWith(memory: number): Promise<Result<void, DeviceFault>> {
    const changed = this.#mode === 'none' ? await this.#change(this.writeCache) : DONE;
    if (!changed.ok) return changed;
    const resized = await this.#resize(framesFor(memory));
    // From now on what has to be durable is asked for as such.
    return resized.ok ? this.#below.setWriteCache('back') : resized;
  }

  async #goWithout(): Promise<Result<void, DeviceFault>> {
    if (this.#mode === 'none') return DONE;
    const told = await this.#below.setWriteCache(this.writeCache);
    if (!told.ok) return told;
    const changed = await this.#change('none');
    if (changed.ok) return await this.#resize(0);
    await this.#below.setWriteCache('back');
    return changed;
  }

  async #changeBelow(mode: WriteCache): Promise<Result<void, DeviceFault>> {
    const former = this.writeCache;
    const changed = await this.#below.setWriteCache(mode);
    if (!changed.ok || mode === 'back') return changed;
    const flushed = await this.#settle();
    if (!flushed.ok) await this.#below.setWriteCache(former);
    return flushed;
  }

  async #change(mode: CacheMode): Promise<Result<void, DeviceFault>> {
    if (mode === 'back' && !this.#isPowerProtected) return UNPROTECTED;
    const former = this.#mode;
    this.#mode = mode;
    if (mode === former || mode === 'back' || (mode === 'none' && former === 'through')) return DONE;
    const flushed = await this.#settle();
    if (!flushed.ok) this.#mode = former;
    return flushed;
  }

  /** Flushes with what was called before, and may still become dirty or be answered before it is durable. */
  async #settle(): Promise<Result<void, DeviceFault>> {
    const held = await this.#changes.hold(0, Number.MAX_SAFE_INTEGER, 'exclusive');
    held.release();
    return this.flush();
  }

  async #resize(frames: number): Promise<Result<void, DeviceFault>> {
    const former = this.#pages.frames.count;
    this.#setFrames(frames);
    if (frames >= former) return DONE;
    const drained = await this.#destager.drain();
    if (drained.ok) await this.#pages.frames.whenGone();
    else this.#setFrames(former);
    return drained;
  }

  #setFrames(frames: number): void {
    if (frames === this.#pages.frames.count) return;
    this.#pages.resize(frames);
    this.#dirtyMax = limitsFor(frames).dirtyMax;
    this.#reader.resized();
    this.#destager.resized();
  }
}

function framesFor(memory: number): number {
  const frames = framesWithin(memory);
  assert(frames > 0 || memory === 0, 'a cache has at least MEMORY_MIN bytes');
  return frames;
}
