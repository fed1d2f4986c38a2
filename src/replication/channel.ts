/**
 * A reliable conversation with one other node over any number of connections that come and go: every message arrives
 * once and in order until one of the two processes ends. Connections are used together; what was on a broken one is
 * sent again on another.
 *
 *   connection opens ──hello both ways──► ready ──► data, each numbered ──► acknowledged with the next data, or alone
 *   hello of another incarnation: a new conversation; whatever was under way is lost, and the owner hears of it
 *   ready ──nothing acknowledged for STUCK_MS, and there are others──► stuck ──probe answered──► ready
 *
 * Invariants
 *  1. Messages of one conversation are delivered in the order of `send`, none twice, none left out.
 *  2. Of several connections none that is dead or slow holds the conversation up for longer than it takes to notice.
 *  3. What is not acknowledged is kept; above CONGESTED_BYTES the channel says so and the owner begins nothing new.
 */

import type { Clock } from '../ports/clock.ts';

export type Frame<M> =
  | {
      readonly kind: 'hello';
      readonly incarnation: number;
      /** The other side, as far as it is known here; 0: not. */
      readonly to: number;
      readonly received: number;
    }
  | {
      readonly kind: 'data';
      readonly sequence: number;
      readonly received: number;
      /** Undefined: forgotten before it could be sent; only its number counts. */
      readonly message: M | undefined;
    }
  | { readonly kind: 'ack'; readonly received: number }
  /** Answered on the same connection. */
  | { readonly kind: 'probe'; readonly number: number }
  | { readonly kind: 'probed'; readonly number: number };

/** One connection. `send` answers false when it takes no more until `drained`. */
export interface Wire<M> {
  send(frame: Frame<M>, bytes: number): boolean;
  close(): void;
}

export interface ChannelOptions<M> {
  readonly incarnation: number;
  readonly clock: Clock;
  bytesOf(message: M): number;
  onMessage(message: M): void;
  /** The other process is another one than before. */
  onRestarted(): void;
}

interface Item<M> {
  readonly sequence: number;
  readonly bytes: number;
  message: M | undefined;
  /** Undefined: to be sent, first or again. */
  wire: Attached<M> | undefined;
  sentAt: number;
}

interface Attached<M> {
  readonly wire: Wire<M>;
  isReady: boolean;
  isFull: boolean;
  isOver: boolean;
  /** The probe that has to be answered before it is used again; 0: it is in use. */
  probe: number;
}

const CONGESTED_BYTES = 4 * 1024 * 1024;
const CONGESTED_ITEMS = 2048;
const FRAME_BYTES = 48;
const ACK_EVERY = 32;
const ACK_AFTER_MS = 20;
/** Well below the time after which a node counts as lost. */
const STUCK_MS = 500;
const LOOK_MS = 100;
/** Nobody sends so far ahead of what was acknowledged. */
const AHEAD_MAX = 65_536;
/** The other side says hello within this time, or the connection is given up. */
const HELLO_MS = 2000;

/** Exported for tests. */
export class Channel<M> {
  readonly #options: ChannelOptions<M>;
  #peer = 0;
  #wires: Attached<M>[] = [];
  #items: Item<M>[] = [];
  #bytes = 0;
  #sequence = 0;
  /** Of `#items`, how many from the front have been sent: the rest waits for a connection. */
  #unsent = 0;
  #received = 0;
  readonly #early = new Map<number, M | undefined>();
  #unacknowledged = 0;
  #ackTimer = false;
  #turn = 0;
  #ackTurn = 0;
  #isLooking = false;
  #probes = 0;

  constructor(options: ChannelOptions<M>) {
    this.#options = options;
  }

  get isCongested(): boolean {
    return this.#bytes > CONGESTED_BYTES || this.#items.length > CONGESTED_ITEMS;
  }

