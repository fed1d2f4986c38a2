/**
 * Keeps one process of a role running: starts it, and when it dies starts another after a delay that doubles with each
 * death in a row. It never gives up: the fault may be a disk that comes back; but it says so loudly.
 */

import type { Clock, Timer } from '../ports/clock.ts';
import type { Child, Exit, SpawnChild } from '../ports/process.ts';
import type { Trace } from '../ports/trace.ts';

const BACKOFF_MS_FIRST = 100;
const BACKOFF_MS_MAX = 30_000;
/** A process that has run this long is healthy; its next death begins a new row. */
const HEALTHY_AFTER_MS = 60_000;
/** From this many deaths in a row on it is reported as failing. */
const DEATHS_REPORTED = 5;

export interface KeeperOptions {
  readonly role: 'control' | 'engine';
  readonly index: number;
  readonly spawn: SpawnChild;
  readonly clock: Clock;
  readonly trace: Trace;
  /** A new process is there; `incarnation` counts from 0. */
  onStarted(child: Child, incarnation: number): void;
  onMessage(message: unknown): void;
  /** It is gone; another follows unless `release` was called. */
  onEnded(exit: Exit): void;
}

export interface Keeper {
  readonly child: Child | undefined;
  /** No other process is started from now on. Answers when the present one, if any, has ended. */
  release(): Promise<void>;
}

/** Delay before the next start after this many deaths in a row. */
export function backoffMs(deaths: number): number {
  return Math.min(BACKOFF_MS_FIRST * 2 ** Math.max(deaths - 1, 0), BACKOFF_MS_MAX);
}

export function keep(options: KeeperOptions): Keeper {
  const { role, index, clock, trace } = options;
  let child: Child | undefined;
  let incarnation = 0;
  let deaths = 0;
  let startedAt = 0;
  let restart: Timer | undefined;
  let released = false;
  let onceEnded: (() => void) | undefined;

  function start(): void {
    startedAt = clock.now();
    child = options.spawn(role, index, { onMessage: (message) => options.onMessage(message), onExit: ended });
    trace('info', `${role}.started`, { index, pid: child.pid, incarnation });
    options.onStarted(child, incarnation);
    incarnation += 1;
  }

  function ended(exit: Exit): void {
    child = undefined;
    options.onEnded(exit);
    if (released) {
      onceEnded?.();
      return;
    }
    deaths = clock.now() - startedAt >= HEALTHY_AFTER_MS ? 1 : deaths + 1;
    const delayMs = backoffMs(deaths);
    trace('error', deaths >= DEATHS_REPORTED ? `${role}.failing` : `${role}.died`, {
      index,
      ...exit,
      deaths,
      restartInMs: delayMs,
    });
    restart = clock.after(delayMs, start);
  }

  start();
  return {
    get child() {
      return child;
    },
    release: () => {
      released = true;
      restart?.cancel();
      if (child === undefined) return Promise.resolve();
      return new Promise((resolve) => {
        onceEnded = resolve;
      });
    },
  };
}
