/**
 * Another node gets a copy of the device, or one loses it, through the node that an administrator asked.
 *
 *   wait until this node serves, and who is new is joined with all ──► next configuration, with the other replicas ──► done
 *           ▲                                                              │ another one came first
 *           └──────────────────────────────────────────────────────────────┘
 *
 * Invariants
 *  1. One node at a time is added or taken away, and never the last one that has everything.
 *  2. Who is new begins as a learner: it has a vote from then on, and counts as a copy when it was proven equal.
 *  3. Who is taken away has stood back, durably, if it is there: it goes on with nothing.
 */

import { DONE, fail, type Result } from '../../base/result.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import { MEMBERS_MAX } from '../../cluster/fields.ts';
import type { Membership } from '../../cluster/membership.ts';
import { BEAT_MS, FORGOTTEN_MS } from '../../cluster/times.ts';
import type { Clock } from '../../ports/clock.ts';

export interface ReplicaChangeParts {
  readonly clock: Clock;
  readonly self: number;
  readonly membership: () => Pick<
    Membership<unknown>,
    'installed' | 'role' | 'proposer' | 'mayServe' | 'site' | 'peers'
  >;
}

/** A new process waits for some seconds before it promises anything, and a configuration takes one or two. */
const CHANGE_MS_MAX = 30_000;
const UNKNOWN = 'it is not known whether its copies have changed: look at them before you try again';
const NOT_SERVED = 'this node does not serve it now: ask another node, or try again later';

/** `again`: not yet, or another configuration has come first, and nothing else has changed. */
type Outcome = Result<void, string> | 'again';

interface Prepared {
  readonly replicas: readonly number[];
  readonly baseTerm: number;
  readonly excluded: readonly number[];
  readonly cause: string;
  readonly until: number;
  readonly resolve: (outcome: Outcome) => void;
}

export class ReplicaChanges {
  readonly #parts: ReplicaChangeParts;
  #isBusy = false;
  #prepared: Prepared | undefined;

  constructor(parts: ReplicaChangeParts) {
    this.#parts = parts;
  }

  /**
   * The node gets a copy: it runs, and has none yet, or none that counts. Answers when it has begun to learn, or else why
   * not, as a clause for people.
   */
  add(node: number): Promise<Result<void, string>> {
    return this.#change(
      (replicas) => [...new Set([...replicas, node])],
      `node ${node} gets a copy`,
      (now) => this.#notReady(node, now),
    );
  }

  /** The node has no copy any more, whether it is there or not. Answers when the others go on without it. */
  remove(node: number): Promise<Result<void, string>> {
    return this.#change(
      (replicas) => replicas.filter((other) => other !== node),
      `node ${node} has no copy any more`,
      () => undefined,
    );
  }

  /** Every BEAT_MS, and as soon as there is something to propose. */
  tick(): void {
    const prepared = this.#prepared;
    if (prepared === undefined) return;
    const { clock, self, membership } = this.#parts;
    const now = clock.now();
    const { role, installed, proposer } = membership();
    if (role === 'removed' && !prepared.replicas.includes(self)) return this.#settle(DONE);
    if (now > prepared.until) return this.#settle(fail(UNKNOWN));
    const { baseTerm, replicas, cause, excluded } = prepared;
    const mayPropose = role === 'serving' && installed?.term === baseTerm;
    if (mayPropose && !proposer.isBusy && proposer.mayTry(now))
      proposer.propose({ cause, excluded, promoted: [], change: { baseTerm, replicas } });
  }

  /** A configuration is installed. */
  installed({ term }: Configuration): void {
    const prepared = this.#prepared;
    if (prepared === undefined || prepared.baseTerm === term) return;
    this.#settle(isSame(this.#replicas, prepared.replicas) ? DONE : 'again');
  }

  /** This copy takes no part any more. */
  stop(): void {
    this.#settle(fail(UNKNOWN));
  }

  get #replicas(): readonly number[] {
    return this.#parts.membership().site.nodes;
  }

  #settle(outcome: Outcome): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    prepared?.resolve(outcome);
  }

  async #change(
    wantedOf: (replicas: readonly number[]) => readonly number[],
    cause: string,
    notReady: (now: number) => string | undefined,
  ): Promise<Result<void, string>> {
    if (this.#isBusy) return fail('its copies are being changed already');
    this.#isBusy = true;
    const { clock } = this.#parts;
    const until = clock.now() + CHANGE_MS_MAX;
    let outcome: Outcome = 'again';
    while (outcome === 'again') {
      const waitsFor = this.#mayBegin ? notReady(clock.now()) : NOT_SERVED;
      if (waitsFor === undefined) {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        outcome = await this.#attempt(wantedOf(this.#replicas), cause, until);
      } else if (clock.now() > until) {
        outcome = fail(waitsFor);
      } else {
        // oxlint-disable-next-line no-await-in-loop -- it takes its time
        await new Promise<void>((resolve) => clock.after(BEAT_MS, () => resolve()));
      }
    }
    this.#isBusy = false;
    return outcome;
  }

  /** One change at a time: until the last one is complete its former voters decide, too. */
  get #mayBegin(): boolean {
    const membership = this.#parts.membership();
    return membership.mayServe() && membership.installed?.formerly === undefined;
  }

  #attempt(wanted: readonly number[], cause: string, until: number): Outcome | Promise<Outcome> {
    const { membership } = this.#parts;
    const { installed } = membership();
    if (installed === undefined) return 'again';
    const replicas = this.#replicas;
    if (isSame(wanted, replicas)) return DONE;
    if (wanted.length > MEMBERS_MAX) return fail(`a device has ${MEMBERS_MAX} copies and no more`);
    if (!installed.members.some((node) => wanted.includes(node)))
      return fail('nobody else has everything that is on it: bring another copy up to date first');
    const excluded = replicas.filter((node) => !wanted.includes(node));
    return new Promise((resolve) => {
      this.#prepared = { replicas: wanted, baseTerm: installed.term, excluded, cause, until, resolve };
      this.tick();
    });
  }

  /** Why the node cannot begin to learn now; undefined: it can. */
  #notReady(node: number, now: number): string | undefined {
    const { installed, peers, site } = this.#parts.membership();
    if (site.nodes.includes(node)) return undefined;
    if (!peers.isJoined(node, now)) return `node ${node} is not reached by this node`;
    const beat = peers.beatOf(node)!;
    const apart = installed!.members.filter(
      (member) =>
        member !== this.#parts.self &&
        !(beat.hearsSync.includes(member) && peers.beatOf(member)?.hearsSync.includes(node) === true),
    );
    if (apart.length > 0) return `node ${node} and node ${apart.join(', ')} do not reach each other`;
    if (beat.role === 'failed' || beat.role === 'stopping') return `the copy of node ${node} is not open`;
    // It promises nothing before (Membership, `#mayHavePromised`).
    if (beat.accepted.term === 0 && peers.knownFor(node, now) < FORGOTTEN_MS)
      return `node ${node} has just started`;
    return undefined;
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((node) => b.includes(node));
}
