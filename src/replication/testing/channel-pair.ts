/** Two channels and wires between them on which each frame waits until a test lets it arrive. */

import { Channel, type Frame } from '../channel.ts';
import { ManualClock } from './manual-clock.ts';

export type Side = 'a' | 'b';
type Events = ReturnType<Channel<string>['attach']>;

/** One connection: frames in both directions, each in order. */
export class TestWire {
  readonly under: Record<Side, Frame<string>[]> = { a: [], b: [] };
  /** The sides that take no more until drained. */
  readonly full = new Set<Side>();
  readonly closedBy: Side[] = [];
  /** Everything ever sent by a side. */
  readonly sent: Record<Side, Frame<string>[]> = { a: [], b: [] };
  isBroken = false;
  readonly #events: Record<Side, Events>;

  constructor(ends: Readonly<Record<Side, Channel<string>>>) {
    this.#events = { a: this.#attach('a', ends.a), b: this.#attach('b', ends.b) };
  }

  /** The first frame that waits from this side arrives. */
  deliver(from: Side): boolean {
    const frame = this.under[from].shift();
    if (frame === undefined) return false;
    this.#events[other(from)].onFrame(frame);
    return true;
  }

  drained(side: Side): void {
    this.full.delete(side);
    this.#events[side].onDrained();
  }

  /** What is under way is lost; both sides hear of it. */
  break(): void {
    if (this.isBroken) return;
    this.isBroken = true;
    this.under.a = [];
    this.under.b = [];
    this.#events.a.onClosed();
    this.#events.b.onClosed();
  }

  #attach(side: Side, channel: Channel<string>): Events {
    return channel.attach({
      send: (frame) => {
        this.sent[side].push(frame);
        if (!this.isBroken) this.under[side].push(frame);
        return !this.full.has(side);
      },
      close: () => {
        this.closedBy.push(side);
        this.isBroken = true;
      },
    });
  }
}

export class ChannelPair {
  readonly clock = new ManualClock();
  readonly received: Record<Side, string[]> = { a: [], b: [] };
  readonly restarts: Record<Side, number> = { a: 0, b: 0 };
  readonly ends: Record<Side, Channel<string>>;
  readonly wires: TestWire[] = [];
  #incarnations: Record<Side, number> = { a: 10, b: 20 };

  constructor(wires = 1) {
    this.ends = { a: this.#make('a'), b: this.#make('b') };
    for (let wire = 0; wire < wires; wire++) this.connect();
    this.settle();
  }

  connect(): TestWire {
    const wire = new TestWire(this.ends);
    this.wires.push(wire);
    return wire;
  }

  /** The machine of a side loses its power and another process begins: nobody tells the other side. */
  restart(side: Side): void {
    this.#incarnations = { ...this.#incarnations, [side]: this.#incarnations[side] + 1 };
    this.ends[side] = this.#make(side);
    this.received[side] = [];
    for (const wire of this.wires) wire.isBroken = true;
  }

  incarnationOf(side: Side): number {
    return this.#incarnations[side];
  }

  /** Everything that waits arrives, and what it leads to, without any time passing. */
  settle(): void {
    while (this.wires.some((wire) => !wire.isBroken && (wire.deliver('a') || wire.deliver('b'))));
  }

  #make(side: Side): Channel<string> {
    return new Channel<string>({
      incarnation: this.#incarnations[side],
      clock: this.clock,
      bytesOf: (message) => message.length,
      onMessage: (message) => this.received[side].push(message),
      onRestarted: () => void (this.restarts[side] += 1),
    });
  }
}

export function other(side: Side): Side {
  return side === 'a' ? 'b' : 'a';
}
