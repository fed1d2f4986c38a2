/**
 * One physical path between two endpoints: how long things take on it and what is wrong with it at the moment, each
 * direction for itself. Faults are laid over each other: every one gives back the function that takes it away again.
 */

import type { Prng } from '../src/base/prng.ts';

/** `path` joins an initiator to a node; `sync` and `heartbeat` join nodes. */
export type LinkKind = 'sync' | 'heartbeat' | 'path';

/** 0: from `ends[0]` to `ends[1]`; 1: back. */
export type Direction = 0 | 1;

export interface DelayShape {
  readonly minMs: number;
  /** Mean of what comes on top, exponentially distributed. */
  readonly meanMs: number;
  /** Now and then something takes much longer (a full queue, a retransmission). */
  readonly spikeChance: number;
  readonly spikeMeanMs: number;
}

export interface LinkOptions {
  readonly kind: LinkKind;
  /** Distinguishes parallel links of one kind. */
  readonly index: number;
  readonly ends: readonly [number, number];
  readonly delay: DelayShape;
  /** Infinity: the size of a message does not matter. */
  readonly bytesPerMs: number;
}

/** What one fault does to one direction; what it leaves out stays as it was. */
export interface Degradation {
  readonly delayFactor?: number;
  /** Chances of a datagram to be lost, to arrive twice. */
  readonly loss?: number;
  readonly duplication?: number;
}

interface DirectionState {
  cuts: number;
  degradations: Degradation[];
  /** Of all degradations together. */
  delayFactor: number;
  loss: number;
  duplication: number;
  /** Until when earlier messages occupy the wire. */
  busyUntil: number;
}

export interface Link extends LinkOptions {
  readonly id: number;
  isCut(direction: Direction): boolean;
  lossOf(direction: Direction): number;
  duplicationOf(direction: Direction): number;
  /** Milliseconds that a message of `bytes` sent now will take. */
  draw(direction: Direction, bytes: number, now: number): number;
  /** `onHeal` is called when the last cut of this direction is taken away. */
  cut(direction: Direction, onHeal: () => void): () => void;
  /** `onFaster` is called when the end of it makes the direction faster, with the share of the time that is left to wait. */
  degrade(direction: Direction, degradation: Degradation, onFaster: (share: number) => void): () => void;
  /** What occupies the wire needs so much less of the time that it had left. */
  hasten(direction: Direction, share: number, now: number): void;
}

export function createLink(id: number, options: LinkOptions, random: Prng): Link {
  const directions: readonly [DirectionState, DirectionState] = [newDirection(), newDirection()];
  const { delay } = options;

  return {
    ...options,
    id,
    isCut: (direction) => directions[direction].cuts > 0,
    lossOf: (direction) => directions[direction].loss,
    duplicationOf: (direction) => directions[direction].duplication,
    draw(direction, bytes, now) {
      const state = directions[direction];
      const factor = state.delayFactor;
      const spike = random.chance(delay.spikeChance) ? random.exponential(delay.spikeMeanMs) : 0;
      const onTheWay = (delay.minMs + random.exponential(delay.meanMs) + spike) * factor;
      if (options.bytesPerMs === Infinity) return onTheWay;
      const begins = Math.max(now, state.busyUntil);
      state.busyUntil = begins + (bytes / options.bytesPerMs) * factor;
      return state.busyUntil - now + onTheWay;
    },
    cut(direction, onHeal) {
      const state = directions[direction];
      state.cuts++;
      return once(() => {
        state.cuts--;
        if (state.cuts === 0) onHeal();
      });
    },
    degrade(direction, degradation, onFaster) {
      const state = directions[direction];
      setDegradations(state, [...state.degradations, degradation]);
      return once(() => {
        const { delayFactor } = state;
        const others = state.degradations.filter((other) => other !== degradation);
        setDegradations(state, others);
        if (state.delayFactor < delayFactor) onFaster(state.delayFactor / delayFactor);
      });
    },
    hasten(direction, share, now) {
      const state = directions[direction];
      state.busyUntil = soonerBy(share, state.busyUntil, now);
    },
  };
}

/** A moment to come that gets nearer. */
export function soonerBy(share: number, moment: number, now: number): number {
  return moment <= now ? moment : now + (moment - now) * share;
}

function newDirection(): DirectionState {
  return { cuts: 0, degradations: [], delayFactor: 1, loss: 0, duplication: 0, busyUntil: 0 };
}

function setDegradations(state: DirectionState, degradations: Degradation[]): void {
  state.degradations = degradations;
  // The worst counts: a product of several would occupy the wire long after they are over.
  state.delayFactor = Math.max(1, ...degradations.map((d) => d.delayFactor ?? 1));
  state.loss = Math.max(0, ...degradations.map((d) => d.loss ?? 0));
  state.duplication = Math.max(0, ...degradations.map((d) => d.duplication ?? 0));
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
