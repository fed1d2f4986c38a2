/**
 * Connections: what TCP promises and no more. Messages of one direction arrive in order, each at most once; when a
 * connection ends, nobody learns which of the last ones arrived. Messages are passed by reference and must be immutable.
 *
 *   connect ──► connecting ──(a round trip)──► open ──close/abort/crash/reset──► closed
 *
 * Invariants
 *  1. FIFO: one queue per direction; a cut, a pause or a peer without power holds its head.
 *  2. `backlog` counts bytes that the other process has not consumed, or whose acknowledgement cannot come back (the way
 *     back is cut). Above BACKLOG_HIGH `send` answers false, and `onDrained` follows; a sender that goes on all the same
 *     beyond BACKLOG_MAX is a bug and stops the run.
 *  3. After `close` and `abort` no handler of that end is called. `close` lets what was sent arrive, even after a cut has
 *     healed (which is how old commands come back); `abort` takes back what a cut holds.
 *  4. A process that crashed is answered for by its kernel (reset); a machine without power answers nothing until it
 *     is back, and then only to what it receives.
 */

import { assert } from '../src/base/assert.ts';
import type { Prng } from '../src/base/prng.ts';
import type { Timer } from '../src/ports/clock.ts';
import type { Host } from './host.ts';
import { type Direction, type Link, soonerBy } from './link.ts';
import type { Scheduler } from './scheduler.ts';
import type { Trace } from './trace.ts';

export const BACKLOG_HIGH = 256 * 1024;
const BACKLOG_LOW = 64 * 1024;
const BACKLOG_MAX = 1024 * 1024;

export interface StreamHandlers {
  /** Only at the end that called `connect`. */
  onOpen(): void;
  onMessage(message: unknown): void;
  /** The backlog fell below the low-water mark after `send` had answered false. */
  onDrained(): void;
  /** Once, unless this end closed it: by the peer, by a reset, because nobody listens. */
  onClosed(cause: 'closed' | 'reset' | 'refused'): void;
}

export interface StreamEnd {
  /** Unique in a run; both ends have it. */
  readonly id: number;
  readonly link: Link;
  readonly local: number;
  readonly remote: number;
  readonly backlog: number;
  readonly closed: boolean;
  /** Queues. False: stop until `onDrained`. Nothing happens on a closed stream. */
  send(message: unknown, bytes: number): boolean;
  /** Stops and restarts receiving; the sender's backlog grows meanwhile. */
  pause(): void;
  resume(): void;
  close(): void;
  abort(): void;
}

export interface StreamWorld {
  readonly scheduler: Scheduler;
  readonly random: Prng;
  readonly trace: Trace;
  hostOf(endpoint: number): Host;
  /** Whether the machine's kernel lives, whatever its process does. */
  isPowered(endpoint: number): boolean;
  /** Takes a new connection, or refuses it. */
  accept(end: StreamEnd): StreamHandlers | undefined;
  onEnded(connection: Connection): void;
}

type Item =
  | { readonly kind: 'data'; readonly message: unknown; readonly bytes: number; at: number }
  | { readonly kind: 'open' | 'opened' | 'closed' | 'reset' | 'refused'; readonly bytes: 0; at: number };

const STEP_MS = 0.001;
const CONTROL_BYTES = 64;

/** Classes, because there is one hop per message and runs have millions. */
class End implements StreamEnd {
  readonly id: number;
  readonly link: Link;
  readonly local: number;
  readonly remote: number;
  backlog = 0;
  closed = false;
  /** The machine lost its power: even its kernel has forgotten. */
  forgotten = false;
  handlers: StreamHandlers | undefined;
  readonly side: Direction;
  /** On the way from here to the other end. */
  readonly queue: Item[] = [];
  timer: Timer | undefined;
  lastArrival = 0;
  /** Consumed by the other end, acknowledgement held back by a cut. */
  unacknowledged = 0;
  full = false;
  paused = false;
  /** Arrived in the process while it had paused. */
  stash: Item[] = [];
  /** Of the head of the queue. */
  readonly onArrival: () => void;
  readonly #connection: Connection;

  constructor(connection: Connection, side: Direction, link: Link, local: number, remote: number) {
    this.id = connection.id;
    this.#connection = connection;
    this.side = side;
    this.link = link;
    this.local = local;
    this.remote = remote;
    this.onArrival = () => connection.arrive(this);
  }

  send(message: unknown, bytes: number): boolean {
    if (this.closed) return true;
    if (this.backlog > BACKLOG_MAX) assert(false, `endpoint ${this.local} heeds back-pressure`);
    this.backlog += bytes;
    this.#connection.enqueue(this, { kind: 'data', message, bytes, at: 0 });
    this.full ||= this.backlog > BACKLOG_HIGH;
    return !this.full;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.#connection.resumed(this);
  }

  close(): void {
    if (!this.closed) this.#connection.end(this, 'closed');
  }

  abort(): void {
    if (!this.closed) this.#connection.end(this, 'reset');
  }
}

export class Connection {
  readonly id: number;
  readonly ends: readonly [End, End];
  readonly link: Link;
  readonly #world: StreamWorld;

  /** `from`: the side of the link that connects. */
  constructor(id: number, world: StreamWorld, link: Link, from: Direction, handlers: StreamHandlers) {
    this.id = id;
    this.#world = world;
    this.link = link;
    const [a, b] = link.ends;
    this.ends = [new End(this, 0, link, a, b), new End(this, 1, link, b, a)];
    this.ends[from].handlers = handlers;
    this.enqueue(this.ends[from], { kind: 'open', bytes: 0, at: 0 });
  }

