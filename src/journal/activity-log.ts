/**
 * Which areas of a device may differ between replicas after all of them lost power: the extents of 4 MiB that are hot.
 * A write into a hot extent costs nothing; one into a cold extent waits until the extent has a slot on disk. Only
 * decisions; activity-log-file.ts writes what `takeBatch` gives and answers `batchDurable`.
 *
 *   cold ──admit──► staged ──takeBatch──► written ──batchDurable──► hot ──(idle, least recently used)──► cold
 *
 * Invariants
 *  1. A write is let go only when every extent it touches is in a slot on disk.
 *  2. An extent loses its slot only when no write into it is under way: none is `held`, and none is waiting for a
 *     flush of every member (`settleAtFlush`).
 *  3. A slot is in the list of the idle exactly when nothing holds it; whoever staged it holds it until it is durable.
 *  4. What is evicted is covered by dirty maps on disk before the transaction that evicts it (`Batch.evicted`).
 */

import { assert } from '../base/assert.ts';
import { NO_EXTENT, UPDATES_MAX } from './activity-log-format.ts';

export const EXTENT_LENGTH = 4 * 1024 * 1024;
export const SLOTS_DEFAULT = 4096;
const SLOTS_MIN = 16;
/** What one write may be as long as, wherever it begins: its extents always fit. */
export const WRITE_BYTES_MAX = (SLOTS_MIN - 1) * EXTENT_LENGTH;
const SLOTS_MAX = 65_534;
/** Transactions in one write: what one flush can make hot is 16 × 64 extents. */
export const BATCH_TRANSACTIONS_MAX = 16;
/** Extents marked ahead of a sequential writer: 32 MiB, some 10 ms of the fastest stream. */
const AHEAD = 8;
/** Sequential writers followed at the same time. */
const STREAMS = 8;
const BATCH_MAX = BATCH_TRANSACTIONS_MAX * UPDATES_MAX;

/** The write may go on. */
export const HOT = 0;
/** Every slot is held: ask again when a write has settled. */
export const BUSY = -1;
/** `HOT`, `BUSY`, or the number of the batch that has to be durable first. */
export type Admission = number;

export interface Batch {
  readonly number: number;
  /** Pairs: slot, extent. */
  readonly updates: Uint32Array;
  /** Extents that lose their slot. */
  readonly evicted: readonly number[];
}

export class ActivityLog {
  readonly slotCount: number;
  readonly blocksPerExtent: number;
  extentCount: number;
  /** By extent: its slot plus one, 0 when cold. */
  #slotOf: Uint16Array;
  readonly #extentOf: Uint32Array;
  readonly #held: Uint32Array;
  /** Bit 0: a write waits for the next flush marker; bit 1: for the one under way. */
  readonly #unflushed: Uint8Array;
  /** By slot: the batch that put it there. */
  readonly #batchOf: Float64Array;
  readonly #isAhead: Uint8Array;
  /** Idle slots, least recently used first; index `slotCount` is both ends. */
  readonly #newer: Uint32Array;
  readonly #older: Uint32Array;
  #idle = 0;
  readonly #streams = new Float64Array(STREAMS).fill(-1);
  #stream = 0;
  #staged: number[] = [];
  #evicted: number[] = [];
  #nextBatch = 1;
  #durableBatch = 0;
  #taken: Batch | undefined;
  /** For statistics: how many writes were let go at once, and how many waited. */
  readonly statistics = { hot: 0, waited: 0, busy: 0, ahead: 0 };

  constructor(blockCount: number, blockLength: number, slotCount: number) {
    assert(slotCount >= SLOTS_MIN && slotCount <= SLOTS_MAX, 'the number of slots is in range');
    this.slotCount = slotCount;
    this.blocksPerExtent = EXTENT_LENGTH / blockLength;
    this.extentCount = Math.ceil(blockCount / this.blocksPerExtent);
    this.#slotOf = new Uint16Array(this.extentCount);
    this.#extentOf = new Uint32Array(slotCount).fill(NO_EXTENT);
    this.#held = new Uint32Array(slotCount);
    this.#unflushed = new Uint8Array(slotCount);
    this.#batchOf = new Float64Array(slotCount);
    this.#isAhead = new Uint8Array(slotCount);
    this.#newer = new Uint32Array(slotCount + 1).fill(slotCount);
    this.#older = new Uint32Array(slotCount + 1).fill(slotCount);
    for (let slot = 0; slot < slotCount; slot++) this.#becameIdle(slot);
  }

