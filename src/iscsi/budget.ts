/**
 * Bytes that commands of all sessions may hold. Who does not fit waits and is called, in the order of waiting, when
 * there is room.
 *
 * Invariant: no more is used than NODE_BYTES_MAX and one command beyond it, SMALL_COMMAND_BYTES_MAX for each session,
 * and a PDU of unsolicited data: who starts a command beyond the limit finds room and leaves none.
 */

import { NODE_BYTES_MAX, NODE_BYTES_PRESSURE } from './limits.ts';

export class Budget {
  private used = 0;
  private readonly waiters = new Set<() => void>();
  private waking = false;
  private given = false;

  get underPressure(): boolean {
    return this.used > NODE_BYTES_PRESSURE;
  }

  /** One command may begin that does not fit. */
  get hasRoom(): boolean {
    return this.used < NODE_BYTES_MAX;
  }

  fits(bytes: number): boolean {
    return this.used + bytes <= NODE_BYTES_MAX;
  }

  take(bytes: number): void {
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
    this.given = true;
    if (this.waiters.size > 0) this.wakeWaiters();
  }

  /** Calls `wake` once, when there is room again. */
  wait(wake: () => void): void {
    this.waiters.add(wake);
  }

  forget(wake: () => void): void {
    this.waiters.delete(wake);
  }

  /** What the woken give back in turn is found by this loop, not by one within. */
  private wakeWaiters(): void {
    if (this.waking) return;
    this.waking = true;
    while (this.given) {
      this.given = false;
      // A copy: who waits on is added at the end, for the next time.
      const waiters = [...this.waiters];
      for (const wake of waiters) {
        if (!this.hasRoom) break;
        if (this.waiters.delete(wake)) wake();
      }
    }
    this.waking = false;
  }
}
