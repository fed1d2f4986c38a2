/**
 * Keeps an activity log on disk. All that miss in one moment share one write and one flush; those that come while it
 * is under way share the next. After a fault the log is given up: nothing is let go any more, and the owner decides
 * whether the copy leaves or the journal is declared lost (journal.ts).
 */

import { assert } from '../base/assert.ts';
import { DONE, fail, isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import { copyTo, lengthOf } from '../base/segments.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Disk, DiskFault } from '../ports/disk.ts';
import {
  type ActivityLog,
  type Batch,
  BATCH_TRANSACTIONS_MAX,
  BUSY,
  EXTENT_LENGTH,
  HOT,
} from './activity-log.ts';
import {
  CONTEXT_MAX,
  contextWindow,
  decodeTransaction,
  encodeTransaction,
  NO_EXTENT,
  type ReadTransaction,
  TRANSACTION_LENGTH,
  UPDATES_MAX,
} from './activity-log-format.ts';
import { type Replay, replay } from './activity-log-replay.ts';

export interface LogPlace {
  readonly disk: Disk;
  readonly offset: number;
  readonly device: Uuid;
}

/** Makes the dirty maps of these extents durable; called before a transaction takes their slots away. */
export type BeforeEvict = (extents: readonly number[]) => MaybeAsync<Result<void, DiskFault>>;

type Settled = (result: Result<void, DiskFault>) => void;

/**
 * Transactions in the ring, whatever the number of slots: room for the longest window, a batch under way, one that
 * tore, and one to spare.
 */
const RING = 128;
/** Bytes that the log takes on disk. */
export const LOG_FILE_LENGTH = RING * TRANSACTION_LENGTH;

/** What the log on disk says. */
export async function loadLog(place: LogPlace): Promise<Replay> {
  const ring: ReadTransaction[] = [];
  for (let at = 0; at < RING; at++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, to lose only a bad one
    const read = await place.disk.read(place.offset + at * TRANSACTION_LENGTH, TRANSACTION_LENGTH);
    if (!read.ok) {
      ring.push('damaged');
      continue;
    }
    const bytes = new Uint8Array(lengthOf(read.value.segments));
    copyTo(read.value.segments, bytes, 0);
    read.value.release();
    ring.push(decodeTransaction(bytes, place.device));
  }
  return replay(ring);
}

export class ActivityLogFile {
  readonly log: ActivityLog;
  readonly #place: LogPlace;
  readonly #beforeEvict: BeforeEvict;
  /** The slots as the transactions written so far say. */
  readonly #image: Uint32Array;
  readonly #incarnation: number;
  readonly #firstSequence: number;
  #sequence: number;
  #durableThrough: number;
  #contextStart = 0;
  #running = false;
  #fault: DiskFault | undefined;
  /** By batch. */
  #waiting: { readonly batch: number; readonly settled: Settled }[] = [];
  /** Those that found every slot held, and who came after them: as many as there are commands, at most. */
  #queued: { readonly lba: number; readonly blocks: number; readonly settled: Settled }[] = [];

  private constructor(log: ActivityLog, place: LogPlace, beforeEvict: BeforeEvict, before: Replay) {
    assert(
      contextWindow(log.slotCount) + 3 * BATCH_TRANSACTIONS_MAX <= RING,
      'the ring holds what is needed',
    );
    this.log = log;
    this.#place = place;
    this.#beforeEvict = beforeEvict;
    this.#image = new Uint32Array(log.slotCount).fill(NO_EXTENT);
    const last = before.kind === 'readable' ? before.last : undefined;
    this.#incarnation = before.kind === 'readable' ? before.incarnation + 1 : 1;
    this.#firstSequence = (last?.sequence ?? 0) + 1;
    this.#sequence = this.#firstSequence;
    this.#durableThrough = this.#firstSequence - 1;
  }

  /**
   * Begins an empty log. `before` is what `loadLog` answered, and what it said is durable elsewhere by now, for it no
   * longer counts when this answers. An unreadable ring is wiped first.
   */
  static async begin(
    log: ActivityLog,
    place: LogPlace,
    before: Replay,
    beforeEvict: BeforeEvict,
  ): Promise<Result<ActivityLogFile, DiskFault>> {
    const file = new ActivityLogFile(log, place, beforeEvict, before);
    if (before.kind === 'unreadable') {
      const wiped = await file.#wipe();
      if (!wiped.ok) return wiped;
    }
    const begun = await file.#write([file.#transaction(new Uint32Array(0))]);
    return begun.ok ? { ok: true, value: file } : begun;
  }

  /** Answers when the write may go on; at once when its extents are hot. */
  admit(lba: number, blocks: number): MaybeAsync<Result<void, DiskFault>> {
    if (this.#fault !== undefined) return fail(this.#fault);
    const admission = this.#queued.length > 0 ? BUSY : this.#ask(lba, blocks);
    if (admission === HOT) return DONE;
    return new Promise((settled) => {
      if (admission === BUSY) this.#queued.push({ lba, blocks, settled });
      else this.#waiting.push({ batch: admission, settled });
    });
  }

  settle(lba: number, blocks: number): void {
    this.log.settle(lba, blocks);
    this.#wake();
  }

  /** All members have confirmed the flush marker (`ActivityLog.seal`). */
  confirm(): void {
    this.log.confirm();
    this.#wake();
  }

  /** Clean stop: nothing may differ any more. Durable when it answers. */
  async clear(): Promise<Result<void, DiskFault>> {
    if (this.#fault !== undefined) return fail(this.#fault);
    assert(!this.#running && this.#queued.length === 0, 'nothing is under way at a clean stop');
    this.log.clear();
    this.#image.fill(NO_EXTENT);
    const pages: Uint8Array[] = [];
    for (let i = 0; i < contextWindow(this.log.slotCount); i++)
      pages.push(this.#transaction(new Uint32Array(0)));
    return this.#write(pages);
  }

  /** Lets those who wait for slots have them, in order, as far as there are any. */
  #wake(): void {
    while (this.#queued.length > 0) {
      const { lba, blocks, settled } = this.#queued[0]!;
      const admission = this.#ask(lba, blocks);
      if (admission === BUSY) return;
      this.#queued.shift();
      if (admission === HOT) settled(DONE);
      else this.#waiting.push({ batch: admission, settled });
    }
  }

  #ask(lba: number, blocks: number): number {
    const admission = this.log.admit(lba, blocks);
    if (this.log.hasStaged && !this.#running) void this.#run();
    return admission;
  }

  /** Writes batches until nothing is staged. The first one waits for the rest of its turn's misses. */
  async #run(): Promise<void> {
    this.#running = true;
    await Promise.resolve();
    for (let batch = this.log.takeBatch(); batch !== undefined; batch = this.log.takeBatch()) {
      // oxlint-disable-next-line no-await-in-loop -- one batch is under way at a time
      const written = await this.#writeBatch(batch);
      if (!written.ok) {
        this.#giveUp(written.fault);
        break;
      }
      this.log.batchDurable();
      this.#release(batch.number, written);
    }
    this.#running = false;
  }

  async #writeBatch(batch: Batch): Promise<Result<void, DiskFault>> {
    if (batch.evicted.length > 0) {
      const covering = this.#beforeEvict(batch.evicted);
      const covered = isAsync(covering) ? await covering : covering;
      if (!covered.ok) return covered;
    }
    for (let i = 0; i < batch.updates.length; i += 2) this.#image[batch.updates[i]!] = batch.updates[i + 1]!;
    const pages: Uint8Array[] = [];
    for (let at = 0; at < batch.updates.length; at += 2 * UPDATES_MAX)
      pages.push(this.#transaction(batch.updates.subarray(at, at + 2 * UPDATES_MAX)));
    return this.#write(pages);
  }

  #release(batch: number, result: Result<void, DiskFault>): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((waiter) => waiter.batch > batch);
    for (const waiter of waiting) if (waiter.batch <= batch) waiter.settled(result);
    this.#wake();
  }

  #giveUp(fault: DiskFault): void {
    this.#fault = fault;
    const queued = this.#queued;
    this.#queued = [];
    this.#release(Number.POSITIVE_INFINITY, fail(fault));
    for (const { settled } of queued) settled(fail(fault));
  }

  #transaction(updates: Uint32Array): Uint8Array {
    const { slotCount } = this.log;
    const context = new Uint32Array(Math.min(CONTEXT_MAX, slotCount));
    for (let i = 0; i < context.length; i++) context[i] = this.#image[(this.#contextStart + i) % slotCount]!;
    const page = encodeTransaction({
      device: this.#place.device,
      incarnation: this.#incarnation,
      firstSequence: this.#firstSequence,
      sequence: this.#sequence,
      durableThrough: this.#durableThrough,
      extentLength: EXTENT_LENGTH,
      slotCount,
      updates,
      contextStart: this.#contextStart,
      context,
    });
    this.#contextStart = (this.#contextStart + context.length) % slotCount;
    this.#sequence += 1;
    return page;
  }

  /** Writes the transactions made last, in one or, at the end of the ring, two pieces, and flushes. */
  async #write(pages: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    const start = (this.#sequence - pages.length) % RING;
    const fits = Math.min(pages.length, RING - start);
    for (const [at, part] of [
      [start, pages.slice(0, fits)],
      [0, pages.slice(fits)],
    ] as const) {
      if (part.length === 0) continue;
      // oxlint-disable-next-line no-await-in-loop -- two pieces at most
      const written = await this.#place.disk.write(this.#place.offset + at * TRANSACTION_LENGTH, part);
      if (!written.ok) return written;
    }
    const flushed = await this.#place.disk.flush();
    if (flushed.ok) this.#durableThrough = this.#sequence - 1;
    return flushed;
  }

  async #wipe(): Promise<Result<void, DiskFault>> {
    const zeros = new Uint8Array(LOG_FILE_LENGTH);
    const written = await this.#place.disk.write(this.#place.offset, [zeros]);
    return written.ok ? this.#place.disk.flush() : written;
  }
}