  /** The device is as long as this now; extents behind its end are not asked for any more. */
  resize(blockCount: number): void {
    const extentCount = Math.ceil(blockCount / this.blocksPerExtent);
    if (extentCount <= this.extentCount) return;
    const slotOf = new Uint16Array(extentCount);
    slotOf.set(this.#slotOf);
    this.#slotOf = slotOf;
    this.extentCount = extentCount;
  }

  /** Whether there is something for `takeBatch`. */
  get hasStaged(): boolean {
    return this.#staged.length > 0;
  }

  /** Nothing is under way, and nothing waits for a flush. */
  get isIdle(): boolean {
    return this.#idle === this.slotCount;
  }

  /** A write wants to go. Unless the answer is `BUSY`, the extents are held until it settles. */
  admit(lba: number, blocks: number): Admission {
    const first = Math.floor(lba / this.blocksPerExtent);
    const last = Math.floor((lba + blocks - 1) / this.blocksPerExtent);
    assert(first >= 0 && first <= last && last < this.extentCount, 'the extent lies on the device');
    assert(last - first < SLOTS_MIN, 'a write is cut to what always fits');
    const cold = this.#holdKnown(first, last);
    if (cold > this.#idle) {
      for (let extent = first; extent <= last; extent++)
        if (this.#slotOf[extent] !== 0) this.#release(this.#slotOf[extent]! - 1);
      this.statistics.busy += 1;
      return BUSY;
    }
    const isSequential = this.#follow(lba, blocks);
    let batch = HOT;
    for (let extent = first; extent <= last; extent++) {
      const known = this.#slotOf[extent]! - 1;
      const slot = known >= 0 ? known : this.#stage(extent);
      if (known < 0) this.#hold(slot);
      if (this.#batchOf[slot]! > this.#durableBatch) batch = Math.max(batch, this.#batchOf[slot]!);
      if (extent === last && (this.#isAhead[slot] === 1 || (known < 0 && isSequential)))
        this.#markAhead(slot, extent);
    }
    if (batch === HOT) this.statistics.hot += 1;
    else this.statistics.waited += 1;
    return batch;
  }

  /** The write is on the medium of every member, or what lacks it has it in a dirty map. */
  settle(lba: number, blocks: number): void {
    this.#letGo(
      Math.floor(lba / this.blocksPerExtent),
      Math.floor((lba + blocks - 1) / this.blocksPerExtent),
    );
  }

  /** The write is acknowledged, and will be on every medium when a marker sent from now on is confirmed. */
  settleAtFlush(lba: number, blocks: number): void {
    const first = Math.floor(lba / this.blocksPerExtent);
    const last = Math.floor((lba + blocks - 1) / this.blocksPerExtent);
    for (let extent = first; extent <= last; extent++) this.#unflushed[this.#slotOf[extent]! - 1]! |= 1;
    this.#letGo(first, last);
  }

  /** Flush markers go to all members. The one before was confirmed. */
  seal(): void {
    for (let slot = 0; slot < this.slotCount; slot++) {
      if (this.#unflushed[slot] === 0) continue;
      assert(this.#unflushed[slot] === 1, 'one flush marker is under way at a time');
      this.#unflushed[slot] = 2;
    }
  }

  /** All members have confirmed it. */
  confirm(): void {
    for (let slot = 0; slot < this.slotCount; slot++) {
      if (this.#unflushed[slot]! < 2) continue;
      this.#unflushed[slot]! &= 1;
      if (this.#held[slot] === 0 && this.#unflushed[slot] === 0) this.#becameIdle(slot);
    }
  }

  /** The markers under way will never be confirmed: what they covered waits for the next ones. */
  abandon(): void {
    for (let slot = 0; slot < this.slotCount; slot++)
      if (this.#unflushed[slot] !== 0) this.#unflushed[slot] = 1;
  }

  /** What is to be written next; undefined when there is nothing. One batch is under way at a time. */
  takeBatch(): Batch | undefined {
    assert(this.#taken === undefined, 'one batch is under way at a time');
    if (this.#staged.length === 0) return undefined;
    const slots = this.#staged.splice(0, BATCH_MAX);
    const evicted = this.#evicted.splice(0, BATCH_MAX).filter((extent) => extent !== NO_EXTENT);
    const updates = new Uint32Array(2 * slots.length);
    for (let i = 0; i < slots.length; i++) updates.set([slots[i]!, this.#extentOf[slots[i]!]!], 2 * i);
    this.#taken = { number: this.#nextBatch, updates, evicted };
    this.#nextBatch += 1;
    return this.#taken;
  }

  /** The batch taken last is on the medium. */
  batchDurable(): void {
    const taken = this.#taken;
    assert(taken !== undefined, 'a batch was taken');
    this.#taken = undefined;
    this.#durableBatch = taken.number;
    for (let i = 0; i < taken.updates.length; i += 2) this.#release(taken.updates[i]!);
  }

  /** Empties every slot, at a clean stop: nothing is under way and every member has everything. */
  clear(): void {
    assert(this.#taken === undefined && !this.hasStaged, 'no batch is under way');
    for (let slot = 0; slot < this.slotCount; slot++) {
      assert(this.#held[slot] === 0 && this.#unflushed[slot] === 0, 'no write is under way');
      const extent = this.#extentOf[slot]!;
      if (extent !== NO_EXTENT) this.#slotOf[extent] = 0;
      this.#extentOf[slot] = NO_EXTENT;
    }
  }

  /** Holds those of the extents that have a slot; answers how many have none. */
  #holdKnown(first: number, last: number): number {
    let cold = 0;
    for (let extent = first; extent <= last; extent++) {
      if (this.#slotOf[extent] === 0) cold += 1;
      else this.#hold(this.#slotOf[extent]! - 1);
    }
    return cold;
  }

  /** Gives the extent the idle slot that was used longest ago. */
  #stage(extent: number): number {
    assert(this.#idle > 0, 'a slot is idle');
    const slot = this.#newer[this.slotCount]!;
    const evicted = this.#extentOf[slot]!;
    if (evicted !== NO_EXTENT) this.#slotOf[evicted] = 0;
    this.#extentOf[slot] = extent;
    this.#slotOf[extent] = slot + 1;
    this.#isAhead[slot] = 0;
    this.#batchOf[slot] = this.#nextBatch + Math.floor(this.#staged.length / BATCH_MAX);
    this.#staged.push(slot);
    this.#evicted.push(evicted);
    // For the batch, until it is durable.
    this.#hold(slot);
    return slot;
  }

  /** Marks what a sequential writer will need next, before it gets there; again when it is half way through. */
  #markAhead(slot: number, extent: number): void {
    this.#isAhead[slot] = 0;
    if (this.#idle < this.slotCount / 2) return;
    for (let next = extent + 1; next <= extent + AHEAD && next < this.extentCount; next++) {
      if (this.#slotOf[next] !== 0 || this.#idle === 0) continue;
      this.#stage(next);
      this.statistics.ahead += 1;
    }
    const halfWay = this.#slotOf[Math.min(extent + AHEAD / 2, this.extentCount - 1)]!;
    if (halfWay > 0) this.#isAhead[halfWay - 1] = 1;
  }

  /** Whether the write begins where another ended. */
  #follow(lba: number, blocks: number): boolean {
    for (let i = 0; i < STREAMS; i++) {
      if (this.#streams[i] !== lba) continue;
      this.#streams[i] = lba + blocks;
      return true;
    }
    this.#streams[this.#stream] = lba + blocks;
    this.#stream = (this.#stream + 1) % STREAMS;
    return false;
  }

  #letGo(first: number, last: number): void {
    for (let extent = first; extent <= last; extent++) this.#release(this.#slotOf[extent]! - 1);
  }

  #hold(slot: number): void {
    if (this.#held[slot] === 0 && this.#unflushed[slot] === 0) {
      const newer = this.#newer[slot]!;
      const older = this.#older[slot]!;
      this.#older[newer] = older;
      this.#newer[older] = newer;
      this.#idle -= 1;
    }
    this.#held[slot]! += 1;
  }

  #release(slot: number): void {
    assert(this.#held[slot]! > 0, 'only what is held is let go');
    this.#held[slot]! -= 1;
    if (this.#held[slot] === 0 && this.#unflushed[slot] === 0) this.#becameIdle(slot);
  }

  #becameIdle(slot: number): void {
    const end = this.slotCount;
    const newest = this.#older[end]!;
    this.#newer[newest] = slot;
    this.#older[slot] = newest;
    this.#newer[slot] = end;
    this.#older[end] = slot;
    this.#idle += 1;
  }
}
