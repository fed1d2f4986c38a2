/**
 * Writes dirty pages to the device beneath: the oldest first, a batch of them in the order of their addresses, each
 * with its dirty neighbours, several writes at a time. It begins when too much is dirty, when something has been dirty
 * for too long, and when everything of a moment has to be beneath.
 *
 * Invariants
 *  1. No two changes of a page are under way beneath: a page is left out while `order` is held for it.
 *  2. Nothing is forgotten: a page that could not be written stays dirty, every `drain` that has it to wait for
 *     answers the fault, and `fault` says so until it has been written.
 *  3. `drain` waits for what was dirty when it began, and for nothing that came later.
 */

import { assert } from '../base/assert.ts';
import type { HeldRange, RangeLock } from '../base/range-lock.ts';
import { DONE, fail, isAsync, type MaybeAsync, type Result, then } from '../base/result.ts';
import { serialLess, serialLessOrEqual } from '../base/serial-number.ts';
import type { BlockDevice, DeviceFault } from '../ports/block-device.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import { piecesOf, type Run, runAround } from './destage-run.ts';
import { NONE } from './frame-list.ts';
import { DIRTY, PAGE_LENGTH, WRITING } from './frames.ts';
import { type Limits, limitsFor } from './limits.ts';
import type { Pages } from './pages.ts';
import { Speed } from './speed.ts';

type Answer = MaybeAsync<Result<void, DeviceFault>>;

/** Writes beneath at a time. */
const RUNS_MAX = 8;
/** Pages that are sorted at a time: 16 MiB if they do not adjoin. */
const BATCH_PAGES = 4096;
const STOPPED = fail<DeviceFault>({ kind: 'unavailable', reason: 'the cache was given up' });

interface Drain {
  readonly generation: number;
  result: Result<void, DeviceFault> | undefined;
  resolve: ((result: Result<void, DeviceFault>) => void) | undefined;
}

interface RoomWaiter {
  readonly pages: number;
  readonly resolve: (result: Result<void, DeviceFault>) => void;
}

export interface DestagerOptions {
  readonly below: Pick<BlockDevice, 'write'>;
  readonly clock: Clock;
  readonly pages: Pages;
  /** Pages that are being changed beneath. */
  readonly order: RangeLock;
  /** Milliseconds after which what is dirty is written out; between half of it and all of it. */
  readonly ageMs: number;
}

export class Destager {
  bytes = 0;
  writes = 0;
  readonly #options: DestagerOptions;
  readonly #pages: Pages;
  readonly #batch = new Float64Array(BATCH_PAGES);
  readonly #runs = new Set<Run>();
  readonly #speed = new Speed();
  #limits: Limits;
  #batchLength = 0;
  #next = 0;
  /** What became dirty up to here is to be written out. */
  #target = 0;
  #agedGeneration = 0;
  #isDraining = false;
  #isPumping = false;
  #isStopped = false;
  #timer: Timer | undefined;
  #lastFault: DeviceFault | undefined;
  #drains: Drain[] = [];
  readonly #rooms: RoomWaiter[] = [];
  #roomGiven = 0;
  #onStill: (() => void)[] = [];

  constructor(options: DestagerOptions) {
    this.#options = options;
    this.#pages = options.pages;
    this.#limits = limitsFor(options.pages.frames.count);
  }

  /** Pages that could not be written, while there are any. */
  get fault(): DeviceFault | undefined {
    return this.#pages.dirty.failures > 0 ? this.#lastFault : undefined;
  }

  /** How long it would take to write out everything that is dirty now. */
  get forecastMs(): number | undefined {
    return this.#speed.forecastMs(this.#pages.dirty.count * PAGE_LENGTH);
  }

  /** The number of frames has changed. */
  resized(): void {
    this.#limits = limitsFor(this.#pages.frames.count);
    this.pump();
  }

