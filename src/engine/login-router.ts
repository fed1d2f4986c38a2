/**
 * Connections between accept and the engine they belong to. An unauthenticated peer can make us hold one small head,
 * for a limited time; when there are too many, the one that has waited longest goes, because an initiator that means
 * it sends its Login Request at once, and a new one must still get in.
 */

import type { Clock, Timer } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';
import type { Trace } from '../ports/trace.ts';
import { createLoginPeek } from './login-peek.ts';

/** From accept to a whole first Login Request. */
export const FIRST_LOGIN_MS_MAX = 15_000;
export const HALF_OPEN_MAX = 1024;
/** Many initiators may share an address (NAT, several sessions each), so this is no small number. */
export const HALF_OPEN_PER_SOURCE_MAX = 256;

export interface LoginRouterOptions {
  readonly clock: Clock;
  readonly trace: Trace;
  /** The engine of this target; 0 for unknown ones and for discovery. `targetName` in lower case. */
  ownerOf(targetName: string | undefined): number;
  handOver(engine: number, arrival: Arrival, head: Uint8Array, answered: number): void;
}

export interface LoginRouter {
  readonly halfOpen: number;
  arrive(arrival: Arrival): void;
  /** Drops whoever has not come through; nothing arrives afterwards. */
  stop(): void;
}

interface HalfOpen {
  readonly arrival: Arrival;
  readonly deadline: Timer;
}

export function createLoginRouter(options: LoginRouterOptions): LoginRouter {
  const { clock, trace } = options;
  /** In order of arrival. */
  const waiting = new Set<HalfOpen>();
  const perSource = new Map<string, Set<HalfOpen>>();
  let stopped = false;

  function arrive(arrival: Arrival): void {
    if (stopped) {
      arrival.drop();
      return;
    }
    makeRoom(arrival.remoteHost);
    const entry: HalfOpen = {
      arrival,
      deadline: clock.after(FIRST_LOGIN_MS_MAX, () => drop(entry, 'no whole Login Request in time')),
    };
    waiting.add(entry);
    sourceOf(arrival.remoteHost).add(entry);
    const peek = createLoginPeek();
    arrival.read(
      (bytes) => {
        const step = peek.push(bytes);
        if (step.kind === 'answer') arrival.send(step.response);
        if (step.kind !== 'route') return true;
        forget(entry);
        options.handOver(options.ownerOf(step.targetName), arrival, step.head, step.answered);
        return false;
      },
      () => forget(entry),
    );
  }

  function makeRoom(source: string): void {
    const same = perSource.get(source);
    if (same !== undefined && same.size >= HALF_OPEN_PER_SOURCE_MAX) {
      drop(first(same), 'too many unfinished logins of this source');
    }
    if (waiting.size >= HALF_OPEN_MAX) drop(first(waiting), 'too many unfinished logins');
  }

  function drop(entry: HalfOpen, reason: string): void {
    forget(entry);
    trace('debug', 'login.dropped', { source: entry.arrival.remoteAddress, reason });
    entry.arrival.drop();
  }

  function forget(entry: HalfOpen): void {
    entry.deadline.cancel();
    waiting.delete(entry);
    const source = entry.arrival.remoteHost;
    const same = perSource.get(source);
    same?.delete(entry);
    if (same?.size === 0) perSource.delete(source);
  }

  function sourceOf(source: string): Set<HalfOpen> {
    const known = perSource.get(source) ?? new Set<HalfOpen>();
    perSource.set(source, known);
    return known;
  }

  return {
    get halfOpen() {
      return waiting.size;
    },
    arrive,
    stop: () => {
      stopped = true;
      for (const entry of waiting) drop(entry, 'stopping');
    },
  };
}

function first<T>(set: ReadonlySet<T>): T {
  const [entry] = set;
  return entry!;
}
