/**
 * One simulated process with its clock. Whatever comes from outside (messages, disk completions, timers) goes through
 * `deliver`, so that a process that is stopped sees nothing until it goes on.
 *
 *   running ──freeze──► frozen     SIGSTOP, a stalled event loop: nothing runs, the monotonic clock runs on
 *           ──pauseVm─► vmPaused   the guest is not scheduled: nothing runs and its clock stands still
 *           ──crash───► down       timers and what waited to be delivered are lost
 *
 * Invariants
 *  1. Nothing of an incarnation runs after its crash.
 *  2. What waited while stopped runs when the process goes on: in order within a source (a connection, a disk, the
 *     timers), in an order that the seed decides between sources.
 *  3. `clock.now()` never goes back; it drifts against true time, and begins anywhere.
 */

import type { Prng } from '../src/base/prng.ts';
import type { Clock, Timer } from '../src/ports/clock.ts';
import type { Scheduler } from './scheduler.ts';

export type HostState = 'running' | 'frozen' | 'vmPaused' | 'down';

export interface Host {
  readonly id: number;
  readonly clock: Clock;
  readonly state: HostState;
  /** Grows with every restart. */
  readonly incarnation: number;
  /** Runs `action` now, when the process goes on, or never. `source`: what must stay in order. */
  deliver(source: number, action: () => void): void;
  /** These answer false, and do nothing, in a state in which they make no sense. */
  freeze(): boolean;
  pauseVm(): boolean;
  /** After `freeze` or `pauseVm`. */
  resume(): boolean;
  crash(): boolean;
  restart(): boolean;
}

export interface HostOptions {
  readonly id: number;
  readonly scheduler: Scheduler;
  readonly random: Prng;
  /** Relative error of the clock, within ± CLOCK_DRIFT_MAX. */
  readonly drift: number;
}

export const CLOCK_DRIFT_MAX = 0.005;

/** Sources of deliveries are numbered from 0. */
const TIMERS = -1;
/** Clocks begin somewhere within a day: comparing the clocks of two nodes never makes sense. */
const CLOCK_ORIGIN_MS_MAX = 86_400_000;
const STEP_MS = 0.001;

/** What its timers need of a host. */
interface Timers {
  readonly scheduler: Scheduler;
  readonly rate: number;
  now(): number;
  /** It came up in true time. */
  due(timer: HostTimer): void;
}

/** A class, because one is made for every command. Times are those of the host. */
class HostTimer implements Timer {
  readonly dueAt: number;
  readonly incarnation: number;
  readonly #timers: Timers;
  #action: (() => void) | undefined;
  #scheduled: Timer | undefined;

  constructor(timers: Timers, incarnation: number, dueAt: number, action: () => void) {
    this.#timers = timers;
    this.incarnation = incarnation;
    this.dueAt = dueAt;
    this.#action = action;
  }

  arm(): void {
    const timers = this.#timers;
    const steps = Math.ceil((this.dueAt - timers.now()) / timers.rate / STEP_MS);
    this.#scheduled = timers.scheduler.after(Math.max(1, steps) * STEP_MS, () => timers.due(this));
  }

  run(): void {
    const action = this.#action;
    this.#action = undefined;
    action?.();
  }

  cancel(): void {
    this.#action = undefined;
    this.#scheduled?.cancel();
  }
}

export function createHost(options: HostOptions): Host {
  const { id, scheduler, random } = options;
  const rate = 1 + options.drift;
  let [state, incarnation] = ['running' as HostState, 1];
  let localBase = Math.floor(random.next() * CLOCK_ORIGIN_MS_MAX);
  let trueBase = scheduler.now();
  /** Source → what waits, in order. */
  let waiting = new Map<number, (() => void)[]>();
  /** Timers that came up while the clock stood still: not due yet, by their own clock. */
  let stoppedTimers: HostTimer[] = [];

  const local = (): number =>
    state === 'vmPaused' ? localBase : localBase + (scheduler.now() - trueBase) * rate;

  function deliver(source: number, action: () => void): void {
    if (state === 'running') return action();
    if (state === 'down') return;
    const queue = waiting.get(source);
    if (queue === undefined) waiting.set(source, [action]);
    else queue.push(action);
  }

  const timers: Timers = {
    scheduler,
    rate,
    now: local,
    due(timer) {
      if (timer.incarnation !== incarnation) return;
      if (state === 'vmPaused') stoppedTimers.push(timer);
      else if (local() < timer.dueAt) timer.arm();
      else if (state === 'running') timer.run();
      else deliver(TIMERS, () => timer.run());
    },
  };

  function after(delayMs: number, action: () => void): Timer {
    const timer = new HostTimer(timers, incarnation, local() + Math.max(0, delayMs), action);
    timer.arm();
    return timer;
  }

  function drain(): void {
    while (waiting.size > 0 && state === 'running') {
      const source = random.pick([...waiting.keys()]);
      const queue = waiting.get(source)!;
      const action = queue.shift()!;
      if (queue.length === 0) waiting.delete(source);
      action();
    }
  }

  function change(from: readonly HostState[], to: HostState): boolean {
    if (!from.includes(state)) return false;
    if (to === 'vmPaused') localBase = local();
    if (state === 'vmPaused') trueBase = scheduler.now();
    state = to;
    return true;
  }

  return {
    id,
    clock: { now: local, after },
    get state() {
      return state;
    },
    get incarnation() {
      return incarnation;
    },
    deliver,
    freeze: () => change(['running'], 'frozen'),
    pauseVm: () => change(['running'], 'vmPaused'),
    resume() {
      if (!change(['frozen', 'vmPaused'], 'running')) return false;
      const stopped = stoppedTimers;
      stoppedTimers = [];
      for (const timer of stopped) timers.due(timer);
      drain();
      return true;
    },
    crash() {
      if (!change(['running', 'frozen', 'vmPaused'], 'down')) return false;
      incarnation++;
      waiting = new Map();
      stoppedTimers = [];
      return true;
    },
    restart: () => change(['down'], 'running'),
  };
}
