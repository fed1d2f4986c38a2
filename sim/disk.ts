/**
 * A disk for code without promises: `submit` an operation under a token, and the completion comes later, through the
 * host. Operations in flight complete in any order. `disk-port.ts` makes a Disk (src/ports/disk.ts) of it.
 *
 * Invariants
 *  1. An operation takes effect at its completion; a flush covers what had completed when it was submitted.
 *  2. Of a write that fails, or that is in flight at a crash, an arbitrary set of sectors is written.
 *  3. Nothing completes after a crash for the incarnation before it.
 *  4. Silent faults (rot, lost and misdirected writes) happen only when asked for.
 */

import { assert } from '../src/base/assert.ts';
import type { Prng } from '../src/base/prng.ts';
import type { Host } from './host.ts';
import type { Medium } from './medium.ts';
import { createMedium } from './medium.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

export type DiskOperation<V> =
  | { readonly kind: 'read'; readonly sector: number; readonly count: number }
  | { readonly kind: 'write'; readonly sector: number; readonly values: readonly V[] }
  | { readonly kind: 'punch'; readonly sector: number; readonly count: number }
  | { readonly kind: 'flush' };

export type DiskOutcome<V> =
  /** `values` of a read, one per sector; undefined for a hole. */
  | { readonly ok: true; readonly values: readonly (V | undefined)[] }
  | { readonly ok: false; readonly fault: 'ioError' | 'noSpace'; readonly sector: number };

/** What is wrong with a disk at the moment. */
export interface DiskConditions {
  /** Chance of each operation to fail. */
  readError: number;
  writeError: number;
  flushError: number;
  /** No sector that is a hole can be written. */
  noSpace: boolean;
  /** Factor on every latency. */
  slowness: number;
  /** Nothing completes. */
  hung: boolean;
  /** Chances of a write to be answered, but not done or done elsewhere. */
  lostWrite: number;
  misdirectedWrite: number;
}

export interface DiskOptions<V> {
  /** Distinguishes deliveries of this disk from others of its host. */
  readonly source: number;
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly trace: Trace;
  readonly sectorCount: number;
  /** Mean milliseconds; 0 completes within `submit`. */
  readonly latencyMs: { readonly read: number; readonly write: number; readonly flush: number };
  /** What becomes of a value when bits flip. */
  corrupt(value: V): V;
  /** For parts of sectors: the value after `written` over `before`. */
  readonly combine?: (before: V | undefined, written: V) => V;
  onCompletion(token: number, outcome: DiskOutcome<V>): void;
}

export interface SimulatedDisk<V> {
  readonly sectorCount: number;
  readonly conditions: DiskConditions;
  readonly medium: Medium<V>;
  readonly inFlight: number;
  submit(operation: DiskOperation<V>, token: number): void;
  /** After `conditions.hung` went back to false: what is stuck completes. */
  release(): void;
  /** `process`: the page cache lives on. `power`: it does not. Call it with the host's crash. */
  crash(how: 'process' | 'power'): void;
  /** What a failed flush has left in the page cache is forgotten. */
  reopen(): void;
  /** What was durable when `keepCopy` was called last: an old disk to put in its place. */
  readonly keptCopy: ReadonlyMap<number, V>;
  keepCopy(): void;
  /** Flips bits in a durable sector, if there is one; reads show it. */
  rot(): void;
}

interface Pending<V> {
  readonly operation: DiskOperation<V>;
  readonly token: number;
  readonly mark: number;
}