  /** Whether so many pages may become dirty at once, and nobody has waited for that. */
  hasRoom(pages: number): boolean {
    return this.#rooms.length === 0 && this.#fits(pages);
  }

  /** Answers when so many pages may become dirty; until `roomTaken` they are kept for who has asked. */
  room(pages: number): Promise<Result<void, DeviceFault>> {
    if (this.#isStopped) return Promise.resolve(STOPPED);
    const waits = new Promise<Result<void, DeviceFault>>((resolve) => this.#rooms.push({ pages, resolve }));
    this.pump();
    return waits;
  }

  /** What `room` has given has been used, or is not needed. */
  roomTaken(pages: number): void {
    this.#roomGiven -= pages;
    this.pump();
  }

  /** Pages have become dirty. */
  noticed(): void {
    if (this.#timer === undefined) this.#startTimer();
    if (this.#pages.dirty.count > this.#limits.dirtyHigh) this.pump();
  }

  /** Answers when everything that is dirty now is beneath; not yet durable there. */
  drain(): Answer {
    if (this.#isStopped) return STOPPED;
    const { dirty } = this.#pages;
    dirty.retry();
    const generation = dirty.nextGeneration();
    this.#aim(generation);
    const drain: Drain = { generation, result: undefined, resolve: undefined };
    this.#drains.push(drain);
    this.pump();
    return drain.result ?? new Promise((resolve) => (drain.resolve = resolve));
  }

  /** Begins what should be written and may be, and tells who waited. To be called when `order` was released, too. */
  pump(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    this.#giveRoom();
    let hasBegun = true;
    while (this.#runs.size < RUNS_MAX) {
      if (this.#next === this.#batchLength) {
        if (!hasBegun || !this.#refill()) break;
        hasBegun = false;
      }
      const page = this.#batch[this.#next++]!;
      const frame = this.#pages.frames.index.find(page);
      if (frame === NONE || this.#pages.frames.state[frame] !== DIRTY || !this.#isFree(page)) continue;
      hasBegun = true;
      this.#begin(runAround(this.#pages, page, this.#limits.runPagesMax, (at) => this.#isFree(at)));
    }
    this.#isPumping = false;
    this.#giveRoom();
    this.#endDrains();
  }

  /** What is dirty stays so. Answers when nothing is under way beneath any more. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const drain of this.#drains) endDrain(drain, STOPPED);
    this.#drains = [];
    for (const { resolve } of this.#rooms.splice(0)) resolve(STOPPED);
    if (this.#runs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onStill.push(resolve));
  }

  /** After `stop`, with nothing dirty any more. */
  startAnew(): void {
    assert(this.#pages.dirty.count === 0 && this.#roomGiven === 0, 'nothing of before is left');
    this.#isStopped = false;
    this.#isDraining = false;
    this.#timer = undefined;
    this.#next = this.#batchLength;
  }

  #isFree(page: number): boolean {
    return this.#options.order.isFree(page, 1, 'exclusive');
  }

  #fits(pages: number): boolean {
    const taken = this.#pages.dirty.count + this.#roomGiven;
    return taken + pages <= this.#limits.dirtyMax;
  }

  #aim(generation: number): void {
    if (serialLess(this.#target, generation)) this.#target = generation;
  }

  /** The next batch; false: there is nothing to be written now. */
  #refill(): boolean {
    const { dirty, frames } = this.#pages;
    const { dirtyHigh, dirtyLow } = this.#limits;
    if (dirty.count > dirtyHigh || this.#rooms.length > 0) this.#isDraining = true;
    else if (dirty.count <= dirtyLow) this.#isDraining = false;
    const surplus = this.#isDraining ? dirty.count - dirtyLow : 0;
    let length = 0;
    for (let frame = dirty.waiting.head; frame !== NONE; frame = dirty.waiting.after(frame)) {
      const isWanted = length < surplus || this.#rooms.length > 0 || dirty.isOf(frame, this.#target);
      if (!isWanted || length === BATCH_PAGES) break;
      this.#batch[length++] = frames.index.pages[frame]!;
    }
    this.#batch.subarray(0, length).sort();
    this.#batchLength = length;
    this.#next = 0;
    return length > 0;
  }

  #begin(run: Run): void {
    const { frames, dirty } = this.#pages;
    for (const frame of run.frames) {
      dirty.begin(frame);
      frames.pin(frame);
    }
    const held = this.#options.order.hold(run.firstPage, run.frames.length, 'exclusive');
    assert(!isAsync(held), 'pages that are free are granted at once');
    this.#runs.add(run);
    this.#speed.begin(this.#options.clock.now());
    const pieces = piecesOf(this.#pages, run);
    const write = (at: number): Answer => {
      const { lba, blocks, data } = pieces[at]!;
      return then(this.#options.below.write(lba, data, 'cached'), (result) => {
        this.writes += 1;
        if (result.ok) this.bytes += blocks * this.#pages.blockLength;
        return result.ok && at + 1 < pieces.length ? write(at + 1) : result;
      });
    };
    void then(write(0), (result) => this.#end(run, held, result));
  }

  #end(run: Run, held: HeldRange, result: Result<void, DeviceFault>): void {
    const { frames, dirty, replacement } = this.#pages;
    held.release();
    this.#runs.delete(run);
    this.#speed.end(this.#options.clock.now(), result.ok ? run.frames.length * PAGE_LENGTH : 0);
    for (const frame of run.frames) {
      const isCurrent = frames.state[frame] === WRITING;
      if (result.ok) dirty.wrote(frame);
      else dirty.couldNotWrite(frame);
      if (result.ok && isCurrent) replacement.enter(frame);
      frames.unpin(frame);
    }
    if (!result.ok) this.#failed(run, result.fault);
    if (this.#runs.size === 0) for (const resolve of this.#onStill.splice(0)) resolve();
    this.pump();
  }

  #failed(run: Run, fault: DeviceFault): void {
    this.#lastFault = fault;
    const result = fail(fault);
    for (const drain of this.#drains)
      if (serialLessOrEqual(run.generation, drain.generation | 0)) drain.result = result;
    for (const { resolve } of this.#rooms.splice(0)) resolve(result);
  }

  #endDrains(): void {
    if (this.#drains.length === 0) return;
    const { dirty } = this.#pages;
    this.#drains = this.#drains.filter((drain) => {
      const isOver =
        drain.result !== undefined || !(dirty.hasWaiting(drain.generation) || this.#writes(drain));
      if (isOver) endDrain(drain, drain.result ?? DONE);
      return !isOver;
    });
  }

  /** Whether something is being written that the drain waits for. */
  #writes({ generation }: Drain): boolean {
    for (const run of this.#runs) if (serialLessOrEqual(run.generation, generation | 0)) return true;
    return false;
  }

  #giveRoom(): void {
    for (;;) {
      const first = this.#rooms[0];
      if (first === undefined) return;
      // Alone, anybody: he may be too large for a cache that has become smaller, and sees for himself.
      const isAlone = this.#pages.dirty.count + this.#roomGiven === 0;
      if (!this.#fits(first.pages) && !isAlone) return;
      this.#rooms.shift();
      this.#roomGiven += first.pages;
      first.resolve(DONE);
    }
  }

  #startTimer(): void {
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(this.#options.ageMs / 2, () => {
      const { dirty } = this.#pages;
      this.#timer = undefined;
      if (this.#isStopped) return;
      dirty.retry();
      this.#aim(this.#agedGeneration);
      this.#agedGeneration = dirty.nextGeneration();
      this.pump();
      if (dirty.count > 0) this.#startTimer();
    });
  }
}

function endDrain(drain: Drain, result: Result<void, DeviceFault>): void {
  drain.result = result;
  drain.resolve?.(result);
}
