/**
 * When commands come. Few in the mean, so that a minute of CPU time covers hours, but not alone: in volleys, in which
 * workers of all initiators send at nearly the same time. They come at random, when faults begin and end, and when the
 * storage changes; some seeds
 * have bursts, in which everybody sends as fast as answers come.
 */

import type { Prng } from '../src/base/prng.ts';
import type { Clock } from '../src/ports/clock.ts';
import type { Scheduler } from './scheduler.ts';

export interface RhythmShape {
  /** Mean time between two volleys. */
  readonly gapMs: number;
  /** Chance of each waiting worker to take part. */
  readonly share: number;
  /** Mean time until its command. */
  readonly spreadMs: number;
  /** Chance that it goes on with another one after the answer, without waiting for the next volley. */
  readonly again: number;
  /** Chance of a volley when a fault begins, and when it ends. */
  readonly aboutFaults: number;
  /** Chance of a volley when the storage says that something is about to change. */
  readonly aboutChanges: number;
  /** Mean time between two bursts, Infinity for none, and their mean length. */
  readonly burstGapMs: number;
  readonly burstMs: number;
  /** In a burst, the mean time between an answer and the next command of a worker. */
  readonly burstThinkMs: number;
}

export interface Rhythm {
  /** Calls `go`, by the clock of its host, when a worker that has just finished is to send its next command. */
  next(clock: Clock, go: () => void): void;
  /** The storage is at a moment at which commands are most likely to meet something rare. */
  stir(): void;
}

export interface RhythmOptions {
  readonly shape: RhythmShape;
  readonly scheduler: Scheduler;
  readonly random: Prng;
  /** When something begins or ends to be wrong. */
  readonly moments: readonly number[];
}

interface Waiting {
  readonly clock: Clock;
  readonly go: () => void;
}

/** Volleys about a fault come up to this much before or after its moment. */
const ABOUT_MS = 5;
/** … and those about changes so long after, in the mean. */
const STIR_MS = 5;
const BURST_COMMANDS_PER_SECOND: readonly [number, number] = [150, 600];
const LOG_RATE: readonly [number, number] = [Math.log(5), Math.log(60)];
const HIGH_RATE: readonly [number, number] = [60, 300];

/** `workers`: of all initiators together. */
export function drawRhythm(random: Prng, workers: number): RhythmShape {
  const commandsPerSecond = random.chance(0.95)
    ? Math.exp(between(random, LOG_RATE))
    : between(random, HIGH_RATE);
  const share = between(random, [0.3, 1]);
  const again = random.pick([0, 0.3, 0.6]);
  return {
    gapMs: (((1000 * workers) / commandsPerSecond) * share) / (1 - again),
    share,
    again,
    spreadMs: random.pick([0.1, 0.5, 2]),
    aboutFaults: random.pick([0, 0.1, 0.4]),
    aboutChanges: random.pick([0, 0.2, 0.6]),
    burstGapMs: random.chance(0.2) ? random.pick([5000, 20_000]) : Infinity,
    burstMs: random.pick([100, 500]),
    burstThinkMs: (1000 * workers) / between(random, BURST_COMMANDS_PER_SECOND),
  };
}

export function createRhythm({ shape, scheduler, random, moments }: RhythmOptions): Rhythm {
  let waiting: Waiting[] = [];
  let bursting = false;

  function next(clock: Clock, go: () => void): void {
    if (bursting) clock.after(random.exponential(shape.burstThinkMs), go);
    else if (random.chance(shape.again)) clock.after(random.exponential(shape.spreadMs), go);
    else waiting.push({ clock, go });
  }

  function volley(share: number, draws: Prng): void {
    const all = waiting;
    waiting = [];
    for (const worker of all) {
      if (draws.chance(share)) worker.clock.after(draws.exponential(shape.spreadMs), worker.go);
      else waiting.push(worker);
    }
  }

  function beat(): void {
    volley(shape.share, random);
    scheduler.after(random.exponential(shape.gapMs), beat);
  }

  function burst(): void {
    bursting = true;
    volley(1, random);
    scheduler.after(random.exponential(shape.burstMs), () => {
      bursting = false;
      scheduler.after(random.exponential(shape.burstGapMs), burst);
    });
  }

  scheduler.after(random.exponential(shape.gapMs), beat);
  if (shape.burstGapMs < Infinity) scheduler.after(random.exponential(shape.burstGapMs), burst);
  for (const moment of moments) {
    // Of its own, so that one fault less in a plan does not change what comes about the others.
    const own = random.fork(`about ${moment}`);
    if (!own.chance(shape.aboutFaults)) continue;
    const at = moment + between(own, [-ABOUT_MS, ABOUT_MS]);
    scheduler.after(at - scheduler.now(), () => volley(shape.share, own));
  }
  const stirring = random.fork('stir');
  function stir(): void {
    if (!stirring.chance(shape.aboutChanges)) return;
    scheduler.after(stirring.exponential(STIR_MS), () => volley(shape.share, stirring));
  }
  return { next, stir };
}

function between(random: Prng, [low, high]: readonly [number, number]): number {
  return low + random.next() * (high - low);
}
