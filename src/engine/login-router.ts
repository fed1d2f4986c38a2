/** Connections of initiators between accept and the engine that has their target. */

import type { Clock } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';
import type { Trace } from '../ports/trace.ts';
import { HalfOpenArrivals } from './half-open.ts';
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

export function createLoginRouter(options: LoginRouterOptions): LoginRouter {
  const { clock, trace } = options;
  const waiting = new HalfOpenArrivals({
    clock,
    trace,
    event: 'login.dropped',
    limits: { waitMs: FIRST_LOGIN_MS_MAX, count: HALF_OPEN_MAX, countPerSource: HALF_OPEN_PER_SOURCE_MAX },
  });

  function arrive(arrival: Arrival): void {
    const entry = waiting.add(arrival);
    if (entry === undefined) return;
    const peek = createLoginPeek();
    arrival.read(
      (bytes) => {
        const step = peek.push(bytes);
        if (step.kind === 'answer') arrival.send(step.response);
        if (step.kind !== 'route') return true;
        waiting.forget(entry);
        options.handOver(options.ownerOf(step.targetName), arrival, step.head, step.answered);
        return false;
      },
      () => waiting.forget(entry),
    );
  }

  return {
    get halfOpen() {
      return waiting.count;
    },
    arrive,
    stop: () => waiting.stop(),
  };
}
