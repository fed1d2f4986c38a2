/**
 * The member that brings learners up to date: walks the map of what each lacks, and clears a chunk when the learner
 * has it durably. When nothing is left and a flush of all has gone round since, the learner has been proven equal.
 *
 *   dirty ──offer──► offered ──want──► same or chunk sent ──settled──► clean … all clean ──flush of all──► ready
 *
 * Invariants
 *  1. A bit is cleared only by `settled` of the term in which the chunk was offered.
 *  2. Chunks on their way are bounded by the pace; nothing else of a resync is kept.
 */

import { copyOf } from '../base/segments.ts';
import type { DirtyMap } from '../journal/dirty-map.ts';
import { chunkExtent } from './chunks.ts';
import type { Replica } from './replica.ts';
import { ResyncForecast } from './resync-forecast.ts';
import { ResyncPace } from './resync-pace.ts';

const TARGET_LATENCY_MS = 20;
/** People who wait are told so often. */
const TELL_MS = 10_000;

interface Learner {
  readonly node: number;
  readonly map: DirtyMap;
  readonly total: number;
  readonly offered: Set<number>;
  next: number;
  isFlushing: boolean;
  isReady: boolean;
  readonly forecast: ResyncForecast;
  toldAt: number;
}

export interface ResyncProgress {
  readonly learner: number;
  /** Chunks of 64 KiB. */
  readonly total: number;
  readonly left: number;
  readonly percent: number;
  readonly chunksPerSecond: number;
  /** Undefined: not to be told yet. */
  readonly secondsLeft: number | undefined;
}

export class ResyncSource {
  readonly pace = new ResyncPace(TARGET_LATENCY_MS);
  readonly #replica: Replica;
  #learners: Learner[] = [];

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** Learners that have been proven equal and durable. */
  get ready(): number[] {
    return this.#learners.filter(({ isReady }) => isReady).map(({ node }) => node);
  }

  get progress(): ResyncProgress[] {
    return this.#learners.map(({ node, total, map, forecast }) => {
      const { percent, chunksPerSecond, secondsLeft } = forecast;
      return { learner: node, total, left: map.count, percent, chunksPerSecond, secondsLeft };
    });
  }

  start(learners: readonly number[]): void {
    for (const node of learners) {
      const map = this.#replica.ports.journal.mapOf(node);
      if (map === undefined) continue;
      const now = this.#replica.ports.clock.now();
      this.#learners.push({
        node,
        map,
        total: map.count,
        offered: new Set(),
        next: 0,
        isFlushing: false,
        isReady: false,
        forecast: new ResyncForecast(map.count, now),
        toldAt: now,
      });
    }
    for (const learner of this.#learners) this.#offer(learner);
  }

  stop(): void {
    this.#learners = [];
  }

  tick(): void {
    this.pace.adjust();
    for (const learner of this.#learners) {
      this.#tell(learner);
      this.#offer(learner);
      void this.#replica.ports.journal.saveProgress(learner.node);
    }
  }

  onWant(from: number, chunk: number, digest: string | undefined): void {
    const learner = this.#find(from);
    if (learner?.offered.has(chunk) !== true) return;
    const { reads, ports, installed } = this.#replica;
    const { term } = installed!;
    const { lba, blocks } = chunkExtent(ports.store.geometry, chunk);
    void reads.current(lba, blocks).then((result) => {
      if (this.#replica.installed?.term !== term) return result.ok ? result.value.release() : undefined;
      if (!result.ok) {
        // It stays dirty; another source, or a repaired medium, may do better.
        ports.trace('warn', 'mirror.resync.sourceUnreadable', { learner: from, chunk, cause: result.fault });
        learner.offered.delete(chunk);
        return;
      }
      const loan = result.value;
      if (digest !== undefined && ports.digest(loan.segments) === digest)
        ports.send(from, { kind: 'same', chunk });
      else ports.send(from, { kind: 'chunk', chunk, data: [copyOf(loan.segments)] });
      loan.release();
    });
  }

  onSettled(from: number, chunk: number): void {
    const learner = this.#find(from);
    if (learner?.offered.delete(chunk) !== true) return;
    const { store, journal } = this.#replica.ports;
    const { lba, blocks } = chunkExtent(store.geometry, chunk);
    journal.brought(from, lba, blocks);
    learner.map.clear(chunk);
    this.#offer(learner);
  }

  #tell(learner: Learner): void {
    const { clock, trace } = this.#replica.ports;
    const now = clock.now();
    learner.forecast.look(learner.map.count, now);
    if (now - learner.toldAt < TELL_MS || learner.map.count === 0) return;
    learner.toldAt = now;
    const { percent, chunksPerSecond, secondsLeft } = learner.forecast;
    trace('info', 'mirror.resync.progress', { node: learner.node, percent, chunksPerSecond, secondsLeft });
  }

  #find(node: number): Learner | undefined {
    return this.#learners.find((learner) => learner.node === node);
  }

  #offer(learner: Learner): void {
    const { ports } = this.#replica;
    const chunks: number[] = [];
    while (learner.offered.size < this.pace.window) {
      let chunk = learner.map.next(learner.next);
      if (chunk < 0 && learner.offered.size === 0) chunk = learner.map.next(0);
      if (chunk < 0) break;
      learner.next = chunk + 1;
      if (learner.offered.has(chunk)) continue;
      learner.offered.add(chunk);
      chunks.push(chunk);
    }
    if (chunks.length > 0) ports.send(learner.node, { kind: 'offer', chunks });
    else if (learner.map.count === 0) this.#finish(learner);
  }

  /** Everything is there. A generation of flushes later nothing that was before this resync is in anyone's memory only. */
  #finish(learner: Learner): void {
    if (learner.isReady || learner.isFlushing) return;
    learner.isFlushing = true;
    void this.#replica.flushEverywhere().then((complete) => {
      learner.isFlushing = false;
      learner.isReady = complete && learner.map.count === 0;
      const { node, total } = learner;
      if (learner.isReady) this.#replica.ports.trace('info', 'mirror.resync.ends', { node, chunks: total });
    });
  }
}