  /** A connection is there. The answer takes its events. */
  attach(wire: Wire<M>): { onFrame(frame: Frame<M>): void; onDrained(): void; onClosed(): void } {
    const attached: Attached<M> = { wire, isReady: false, isFull: false, isOver: false, probe: 0 };
    this.#wires.push(attached);
    const { incarnation, clock } = this.#options;
    clock.after(HELLO_MS, () => {
      if (attached.isReady || attached.isOver) return;
      this.#detach(attached);
      wire.close();
    });
    wire.send({ kind: 'hello', incarnation, to: this.#peer, received: this.#received }, FRAME_BYTES);
    return {
      onFrame: (frame) => this.#onFrame(attached, frame),
      onDrained: () => {
        attached.isFull = false;
        this.#pump();
      },
      onClosed: () => this.#detach(attached),
    };
  }

  send(message: M): void {
    const bytes = this.#options.bytesOf(message) + FRAME_BYTES;
    this.#items.push({ sequence: ++this.#sequence, bytes, message, wire: undefined, sentAt: 0 });
    this.#bytes += bytes;
    this.#unsent += 1;
    this.#pump();
  }

  /**
   * The other process was heard elsewhere. If it is a new one, connections to the former are dead, whether they know it or
   * not, and so is what was meant for it: what is sent from now on is for the new one, though it has not said hello here.
   */
  heardOf(incarnation: number): void {
    if (this.#peer !== 0 && incarnation > this.#peer) this.#restart(undefined, incarnation);
  }

  /** Messages that mean nothing any more need not travel: their numbers do. */
  forget(isObsolete: (message: M) => boolean): void {
    for (const item of this.#items)
      if (item.message !== undefined && isObsolete(item.message)) item.message = undefined;
  }

  close(): void {
    for (const attached of this.#wires) {
      attached.isOver = true;
      attached.wire.close();
    }
    this.#wires = [];
  }

  #onFrame(attached: Attached<M>, frame: Frame<M>): void {
    if (attached.isOver) return;
    if (frame.kind === 'hello') return this.#onHello(attached, frame);
    if (!attached.isReady) return;
    if (frame.kind === 'probe')
      return void attached.wire.send({ kind: 'probed', number: frame.number }, FRAME_BYTES);
    if (frame.kind === 'probed') {
      if (frame.number === attached.probe) attached.probe = 0;
      return this.#pump();
    }
    this.#acknowledged(frame.received);
    if (frame.kind !== 'data') return;
    if (frame.sequence > this.#received + AHEAD_MAX) {
      this.#detach(attached);
      return attached.wire.close();
    }
    this.#onData(frame.sequence, frame.message);
  }

  #onHello(attached: Attached<M>, hello: Extract<Frame<M>, { kind: 'hello' }>): void {
    if (hello.incarnation < this.#peer) {
      // Of a process that is no more.
      this.#detach(attached);
      return attached.wire.close();
    }
    if (hello.incarnation > this.#peer) this.#restart(attached, hello.incarnation);
    if (hello.to === this.#options.incarnation) this.#acknowledged(hello.received);
    attached.isReady = true;
    this.#pump();
  }

  #restart(survivor: Attached<M> | undefined, incarnation: number): void {
    const isFirst = this.#peer === 0;
    this.#peer = incarnation;
    // Those that have not said hello yet may be of the new process, too.
    const old = this.#wires.filter((wire) => wire !== survivor && wire.isReady);
    this.#wires = this.#wires.filter((wire) => !old.includes(wire));
    for (const other of old) {
      other.isOver = true;
      other.wire.close();
    }
    this.#received = 0;
    this.#early.clear();
    this.#unacknowledged = 0;
    if (isFirst) return;
    this.#items = [];
    this.#bytes = 0;
    this.#unsent = 0;
    this.#sequence = 0;
    this.#options.onRestarted();
  }

  #acknowledged(received: number): void {
    let count = 0;
    while (count < this.#items.length && this.#items[count]!.sequence <= received) {
      const item = this.#items[count]!;
      this.#bytes -= item.bytes;
      if (item.wire === undefined) this.#unsent -= 1;
      count += 1;
    }
    if (count > 0) this.#items.splice(0, count);
  }

  #onData(sequence: number, message: M | undefined): void {
    this.#unacknowledged += 1;
    if (sequence > this.#received && !this.#early.has(sequence)) this.#early.set(sequence, message);
    const { incarnation } = this.#options;
    const peer = this.#peer;
    while (this.#early.has(this.#received + 1)) {
      this.#received += 1;
      const next = this.#early.get(this.#received);
      this.#early.delete(this.#received);
      if (next !== undefined) this.#options.onMessage(next);
      if (peer !== this.#peer || incarnation !== this.#options.incarnation) return;
    }
    if (this.#unacknowledged >= ACK_EVERY) this.#acknowledge();
    else if (this.#unacknowledged > 0 && !this.#ackTimer) {
      this.#ackTimer = true;
      this.#options.clock.after(ACK_AFTER_MS, () => {
        this.#ackTimer = false;
        if (this.#unacknowledged > 0) this.#acknowledge();
      });
    }
  }

  #acknowledge(): void {
    const ready = this.#wires.filter(({ isReady }) => isReady);
    const swift = ready.filter(isSwift);
    const usable = swift.length > 0 ? swift : ready;
    // Not always the same one: it may be dead without anyone having noticed yet.
    const attached = usable[++this.#ackTurn % usable.length];
    if (attached === undefined) return;
    this.#unacknowledged = 0;
    attached.wire.send({ kind: 'ack', received: this.#received }, FRAME_BYTES);
  }

  #detach(attached: Attached<M>): void {
    if (attached.isOver) return;
    attached.isOver = true;
    this.#wires = this.#wires.filter((other) => other !== attached);
    this.#takeBack(attached);
  }

  /** What was sent on it is sent on another one. */
  #takeBack(attached: Attached<M>): void {
    for (const item of this.#items) {
      if (item.wire !== attached) continue;
      item.wire = undefined;
      this.#unsent += 1;
    }
    this.#pump();
  }

  #look(): void {
    if (this.#isLooking || this.#wires.length < 2) return;
    this.#isLooking = true;
    this.#options.clock.after(LOOK_MS, () => {
      this.#isLooking = false;
      const [oldest] = this.#items;
      if (oldest === undefined) return;
      this.#look();
      const { wire, sentAt } = oldest;
      if (wire === undefined || this.#options.clock.now() - sentAt < STUCK_MS) return;
      if (wire.probe !== 0 || !this.#wires.some((other) => other !== wire && isSwift(other))) return;
      wire.probe = ++this.#probes;
      wire.wire.send({ kind: 'probe', number: wire.probe }, FRAME_BYTES);
      this.#takeBack(wire);
    });
  }

  #pump(): void {
    if (this.#unsent === 0) return;
    this.#look();
    for (const item of this.#unsentItems()) {
      const attached = this.#choose();
      if (attached === undefined) return;
      item.wire = attached;
      item.sentAt = this.#options.clock.now();
      this.#unsent -= 1;
      this.#unacknowledged = 0;
      const { sequence, message, bytes } = item;
      const frame = { kind: 'data', sequence, received: this.#received, message } as const;
      if (!attached.wire.send(frame, message === undefined ? FRAME_BYTES : bytes)) attached.isFull = true;
    }
  }

  #unsentItems(): Item<M>[] {
    const last = this.#items.at(-1);
    // The usual case: only the newest.
    if (this.#unsent === 1 && last !== undefined && last.wire === undefined) return [last];
    return this.#items.filter(({ wire }) => wire === undefined);
  }

  #choose(): Attached<M> | undefined {
    const wires = this.#wires;
    const isAnySwift = wires.some(isSwift);
    for (let tried = 0; tried < wires.length; tried++) {
      this.#turn = (this.#turn + 1) % wires.length;
      const attached = wires[this.#turn]!;
      if (attached.isReady && !attached.isFull && (isSwift(attached) || !isAnySwift)) return attached;
    }
    return undefined;
  }
}

function isSwift({ isReady, probe }: { readonly isReady: boolean; readonly probe: number }): boolean {
  return isReady && probe === 0;
}
