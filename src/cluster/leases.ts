/**
 * The right to serve is lent: a member serves until LEASE_MS after it sent the heartbeat that enough others have answered,
 * measured by its own clock; who grants counts a little longer by its own. Nobody compares clocks.
 *
 * Invariants
 *  1. A grant counted here is never over before the holder's.
 *  2. A voter that has just started counts as one that granted everybody everything at its start.
 */

import { type Configuration, isMajority, type Site, votersOf } from './configuration.ts';
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
    const sentTo = (node: number): number =>
      node === self ? Infinity : (this.#answered.get(node) ?? -Infinity);
    if (site.strategy.kind === 'heartbeat') return Math.min(...members.map(sentTo)) + LEASE_MS;
    // The latest moment that enough of them have answered for.
    const times = votersOf(site)
      .map(sentTo)
      .toSorted((a, b) => b - a);
    const last = times.find((time) => isMajority(site, (node) => sentTo(node) >= time));
    return (last ?? -Infinity) + LEASE_MS;
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
