/**
 * A multipath host: commands go round robin over the usable paths, several at a time; what gets no answer, or hears that
 * the path is of no use, is tried again on another one. Without any path it waits, as hosts are set up to do.
 */

import type { Prng } from '../src/base/prng.ts';
import type { Clock } from '../src/ports/clock.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import type { Path, PathTimes } from './path.ts';
import { createPath } from './path.ts';
import type { Answer, Command } from './storage.ts';

/** 'unknown': the command must not be repeated, and it is not known whether it was done. */
export type Outcome = Answer | { readonly status: 'unknown' };

export interface Task {
  readonly device: number;
  /**
   * What the next attempt sends through `node`. Each attempt to write has its own values, so that histories show which
   * of them took effect.
   */
  command(node: number): Command;
  /** False for read-modify-writes: after an attempt that may have been done no other is made. */
  readonly repeatable: boolean;
  /** Once, if ever. */
  done(outcome: Outcome): void;
}

export interface Initiator {
  readonly id: number;
  readonly paths: readonly Path[];
  /** Tasks not done. */
  readonly unfinished: number;
  execute(task: Task): void;
}

export interface InitiatorOptions {
  readonly id: number;
  readonly clock: Clock;
  readonly random: Prng;
  readonly network: Network;
  readonly links: readonly { readonly node: number; readonly link: Link }[];
  readonly times: PathTimes;
}

/** After "unavailable" a task waits this long before it tries again, and after each further one twice as long. */
const RETRY_MS = 20;
const RETRY_MS_MAX = 640;

/** What the common hosts do, each a little different; none gives up a session before five seconds of silence. */
export function drawPathTimes(random: Prng): PathTimes {
  return {
    loginTimeoutMs: random.integer(1000, 3000),
    reconnectMs: random.integer(200, 2000),
    pingIntervalMs: random.integer(1000, 3000),
    silenceMaxMs: random.integer(5000, 7000),
    commandTimeoutMs: random.integer(5000, 8000),
    checkIntervalMs: random.integer(250, 1000),
  };
}

export function createInitiator(options: InitiatorOptions): Initiator {
  const { clock, random } = options;
  const closesWithReset = random.chance(0.5);
  let waiting: Task[] = [];
  let next = 0;
  let unfinished = 0;

  const paths = options.links.map(({ node, link }) =>
    createPath({
      initiator: options.id,
      node,
      link,
      clock,
      network: options.network,
      times: options.times,
      closesWithReset,
      onUsable: sendWaiting,
    }),
  );

  function choose(): Path | undefined {
    for (let tried = 0; tried < paths.length; tried++) {
      const path = paths[next++ % paths.length]!;
      if (path.state === 'usable') return path;
    }
    return undefined;
  }

  function attempt(task: Task, retryMs = RETRY_MS): void {
    const path = choose();
    if (path === undefined) {
      waiting.push(task);
      return;
    }
    path.send(task.device, task.command(path.node), (answer) => {
      if (answer === undefined) {
        if (task.repeatable) attempt(task);
        else finish(task, { status: 'unknown' });
      } else if (answer.status === 'unavailable') {
        clock.after(retryMs, () => attempt(task, Math.min(2 * retryMs, RETRY_MS_MAX)));
      } else {
        finish(task, answer);
      }
    });
  }

  function finish(task: Task, outcome: Outcome): void {
    unfinished--;
    task.done(outcome);
  }

  function sendWaiting(): void {
    const tasks = waiting;
    waiting = [];
    for (const task of tasks) attempt(task);
  }

  return {
    id: options.id,
    paths,
    get unfinished() {
      return unfinished;
    },
    execute(task) {
      unfinished++;
      attempt(task);
    },
  };
}
