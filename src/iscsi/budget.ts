/**
 * Bytes that commands of all sessions may hold. What does not fit waits, and its session is called in the order of
 * waiting when there is room.
 *
 *   0 ────────────── NODE_BYTES_COMMON_MAX ──────────────────────────── NODE_BYTES_MAX
 *     first come, first served             │ within the share of the session only
 *
 * A share is SESSION_BYTES_MAX through the number of sessions that hold something. Whoever fills the memory is above his
 * share and stops where the common part ends; whoever is within his begins at once.
 *
 * Invariants
 *  1. No more is held than NODE_BYTES_MAX. The common part ends with one command beyond it at most. Of those who have
 *     taken more since then, the k-th in order of the last taking shared with k − 1 others at least, so that all of them
 *     hold at most SESSION_BYTES_MAX × (1 + 1/2 + … + 1/CONNECTIONS_MAX).
 *  2. Nobody waits for ever: who runs nothing begins in his turn as soon as the common part is not full, however much
 *     he wants; and the common part empties, since beyond it nothing begins but within the shares.
 */

import { NODE_BYTES_COMMON_MAX, NODE_BYTES_PRESSURE, SESSION_BYTES_MAX } from './limits.ts';

/** What a session holds. Changed by `Budget` and, `running`, by the session. */
export interface Account {
  bytes: number;
  /** Of these, bytes of tasks that the device server has, and of data that is not taken. */
  running: number;
  /** There is room for what was waited for, or was a moment ago. */
  readonly wake: () => void;
}

export class Budget {
  private used = 0;
  /** Accounts that hold something. */
  private holders = 0;
  /** How much more each waits for, in the order of waiting. */
  private readonly waiters = new Map<Account, number>();
  private waking = false;
  private given = false;

  get underPressure(): boolean {
    return this.used > NODE_BYTES_PRESSURE;
  }

  fits(account: Account, more: number): boolean {
    if (more === 0 || this.used + more <= NODE_BYTES_COMMON_MAX) return true;
    const holders = account.bytes > 0 ? this.holders : this.holders + 1;
    return account.bytes + more <= SESSION_BYTES_MAX / holders;
  }

  /** A command may begin that makes the account hold so much more. */
  admits(account: Account, more: number): boolean {
    return this.fits(account, more) || (account.running === 0 && this.used < NODE_BYTES_COMMON_MAX);
  }

  take(account: Account, bytes: number): void {
    if (account.bytes === 0 && bytes > 0) this.holders++;
    account.bytes += bytes;
    this.used += bytes;
  }

  give(account: Account, bytes: number): void {
    account.bytes -= bytes;
    this.used -= bytes;
    if (account.bytes === 0 && bytes > 0) this.holders--;
    this.given = true;
    if (this.waiters.size > 0) this.wakeWaiters();
  }

  /** Wakes once, when the account may hold so much more. Who waits already keeps his place. */
  wait(account: Account, more: number): void {
    this.waiters.set(account, more);
  }

  forget(account: Account): void {
    this.waiters.delete(account);
  }

  /** What the woken give back in turn is found by this loop, not by one within. Who waits again comes last. */
  private wakeWaiters(): void {
    if (this.waking) return;
    this.waking = true;
    while (this.given) {
      this.given = false;
      for (const [account, more] of this.waiters) {
        if (!this.admits(account, more)) continue;
        this.waiters.delete(account);
        account.wake();
      }
    }
    this.waking = false;
  }
}
