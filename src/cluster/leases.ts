/**
 * The right to serve is lent: a member serves until LEASE_MS after it sent the heartbeat that enough others have answered,
 * measured by its own clock; who grants counts a little longer by its own. Nobody compares clocks.
 *
 * Invariants
 *  1. A grant counted here is never over before the holder's.
 *  2. A voter that has just started counts as one that granted everybody everything at its start.
 */

import { type Configuration, majorityOf, type Site } from './configuration.ts';
import { DRIFT, LEASE_MS } from './times.ts';

export class HeldLease {
  /** Voter → when the heartbeat was sent that it answered last, in the installed term. */
  readonly #answered = new Map<number, number>();

  clear(): void {
    this.#answered.clear();
  }

  answered(voter: number, sentAt: number): void {
    if (sentAt > (this.#answered.get(voter) ?? -Infinity)) this.#answered.set(voter, sentAt);
  }

  /** When the right to serve ends. */
  until(site: Site, { members }: Configuration, self: number): number {
    const others =
      site.strategy.kind === 'heartbeat' ? members.filter((node) => node !== self).length : undefined;
    const need = others ?? majorityOf(site) - 1;
    if (need === 0) return Infinity;
    const times: number[] = [];
    for (const [voter, sentAt] of this.#answered)
      if (others === undefined || members.includes(voter)) times.push(sentAt);
    times.sort((a, b) => b - a);
    return (times[need - 1] ?? -Infinity) + LEASE_MS;
  }
}

export class GrantedLeases {
  readonly #until = new Map<number, number>();
  readonly #startedAt: number;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  grant(node: number, now: number): void {
    this.#until.set(node, now + LEASE_MS * DRIFT);
  }

  /** Milliseconds a lease of each node may still run. */
  remaining(nodes: readonly number[], now: number): (readonly [number, number])[] {
    const fromStart = this.#startedAt + LEASE_MS * DRIFT;
    return nodes.map((node) => {
      const until = Math.max(this.#until.get(node) ?? -Infinity, fromStart);
      return [node, Math.max(0, until - now)] as const;
    });
  }
}
