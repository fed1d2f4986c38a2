/**
 * A register outside of the cluster, and the ways of the nodes to it: slow, away now and then for one node or another, and
 * answers that get lost after it has done what was asked. What is on its way arrives even if its sender has died.
 */

import type { Prng } from '../src/base/prng.ts';
import { fail, ok, type Result } from '../src/base/result.ts';
import type { StoredVote, VoteFault, VoteStore } from '../src/ports/vote-store.ts';
import type { Host } from './host.ts';
import type { Scheduler } from './scheduler.ts';

export interface VoteTrouble {
  /** Each way, on average. */
  readonly delayMs: number;
  /** Chances: it is not reached; it does what it was asked, and says it did not; it never answers. */
  readonly away: number;
  readonly unheard: number;
  readonly hung: number;
  /** Between times in which a node does not reach it at all. */
  readonly outageGapMs: number;
}

/** Where what goes wrong goes wrong elsewhere, one thing at a time. */
const CALM: VoteTrouble = { delayMs: 5, away: 0, unheard: 0.02, hung: 0, outageGapMs: Infinity };
const OUTAGE_MS = 2500;
const FAULT_MS = 50;
const SOURCE = 2000;
const AWAY: Result<never, VoteFault> = fail({ kind: 'unreachable', cause: 'away' });

export function drawTrouble(random: Prng, oneByOne: boolean): VoteTrouble {
  if (oneByOne) return CALM;
  return {
    delayMs: random.pick([2, 20, 150]),
    away: random.pick([0, 0.1, 0.3]),
    unheard: random.pick([0, 0.1, 0.3]),
    hung: random.pick([0, 0.02]),
    outageGapMs: random.pick([3000, 15_000, Infinity]),
  };
}

export class SimulatedVotes {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #trouble: VoteTrouble;
  #content: StoredVote | undefined;
  #version = 0;

  constructor(scheduler: Scheduler, random: Prng, trouble: VoteTrouble) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#trouble = trouble;
  }

  /** As it is when a device is made. */
  replace(bytes: Uint8Array): void {
    this.#content = { bytes, version: ++this.#version };
  }

  of(host: Host): VoteStore {
    const isAway = this.#outages(host);
    return {
      name: `votes of host ${host.id}`,
      read: () => this.#ask<StoredVote | undefined>(host, isAway, () => this.#content),
      write: (bytes, version) =>
        this.#ask(host, isAway, () => {
          if (version !== (this.#content?.version ?? 0)) return false;
          this.replace(bytes);
          return true;
        }),
    };
  }

  #ask<T>(host: Host, isAway: () => boolean, operation: () => T): Promise<Result<T, VoteFault>> {
    const { delayMs, away, unheard, hung } = this.#trouble;
    const random = this.#random;
    const scheduler = this.#scheduler;
    const born = host.incarnation;
    return new Promise((resolve) => {
      const answer = (result: Result<T, VoteFault>, inMs: number): void =>
        void scheduler.after(inMs, () => {
          host.deliver(SOURCE, () => {
            if (host.incarnation === born) resolve(result);
          });
        });
      if (isAway() || random.chance(away)) {
        if (!random.chance(0.5)) answer(AWAY, random.exponential(FAULT_MS));
        return;
      }
      const fate = random.next();
      scheduler.after(random.exponential(delayMs), () => {
        const value = operation();
        if (fate < hung) return;
        answer(fate < hung + unheard ? AWAY : ok(value), random.exponential(delayMs));
      });
    });
  }

  /** Whether this node is cut off at the moment. */
  #outages({ id }: Host): () => boolean {
    const { outageGapMs } = this.#trouble;
    const random = this.#random.fork(`outages ${id}`);
    let [from, until] = [0, 0];
    return () => {
      if (outageGapMs === Infinity) return false;
      const now = this.#scheduler.now();
      while (until <= now) {
        from = until + random.exponential(outageGapMs);
        until = from + random.exponential(OUTAGE_MS);
      }
      return now >= from;
    };
  }
}