export function createDisk<V>(options: DiskOptions<V>): SimulatedDisk<V> {
  const { host, scheduler, random, trace, sectorCount, latencyMs } = options;
  const medium = createMedium<V>();
  const conditions = healthyDisk();
  let inFlight = new Set<Pending<V>>();
  let stuck: Pending<V>[] = [];
  let kept: ReadonlyMap<number, V> = new Map();

  function put(sector: number, value: V): void {
    const { combine } = options;
    medium.write(sector, combine === undefined ? value : combine(medium.read(sector), value));
  }

  /** Any part of a write or punch, perhaps none, perhaps all. */
  function applyPart(operation: DiskOperation<V>): void {
    if (operation.kind === 'read' || operation.kind === 'flush') return;
    const share = random.pick([0, 0.5, 1]);
    const count = operation.kind === 'write' ? operation.values.length : operation.count;
    for (let i = 0; i < count; i++) {
      if (!random.chance(share)) continue;
      if (operation.kind === 'write') put(operation.sector + i, operation.values[i]!);
      else medium.write(operation.sector + i, undefined);
    }
  }

  function apply(operation: DiskOperation<V>, mark: number): DiskOutcome<V> {
    switch (operation.kind) {
      case 'read': {
        if (random.chance(conditions.readError)) return failed('ioError', operation.sector);
        return { ok: true, values: medium.readAll(operation.sector, operation.count) };
      }
      case 'write':
        return write(operation.sector, operation.values, operation);
      case 'punch':
        for (let i = 0; i < operation.count; i++) medium.write(operation.sector + i, undefined);
        return DONE;
      case 'flush':
        if (random.chance(conditions.flushError)) {
          medium.failFlush(mark, random);
          return failed('ioError', 0);
        }
        medium.flush(mark);
        return DONE;
    }
  }

  function write(sector: number, values: readonly V[], operation: DiskOperation<V>): DiskOutcome<V> {
    if (random.chance(conditions.writeError)) {
      applyPart(operation);
      return failed('ioError', sector);
    }
    if (conditions.noSpace) {
      const hole = values.findIndex((_, i) => medium.read(sector + i) === undefined);
      if (hole >= 0) return failed('noSpace', sector + hole);
    }
    if (random.chance(conditions.lostWrite)) return DONE;
    const astray = random.chance(conditions.misdirectedWrite);
    const target = astray ? random.integer(0, sectorCount - values.length) : sector;
    for (let i = 0; i < values.length; i++) put(target + i, values[i]!);
    return DONE;
  }

  function complete(pending: Pending<V>): void {
    if (!inFlight.has(pending)) return;
    if (conditions.hung) {
      stuck.push(pending);
      return;
    }
    inFlight.delete(pending);
    const outcome = apply(pending.operation, pending.mark);
    trace.note(`disk.${pending.operation.kind}`, host.id, pending.token, outcome.ok ? 1 : 0);
    host.deliver(options.source, () => options.onCompletion(pending.token, outcome));
  }

  function start(pending: Pending<V>, meanMs: number): void {
    if (meanMs === 0) complete(pending);
    else scheduler.after(random.exponential(meanMs) * conditions.slowness, () => complete(pending));
  }

  return {
    sectorCount,
    conditions,
    medium,
    get inFlight() {
      return inFlight.size;
    },
    submit(operation, token) {
      assertInside(operation, sectorCount);
      const pending = { operation, token, mark: medium.mark() };
      inFlight.add(pending);
      start(pending, latencyMs[operation.kind === 'punch' ? 'write' : operation.kind]);
    },
    release() {
      const released = stuck;
      stuck = [];
      for (const pending of released) start(pending, latencyMs.write);
    },
    crash(how) {
      for (const { operation } of inFlight) applyPart(operation);
      inFlight = new Set();
      stuck = [];
      if (how === 'power') medium.powerLoss(random);
    },
    reopen: () => medium.reopen(),
    get keptCopy() {
      return kept;
    },
    keepCopy() {
      kept = medium.snapshot();
    },
    rot() {
      const durable = [...medium.snapshot()];
      if (durable.length === 0) return;
      const [sector, value] = random.pick(durable);
      medium.rot(sector, options.corrupt(value));
    },
  };
}

/** Exported for tests and for the end of faults. */
export function healthyDisk(): DiskConditions {
  return {
    readError: 0,
    writeError: 0,
    flushError: 0,
    noSpace: false,
    slowness: 1,
    hung: false,
    lostWrite: 0,
    misdirectedWrite: 0,
  };
}

/** Whatever was asked of it succeeds, sooner or later. */
export function isHealthy({ readError, writeError, flushError, noSpace, hung }: DiskConditions): boolean {
  return readError + writeError + flushError === 0 && !noSpace && !hung;
}

const DONE = { ok: true, values: [] } as const;

function failed(
  fault: 'ioError' | 'noSpace',
  sector: number,
): { ok: false; fault: typeof fault; sector: number } {
  return { ok: false, fault, sector };
}

function assertInside<V>(operation: DiskOperation<V>, sectorCount: number): void {
  if (operation.kind === 'flush') return;
  const count = operation.kind === 'write' ? operation.values.length : operation.count;
  assert(operation.sector >= 0 && operation.sector + count <= sectorCount, 'an operation lies on the disk');
}
