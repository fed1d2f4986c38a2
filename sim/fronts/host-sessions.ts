/** Sessions of initiators at a node's process, as the iSCSI target has them in the product. */

import type { Clock } from '../../src/ports/clock.ts';
import type { Session } from '../storage.ts';

const GUARD_MS = 2500;
const GUARD_EVERY_MS = 250;

export class HostSessions {
  readonly #clock: Clock;
  #sessions = new Map<Session, { readonly drop: () => void; heardAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(session: Session): boolean {
    return this.#sessions.has(session);
  }

  open(session: Session, drop: () => void): void {
    this.#sessions.set(session, { drop, heardAt: this.#clock.now() });
  }

  heard(session: Session): void {
    const known = this.#sessions.get(session);
    if (known !== undefined) known.heardAt = this.#clock.now();
  }

  close(session: Session): void {
    this.#sessions.delete(session);
  }

  /** Ends all of them, from the node's side. */
  drop(): void {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const { drop } of sessions) drop();
  }

  /** With the process. */
  clear(): void {
    this.#sessions.clear();
  }

  /** Sessions that have been silent are given up before their initiators can have gone on elsewhere. */
  guard(isWanted: () => boolean): void {
    this.#clock.after(GUARD_EVERY_MS, () => {
      if (!isWanted()) return;
      const now = this.#clock.now();
      for (const [session, { heardAt, drop }] of this.#sessions) {
        if (now - heardAt <= GUARD_MS) continue;
        this.#sessions.delete(session);
        drop();
      }
      this.guard(isWanted);
    });
  }
}