  other(end: End): End {
    return this.ends[end.side === 0 ? 1 : 0];
  }

  enqueue(from: End, item: Item): void {
    const now = this.#world.scheduler.now();
    const delay = this.link.draw(from.side, item.bytes + CONTROL_BYTES, now);
    item.at = from.lastArrival = Math.max(now + delay, from.lastArrival + STEP_MS);
    from.queue.push(item);
    this.arm(from);
  }

  arm(from: End): void {
    const head = from.queue[0];
    if (head === undefined || from.timer !== undefined) return;
    from.timer = this.#world.scheduler.after(head.at - this.#world.scheduler.now(), from.onArrival);
  }

  arrive(from: End): void {
    from.timer = undefined;
    const to = this.other(from);
    const item = from.queue[0];
    if (item === undefined || this.link.isCut(from.side) || (to.paused && item.kind === 'data')) return;
    const host = this.#world.hostOf(to.local);
    if (!this.#world.isPowered(to.local)) return;
    if (to.forgotten) {
      from.queue.length = 0;
      if (!from.closed) this.enqueue(to, { kind: 'reset', bytes: 0, at: 0 });
      return;
    }
    from.queue.shift();
    this.#world.trace.note(item.kind, this.id, to.local, item.bytes);
    if (to.closed) this.#consumed(from, item);
    else if (host.state === 'down') this.end(to, 'refused');
    else if (host.state === 'running') this.#consume(from, to, item);
    else host.deliver(this.id, () => this.#consume(from, to, item));
    this.arm(from);
  }

  resumed(to: End): void {
    const from = this.other(to);
    while (to.stash.length > 0 && !to.paused) this.#consume(from, to, to.stash.shift()!);
    this.arm(from);
  }

  #consume(from: End, to: End, item: Item): void {
    if (to.closed) return;
    if (to.paused) {
      to.stash.push(item);
    } else if (item.kind === 'data') {
      this.#consumed(from, item);
      to.handlers?.onMessage(item.message);
    } else if (item.kind === 'open') {
      to.handlers = this.#world.accept(to);
      if (to.handlers === undefined) this.end(to, 'refused');
      else this.enqueue(to, { kind: 'opened', bytes: 0, at: 0 });
    } else if (item.kind === 'opened') {
      to.handlers?.onOpen();
    } else {
      to.closed = true;
      this.#finishIfOver();
      to.handlers?.onClosed(item.kind);
    }
  }

  /** The sender learns that `item` was consumed, if the way back is open. */
  #consumed(from: End, item: Item): void {
    from.unacknowledged += item.bytes;
    if (!this.link.isCut(from.side === 0 ? 1 : 0)) this.acknowledge(from);
  }

  acknowledge(from: End): void {
    from.backlog -= from.unacknowledged;
    from.unacknowledged = 0;
    if (!from.full || from.backlog > BACKLOG_LOW) return;
    from.full = false;
    this.#world.hostOf(from.local).deliver(this.id, () => {
      if (!from.closed) from.handlers?.onDrained();
    });
  }

  /** This end is over; the other one is told as far as the link lets it. */
  end(end: End, cause: 'closed' | 'reset' | 'refused'): void {
    end.closed = true;
    if (cause === 'reset' && this.link.isCut(end.side)) end.queue.length = 0;
    if (!this.other(end).closed) this.enqueue(end, { kind: cause, bytes: 0, at: 0 });
    this.#finishIfOver();
  }

  /** Something between the ends resets the connection: what is on the way is lost, both are told. */
  reset(): void {
    for (const end of this.ends) {
      end.queue.length = 0;
      if (!this.other(end).closed) this.enqueue(end, { kind: 'reset', bytes: 0, at: 0 });
    }
  }

  hostDown(endpoint: number, how: 'process' | 'power'): void {
    const end = this.ends[this.ends[0].local === endpoint ? 0 : 1];
    if (end.closed) return;
    if (how === 'power') {
      end.closed = end.forgotten = true;
      end.queue.length = 0;
      this.#finishIfOver();
      return;
    }
    if (this.#world.random.chance(0.5)) end.queue.length = 0;
    this.end(end, 'reset');
  }

  /** A direction works again: its queue takes the road afresh, in the same order. */
  heal(side: Direction): void {
    const [from, back] = [this.ends[side], this.ends[side === 0 ? 1 : 0]];
    const now = this.#world.scheduler.now();
    let at = now + this.link.draw(side, 0, now);
    for (const item of from.queue) {
      item.at = at = Math.max(item.at, at + STEP_MS);
      from.lastArrival = Math.max(from.lastArrival, at);
    }
    this.arm(from);
    this.acknowledge(back);
  }

  /** A direction has become faster: what is on its way has so much less of the time that it had left. */
  hasten(side: Direction, share: number): void {
    const from = this.ends[side];
    const now = this.#world.scheduler.now();
    for (const item of from.queue) item.at = soonerBy(share, item.at, now);
    from.lastArrival = soonerBy(share, from.lastArrival, now);
    from.timer?.cancel();
    from.timer = undefined;
    this.arm(from);
  }

  #finishIfOver(): void {
    if (this.ends[0].closed && this.ends[1].closed) this.#world.onEnded(this);
  }
}
