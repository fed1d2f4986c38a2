/**
 * A host with several paths to one logical unit, as dm-multipath does it: commands go round robin over usable paths,
 * best access state first; what a path's end leaves without an answer, or what its unit refuses to serve, is sent again on
 * another one; while there is no path commands wait, up to a limit.
 *
 * A command is sent again only when its session is over (its connection has ended, or it was silent for the time of
 * `PathTimes`), or when it was answered.
 */

import type { Timer } from '../ports/clock.ts';
import type { AccessState, Capacity, ScsiRequest } from './commands.ts';
import { Path, type PathAddress, type PathPorts, type PathState, type PathTimes } from './path.ts';
import { describe, type ScsiAnswer, verdictOf } from './verdict.ts';

export interface MultipathOptions {
  readonly paths: readonly PathAddress[];
  readonly initiatorName: string;
  /** Of 24 bits; with the initiator's name and the path's number it names the initiator port. */
  readonly isidRandom: number;
  readonly times: PathTimes;
  /** A command fails when it has found no path, or no unit that serves, for so long. */
  readonly queueMsMax: number;
  readonly ports: PathPorts;
  onPathState?(address: PathAddress, state: PathState, why: string): void;
}

export type Outcome =
  | { readonly kind: 'good'; readonly data: Uint8Array }
  | { readonly kind: 'miscompare' }
  | { readonly kind: 'failed'; readonly why: string }
  /** Not to be repeated, and it may have been done. */
  | { readonly kind: 'unknown' };

export interface Task {
  /** What the next attempt sends. */
  request(): ScsiRequest;
  /** False for COMPARE AND WRITE: after an attempt that may have been done no other is made. */
  readonly isRepeatable: boolean;
  /** Once. */
  done(outcome: Outcome): void;
}

interface Waiting {
  readonly task: Task;
  readonly since: number;
  timer: Timer | undefined;
}

const RETRY_MS = 20;
const RETRY_MS_MAX = 640;

/** What hosts are commonly set to; nothing is given up before five seconds. */
export const DEFAULT_PATH_TIMES: PathTimes = {
  connectMsMax: 2000,
  loginMsMax: 5000,
  reconnectMs: 500,
  pingEveryMs: 2000,
  silentMsMax: 5000,
  commandMsMax: 5000,
  checkEveryMs: 1000,
};

export class Multipath {
  readonly #options: MultipathOptions;
  readonly #paths: readonly Path[];
  #unit: string | undefined;
  #capacity: Capacity | undefined;
  #next = 0;
  #waiting: Waiting[] = [];
  #isClosed = false;
  #onCapacity: (() => void)[] = [];

  constructor(options: MultipathOptions) {
    this.#options = options;
    this.#paths = options.paths.map(
      (address, index) =>
        new Path({
          address,
          initiatorName: options.initiatorName,
          isid: { random: options.isidRandom, qualifier: index + 1 },
          times: options.times,
          ports: options.ports,
          events: {
            onUnit: (unit, capacity) => this.#onUnit(unit, capacity),
            onUsable: () => this.#sendWaiting(),
            onState: (path, state, why) => options.onPathState?.(path.address, state, why),
          },
        }),
    );
  }

  /** Of the unit, when a path has told it. */
  get capacity(): Promise<Capacity> {
    return new Promise((resolve) => {
      const tell = (): void => resolve(this.#capacity!);
      if (this.#capacity === undefined) this.#onCapacity.push(tell);
      else tell();
    });
  }

  get usablePaths(): number {
    return this.#paths.filter(({ state }) => state === 'usable').length;
  }

  /** What each usable path says of all port groups. */
  get groups(): readonly ReadonlyMap<number, AccessState>[] {
    return this.#paths.filter(({ state }) => state === 'usable').map(({ groups }) => groups);
  }

  execute(task: Task): void {
    this.#attempt({ task, since: this.#options.ports.clock.now(), timer: undefined }, RETRY_MS);
  }

  /** With nothing under way; what waits has failed. */
  close(): void {
    this.#isClosed = true;
    for (const path of this.#paths) path.close();
    for (const waiting of this.#waiting.splice(0)) this.#fail(waiting, 'the host has stopped');
  }

  #attempt(command: Waiting, retryMs: number): void {
    const { task, since } = command;
    const { clock } = this.#options.ports;
    const path = this.#choose();
    if (path === undefined) return this.#wait(command);
    path.send(task.request(), (answer) => {
      if (answer === undefined) {
        if (task.isRepeatable) this.#attempt(command, RETRY_MS);
        else task.done({ kind: 'unknown' });
        return;
      }
      const verdict = verdictOf(answer);
      if (verdict === 'good') return task.done({ kind: 'good', data: answer.data });
      if (verdict === 'miscompare') return task.done({ kind: 'miscompare' });
      if (verdict === 'failed' || clock.now() - since > this.#options.queueMsMax || this.#isClosed)
        return task.done({ kind: 'failed', why: this.#why(path, answer) });
      if (verdict === 'pathFailed') path.failed(answer);
      if (verdict === 'again') return this.#attempt(command, RETRY_MS);
      clock.after(retryMs, () => this.#attempt(command, Math.min(2 * retryMs, RETRY_MS_MAX)));
    });
  }

  #why({ address }: Path, answer: ScsiAnswer): string {
    return `${address.portal}: ${describe(answer)}`;
  }

  #choose(): Path | undefined {
    const usable = this.#paths.filter(({ state }) => state === 'usable');
    const best = usable.filter(({ access }) => access === 'optimized');
    const among = best.length > 0 ? best : usable;
    return among[this.#next++ % among.length];
  }

  #wait(command: Waiting): void {
    const { clock } = this.#options.ports;
    const leftMs = command.since + this.#options.queueMsMax - clock.now();
    if (leftMs <= 0 || this.#isClosed) return this.#fail(command, 'there was no path for too long');
    command.timer = clock.after(leftMs, () => {
      this.#waiting = this.#waiting.filter((other) => other !== command);
      this.#fail(command, 'there was no path for too long');
    });
    this.#waiting.push(command);
  }

  #fail({ task, timer }: Waiting, why: string): void {
    timer?.cancel();
    task.done({ kind: 'failed', why });
  }

  #sendWaiting(): void {
    for (const command of this.#waiting.splice(0)) {
      command.timer?.cancel();
      this.#attempt(command, RETRY_MS);
    }
  }

  #onUnit(unit: string, capacity: Capacity): boolean {
    this.#unit ??= unit;
    this.#capacity ??= capacity;
    for (const tell of this.#onCapacity.splice(0)) tell();
    return this.#unit === unit;
  }
}
