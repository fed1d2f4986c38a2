/**
 * Connections of other nodes between accept and the engine that has their device: reads the preamble, and no more. What
 * came behind it in the same packet goes along. Nothing is proven yet; that is the engine's part.
 */

import { decodePreamble, type Preamble, PREAMBLE_LENGTH } from '../base/partner-preamble.ts';
import type { Clock } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';
import type { Trace } from '../ports/trace.ts';
import { HalfOpenArrivals } from './half-open.ts';

/** A node sends it with its first packet. Exported for tests. */
export const PREAMBLE_MS_MAX = 5000;
const WAITING_MAX = 1024;
/** A node that starts connects for all its devices at once. */
const WAITING_PER_SOURCE_MAX = 512;
/** There always is one: for what is about no device, and to say that there is no such device here. */
const ANSWERING_ENGINE = 0;

export interface PartnerRouterOptions {
  readonly clock: Clock;
  readonly trace: Trace;
  /** Undefined: no engine here has this device. */
  ownerOf(device: string): number | undefined;
  /** `head` is all that was read, from the preamble on. */
  handOver(engine: number, arrival: Arrival, head: Uint8Array): void;
}

export interface PartnerRouter {
  readonly waiting: number;
  arrive(arrival: Arrival): void;
  /** Drops whoever has not come through; nothing arrives afterwards. */
  stop(): void;
}

export function createPartnerRouter(options: PartnerRouterOptions): PartnerRouter {
  const { clock, trace } = options;
  const waiting = new HalfOpenArrivals({
    clock,
    trace,
    event: 'partner.arrival.dropped',
    limits: { waitMs: PREAMBLE_MS_MAX, count: WAITING_MAX, countPerSource: WAITING_PER_SOURCE_MAX },
  });

  function engineOf({ kind, device }: Preamble): number | undefined {
    if (kind === 'measure') return ANSWERING_ENGINE;
    return options.ownerOf(device) ?? (kind === 'command' ? ANSWERING_ENGINE : undefined);
  }

  function arrive(arrival: Arrival): void {
    const entry = waiting.add(arrival);
    if (entry === undefined) return;
    let head = new Uint8Array(0);
    arrival.read(
      (bytes) => {
        head = joined(head, bytes);
        if (head.length < PREAMBLE_LENGTH) return true;
        const preamble = decodePreamble(head);
        const engine = preamble.ok ? engineOf(preamble.value) : undefined;
        if (engine === undefined) {
          waiting.forget(entry);
          // A partner looks for a copy that it does not know of.
          trace(preamble.ok ? 'debug' : 'warn', 'partner.arrival.refused', {
            source: arrival.remoteAddress,
            ...why(preamble),
          });
          arrival.drop();
          return false;
        }
        waiting.forget(entry);
        options.handOver(engine, arrival, head);
        return false;
      },
      () => waiting.forget(entry),
    );
  }

  return {
    get waiting() {
      return waiting.count;
    },
    arrive,
    stop: () => waiting.stop(),
  };
}

function why(preamble: ReturnType<typeof decodePreamble>): Readonly<Record<string, unknown>> {
  if (preamble.ok) return { why: 'unknownDevice', device: preamble.value.device };
  const { kind, ...more } = preamble.fault;
  return { why: kind, ...more };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
