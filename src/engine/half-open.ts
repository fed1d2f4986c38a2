/**
 * Connections between accept and the engine they belong to. A peer that has not proven anything can make us hold one small
 * head, for a limited time; when there are too many, the one that has waited longest goes, because who means it speaks at
 * once, and a new one must still get in.
 */

import type { Clock, Timer } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';
import type { Trace } from '../ports/trace.ts';

export interface HalfOpenLimits {
  /** From accept to what it has to say. */
  readonly waitMs: number;
  readonly count: number;
  /** Many peers may share an address. */
  readonly countPerSource: number;
}

export interface HalfOpenOptions {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly limits: HalfOpenLimits;
  /** Of the trace, for one that is dropped. */
  readonly event: string;
}

export interface HalfOpen {
  readonly arrival: Arrival;
  readonly deadline: Timer;
}

export class HalfOpenArrivals {
  readonly #options: HalfOpenOptions;
  /** In order of arrival. */
  readonly #waiting = new Set<HalfOpen>();
  readonly #perSource = new Map<string, Set<HalfOpen>>();
  #isStopped = false;

  constructor(options: HalfOpenOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Undefined: dropped at once. */
  add(arrival: Arrival): HalfOpen | undefined {
    if (this.#isStopped) {
      arrival.drop();
      return undefined;
    }
    const { clock, limits } = this.#options;
    this.#makeRoom(arrival.remoteHost);
    const entry: HalfOpen = {
      arrival,
      deadline: clock.after(limits.waitMs, () => this.drop(entry, 'too slow')),
    };
    this.#waiting.add(entry);
    const same = this.#perSource.get(arrival.remoteHost) ?? new Set<HalfOpen>();
    this.#perSource.set(arrival.remoteHost, same);
    same.add(entry);
    return entry;
  }

  drop(entry: HalfOpen, reason: string): void {
    const { trace, event } = this.#options;
    this.forget(entry);
    trace('debug', event, { source: entry.arrival.remoteAddress, reason });
    entry.arrival.drop();
  }

  /** It has come through, or is gone. */
  forget(entry: HalfOpen): void {
    entry.deadline.cancel();
    this.#waiting.delete(entry);
    const source = entry.arrival.remoteHost;
    const same = this.#perSource.get(source);
    same?.delete(entry);
    if (same?.size === 0) this.#perSource.delete(source);
  }

  /** Drops whoever has not come through; nothing arrives afterwards. */
  stop(): void {
    this.#isStopped = true;
    for (const entry of this.#waiting) this.drop(entry, 'stopping');
  }

  #makeRoom(source: string): void {
    const { count, countPerSource } = this.#options.limits;
    const same = this.#perSource.get(source);
    if (same !== undefined && same.size >= countPerSource) this.drop(first(same), 'too many of this source');
    if (this.#waiting.size >= count) this.drop(first(this.#waiting), 'too many');
  }
}

function first<T>(set: ReadonlySet<T>): T {
  const [entry] = set;
  return entry!;
}
