/**
 * Connections of initiators whose engine is not there: it starts, or starts again. They wait for it instead of being closed:
 * open-iscsi (2.1.8 at least) may never log in again once a connection was closed under it in the middle of a login
 * (its issue 387), and a path would be lost for good by a mere restart.
 */

import type { Clock, Timer } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';

/** Less than initiators wait for the answer to a Login Request: 15 s (open-iscsi). */
export const WAIT_MS_MAX = 10_000;
const COUNT_MAX = 256;

interface Login {
  readonly arrival: Arrival;
  readonly handOver: () => void;
  readonly limit: Timer;
}

export class WaitingLogins {
  readonly #clock: Clock;
  /** One was closed: too many wait, or it waited for too long. */
  readonly #onDropped: (arrival: Arrival) => void;
  readonly #logins = new Set<Login>();

  constructor(clock: Clock, onDropped: (arrival: Arrival) => void) {
    this.#clock = clock;
    this.#onDropped = onDropped;
  }

  add(arrival: Arrival, handOver: () => void): void {
    const drop = (): void => {
      this.#onDropped(arrival);
      arrival.drop();
    };
    if (this.#logins.size >= COUNT_MAX) return drop();
    const limit = this.#clock.after(WAIT_MS_MAX, () => {
      this.#logins.delete(login);
      drop();
    });
    const login: Login = { arrival, handOver, limit };
    this.#logins.add(login);
  }

  /** The engine is there. */
  handOver(): void {
    for (const { handOver } of this.#take()) handOver();
  }

  /** It will not come. */
  stop(): void {
    for (const { arrival } of this.#take()) arrival.drop();
  }

  #take(): readonly Login[] {
    const logins = [...this.#logins];
    this.#logins.clear();
    for (const { limit } of logins) limit.cancel();
    return logins;
  }
}
