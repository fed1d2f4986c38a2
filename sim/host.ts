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

export function createHost(options: HostOptions): Host {
  const { id, scheduler, random } = options;
  const rate = 1 + options.drift;
  let [state, incarnation] = ['running' as HostState, 1];
  let localBase = Math.floor(random.next() * CLOCK_ORIGIN_MS_MAX);
  let trueBase = scheduler.now();
  /** Source → what waits, in order. */
  let waiting = new Map<number, (() => void)[]>();
  /** Timers that came up while the clock stood still: not due yet, by their own clock. */
  let stoppedTimers: (() => void)[] = [];

  const local = (): number =>
    state === 'vmPaused' ? localBase : localBase + (scheduler.now() - trueBase) * rate;

  function deliver(source: number, action: () => void): void {
    if (state === 'running') return action();
    if (state === 'down') return;
    const queue = waiting.get(source);
    if (queue === undefined) waiting.set(source, [action]);
    else queue.push(action);
  }

  function after(delayMs: number, action: () => void): Timer {
    const due = local() + Math.max(0, delayMs);
    const born = incarnation;
    let live = true;
    let scheduled: Timer;
    const run = (): void => {
      if (!live) return;
      live = false;
      action();
    };
    const arm = (): void => {
      const delayMs = (due - local()) / rate;
      scheduled = scheduler.after(Math.max(1, Math.ceil(delayMs / STEP_MS)) * STEP_MS, fire);
    };
    const fire = (): void => {
      if (born !== incarnation) return;
      if (state === 'vmPaused') stoppedTimers.push(fire);
      else if (local() < due) arm();
      else deliver(TIMERS, run);
    };
    arm();
    return {
      cancel: () => {
        live = false;
        scheduled.cancel();
      },
    };
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
      const timers = stoppedTimers;
      stoppedTimers = [];
      for (const fire of timers) fire();
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
