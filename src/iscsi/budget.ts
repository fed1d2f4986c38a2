/** Bytes that running commands of all sessions may hold. Who does not fit waits and is called when there is room. */

import { NODE_BYTES_MAX, NODE_BYTES_PRESSURE } from './limits.ts';

export class Budget {
  private used = 0;
  private readonly waiters = new Set<() => void>();

  get underPressure(): boolean {
    return this.used > NODE_BYTES_PRESSURE;
  }

  fits(bytes: number): boolean {
    return this.used + bytes <= NODE_BYTES_MAX;
  }

  take(bytes: number): void {
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
    if (this.waiters.size === 0 || this.underPressure) return;
    const woken = [...this.waiters];
    this.waiters.clear();
    for (const wake of woken) wake();
  }

  /** Calls `wake` once, when there is room again. */
  wait(wake: () => void): void {
    this.waiters.add(wake);
  }

  forget(wake: () => void): void {
    this.waiters.delete(wake);
  }
}
