/**
 * Virtual time: one heap of events, run one by one. Time is counted in whole microseconds and shown in milliseconds.
 *
 * Invariants
 *  1. Events run in the order of (time, order of scheduling); nothing else decides. The order survives compaction.
 *  2. Time never goes back, and does not move while an event runs.
 *  3. A cancelled event never runs. Cancelled ones never make up more than half of a large heap.
 *
 * Promises: `await scheduler.runSettled(untilMs)` lets all promise reactions run, and those that they lead to, before the
 * next event, so that asynchronous sequences advance exactly as far as they can before time moves on; a crash can so
 * happen at any await. Nobody has to say that there is something to settle: V8 tells of every promise that is made or
 * settled (`v8.promiseHooks`, some 20 ns each), and an event without any costs nothing more than in `run`. Only after
 * the others the microtask queue is drained, with all chains to their ends (0.2 µs). `queueMicrotask` is not seen.
 * `run` is the same without promises, for scripts that are synchronous.
 */

import { promiseHooks } from 'node:v8';
import type { Clock, Timer } from '../src/ports/clock.ts';

export interface Scheduler extends Clock {
  /** Events run so far. */
  readonly executed: number;
  /** Events in the heap, cancelled ones included. */
  readonly size: number;
  /** Runs events up to and including `untilMs`, or until one halts the run; then time is `untilMs`, or where it was. */
  run(untilMs: number): void;
  runSettled(untilMs: number): Promise<void>;
  /** Ends the run that is under way after this event. */
  halt(): void;
}

const MICROSECONDS = 1000;
/** A smaller heap is never compacted. */
const COMPACTION_SIZE_MIN = 256;

/** A class, because one is made for every event. */
class Entry implements Timer {
  readonly at: number;
  readonly order: number;
  action: (() => void) | undefined;
  readonly #onCancel: () => void;

  constructor(at: number, order: number, action: () => void, onCancel: () => void) {
    this.at = at;
    this.order = order;
    this.action = action;
    this.#onCancel = onCancel;
  }

  cancel(): void {
    if (this.action === undefined) return;
    this.action = undefined;
    this.#onCancel();
  }
}

export function createScheduler(): Scheduler {
  let heap: Entry[] = [];
  let [now, order, executed, cancelled] = [0, 0, 0, 0];
  let halted = false;

  const onCancel = (): void => {
    cancelled++;
    if (heap.length < COMPACTION_SIZE_MIN || cancelled * 2 < heap.length) return;
    const live = heap.filter((entry) => entry.action !== undefined);
    heap = [];
    cancelled = 0;
    for (const entry of live) push(heap, entry);
  };

  function next(until: number): (() => void) | undefined {
    if (halted) return undefined;
    while (heap.length > 0 && heap[0]!.at <= until) {
      const entry = pop(heap);
      const { action } = entry;
      if (action === undefined) {
        cancelled--;
        continue;
      }
      entry.action = undefined;
      now = entry.at;
      executed++;
      return action;
    }
    now = Math.max(now, until);
    return undefined;
  }

  return {
    now: () => now / MICROSECONDS,
    after(delayMs, action) {
      const at = now + Math.max(0, Math.round(delayMs * MICROSECONDS));
      const entry = new Entry(at, order++, action, onCancel);
      push(heap, entry);
      return entry;
    },
    run(untilMs) {
      const until = Math.round(untilMs * MICROSECONDS);
      halted = false;
      for (;;) {
        const action = next(until);
        if (action === undefined) return;
        action();
      }
    },
    runSettled(untilMs) {
      const until = Math.round(untilMs * MICROSECONDS);
      halted = false;
      let unsettled = false;
      const mark = (): void => {
        unsettled = true;
      };
      return new Promise((resolve, reject) => {
        const unhook = promiseHooks.createHook({ init: mark, settled: mark });
        const onDrained = (): void => {
          unsettled = false;
          try {
            for (;;) {
              const action = next(until);
              if (action === undefined) break;
              action();
              if (unsettled) return drain(onDrained);
            }
          } catch (error) {
            unhook();
            reject(error as Error);
            return;
          }
          unhook();
          resolve();
        };
        // What the caller has begun settles first.
        drain(onDrained);
      });
    },
    halt() {
      halted = true;
    },
    get executed() {
      return executed;
    },
    get size() {
      return heap.length;
    },
  };
}

/** A tick that a promise reaction asks for comes only when no reaction is left. */
function drain(onDrained: () => void): void {
  void SETTLED.then(() => process.nextTick(onDrained));
}

const SETTLED = Promise.resolve();

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (before(heap[parent]!, entry)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): Entry {
  const first = heap[0]!;
  const last = heap.pop()!;
  const length = heap.length;
  if (length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= length) break;
    if (child + 1 < length && before(heap[child + 1]!, heap[child]!)) child++;
    if (before(last, heap[child]!)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
  return first;
}
