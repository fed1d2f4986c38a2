/**
 * The arbiter of the heartbeat strategy, as a register in a VoteStore: who may go on without the others when all paths
 * are silent.
 *
 *    (term 1: 1 2) ──claim by 1 at 33──► (33: 1) ──claim by 1 at 49──► (49: 1 2)
 *                  ──claim by 2 at 34──► refused: 2 is not in the last claim
 *
 * Invariants
 *  1. Only who is in the last claim makes the next one, of a higher term; each replaces the version that it has looked at.
 *     So of several that have lost each other one goes on, and who was left out never does before it is let in again.
 *  2. The same claim again is answered as before: its first answer may have been lost.
 *  3. An empty or damaged register has forgotten whom it let go on. It learns that again from who serves, with all members
 *     of an installed configuration; until then nobody goes on by its word.
 *  4. "No" when it does not answer. A claim that was made all the same binds only who asked for it.
 */

import type { Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import type { VoteStore } from '../ports/vote-store.ts';
import type { Configuration } from './configuration.ts';
import { CLAIM, type ClaimRecord, Register } from './registers.ts';

export interface StoredClaimsOptions {
  readonly store: VoteStore;
  readonly device: Uuid;
  readonly self: number;
  readonly clock: Clock;
}

const RACES_MAX = 8;

export class StoredClaims {
  readonly #self: number;
  readonly #register: Register<ClaimRecord>;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ store, device, self, clock }: StoredClaimsOptions) {
    this.#self = self;
    this.#register = new Register({ store, format: CLAIM, device, clock });
  }

  /** Whether these members may go on without the others of `base`; or, with `base` itself, are known to serve. */
  claim(base: Configuration, members: readonly number[], term: number): Promise<boolean> {
    // One at a time: whoever asks does so again, and a register that hangs is asked once.
    const claim = this.#last.then(() => this.#claim(base, members, term));
    this.#last = claim;
    return claim;
  }

  async #claim(base: Configuration, members: readonly number[], term: number): Promise<boolean> {
    for (let races = 0; races < RACES_MAX; races++) {
      // oxlint-disable-next-line no-await-in-loop -- a lost race is read again
      const found = await this.#register.read();
      if (found === undefined) return false;
      const { record, version } = found;
      if (record?.term === term) return record.members.join() === members.join();
      const allowed =
        record === undefined ? base.term === term : term > record.term && record.members.includes(this.#self);
      if (!allowed) return false;
      // oxlint-disable-next-line no-await-in-loop -- as above
      const isDone = await this.#register.write({ term, members }, version);
      if (isDone !== false) return isDone === true;
    }
    return false;
  }
}
