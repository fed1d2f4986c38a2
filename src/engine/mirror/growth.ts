/**
 * Growing the device, through the node that an administrator asked.
 *
 *   wait until this node serves ──► every member and learner makes room ──► next configuration, with the new size ──► done
 *           ▲                              │ one cannot: refused,                  │ another one came first
 *           │                              ▼ nothing has changed                   │
 *           └──────────────────────────────────────────────────────────────────────┘
 *
 * Invariants
 *  1. A size is proposed only with a configuration of which every member and learner has made room for it, in the term
 *     that it follows on. Who returns later makes room before it accepts (copy-acceptance.ts).
 *  2. The new size holds when that configuration is installed: until then nobody tells it or takes blocks behind the old.
 */

import { DONE, fail, type Result } from '../../base/result.ts';
import type { Choice } from '../../cluster/choose.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import type { Membership } from '../../cluster/membership.ts';
import { BEAT_MS } from '../../cluster/times.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Clock } from '../../ports/clock.ts';
import { type Installed, peersOf } from '../../replication/ports.ts';
import type { Replica } from '../../replication/replica.ts';
import { RECORDS_END } from './copy-acceptance.ts';
import type { Handover } from './handover.ts';
import { BLOCK_COUNT_MAX } from './size.ts';
import type { SizedCopy } from './sized-copy.ts';

export interface GrowthParts {
  readonly clock: Clock;
  readonly replica: Pick<Replica, 'self' | 'installed' | 'rounds' | 'ports'>;
  readonly membership: () => Pick<Membership<Handover>, 'installed' | 'role' | 'proposer' | 'mayServe'>;
  readonly copy: SizedCopy;
  readonly journal: Journal;
  /** Its medium can do no more. */
  readonly onCopyFailed: (reason: string) => void;
}

/** A configuration takes a second or two, and some may come in between. */
const GROW_MS_MAX = 30_000;
const UNKNOWN = 'it is not known whether it has grown: look at its size before you try again';
const NOT_SERVED = 'this node does not serve it now: ask another node, or try again later';

/** `again`: the configuration has changed meanwhile, and nothing else. */
type Outcome = Result<void, string> | 'again';

interface Prepared {
  readonly blockCount: number;
  readonly term: number;
  /** Who has room. */
  readonly nodes: ReadonlySet<number>;
  readonly until: number;
  readonly resolve: (outcome: Outcome) => void;
}

export class Growth {
  readonly #parts: GrowthParts;
  #isBusy = false;
  #prepared: Prepared | undefined;

  constructor(parts: GrowthParts) {
    this.#parts = parts;
  }

  /** Answers when the device has the new size on every node that serves it; else why not, as a clause for people. */
  async grow(blockCount: number): Promise<Result<void, string>> {
    if (this.#isBusy) return fail('it is being extended already');
    this.#isBusy = true;
    const { clock } = this.#parts;
    const until = clock.now() + GROW_MS_MAX;
    let outcome: Outcome = 'again';
    while (outcome === 'again') {
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      const isServing = await this.#untilServing(until);
      // oxlint-disable-next-line no-await-in-loop
      outcome = isServing ? await this.#attempt(blockCount) : fail(NOT_SERVED);
    }
    this.#isBusy = false;
    return outcome;
  }

  /**
   * On this node, durable when it answers: the medium and its records are long enough, for these partners or those there are.
   * Else why not, as a clause.
   */
  async makeRoom(blockCount: number, partners?: readonly number[]): Promise<string | undefined> {
    const { copy, journal, onCopyFailed } = this.#parts;
    if (blockCount > BLOCK_COUNT_MAX) return 'no device may be so large';
    const made = await copy.makeRoom(blockCount);
    if (!made.ok) {
      if (made.fault.kind === 'flushFailed') onCopyFailed(made.fault.message);
      return made.fault.message;
    }
    const recorded = await journal.makeRoom(blockCount, partners);
    if (recorded.ok) return undefined;
    if (recorded.fault.kind === 'ioError') onCopyFailed(RECORDS_END);
    return RECORDS_END;
  }

  /** Every BEAT_MS, and as soon as there is something to propose. */
  tick(): void {
    const { clock, membership } = this.#parts;
    if (this.#prepared === undefined) return;
    const now = clock.now();
    if (now > this.#prepared.until) return this.#settle(fail(UNKNOWN));
    const { role, installed, proposer } = membership();
    const mayPropose = role === 'serving' && installed?.term === this.#prepared.term;
    if (mayPropose && !proposer.isBusy && proposer.mayTry(now))
      proposer.propose({ cause: 'the device grows', excluded: [], promoted: [] });
  }

  /** What the device grows to with a configuration that this node has chosen; undefined: it stays as it is. */
  with(base: Choice['base'], { members, learners }: Configuration): number | undefined {
    const { term, nodes, blockCount } = this.#prepared ?? {};
    if (base.term !== term || nodes === undefined) return undefined;
    return [...members, ...learners].every((node) => nodes.has(node)) ? blockCount : undefined;
  }

  /** A configuration is installed. */
  installed(term: number): void {
    const prepared = this.#prepared;
    if (prepared === undefined || prepared.term === term) return;
    this.#settle(this.#blockCount >= prepared.blockCount ? DONE : 'again');
  }

  /** This copy takes no part any more. */
  stop(): void {
    this.#settle(fail(UNKNOWN));
  }

  /** Of the device as this copy serves it. */
  get #blockCount(): number {
    return this.#parts.copy.geometry.blockCount;
  }

  #settle(outcome: Outcome): void {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    prepared?.resolve(outcome);
  }

  async #untilServing(until: number): Promise<boolean> {
    const { clock, membership } = this.#parts;
    while (!membership().mayServe()) {
      if (clock.now() > until || membership().role === 'failed') return false;
      // oxlint-disable-next-line no-await-in-loop -- it takes its time
      await new Promise<void>((resolve) => clock.after(BEAT_MS, () => resolve()));
    }
    return clock.now() <= until;
  }

  async #attempt(blockCount: number): Promise<Outcome> {
    const { clock, replica, membership } = this.#parts;
    const { installed } = replica;
    if (installed === undefined || !membership().mayServe()) return 'again';
    if (blockCount === this.#blockCount) return DONE;
    if (blockCount < this.#blockCount) return fail('a device never becomes smaller');
    const refusals = await this.#makeRoomEverywhere(installed, blockCount);
    if (refusals !== undefined && refusals.length > 0) return fail(refusals.join('; '));
    if (refusals === undefined || replica.installed !== installed) return 'again';
    return new Promise((resolve) => {
      const nodes = new Set([replica.self, ...peersOf(installed, replica.self)]);
      const until = clock.now() + GROW_MS_MAX;
      this.#prepared = { blockCount, term: installed.term, nodes, until, resolve };
      this.tick();
    });
  }

  /** Why some of them cannot; undefined: the configuration has ended before all had answered. */
  async #makeRoomEverywhere(installed: Installed, blockCount: number): Promise<string[] | undefined> {
    const { replica } = this.#parts;
    const { self, rounds, ports } = replica;
    const refusals: string[] = [];
    const others = new Promise<boolean>((resolve) => {
      rounds.begin(
        peersOf(installed, self),
        (peer, id) => ports.send(peer, { kind: 'makeRoom', id, blockCount }),
        resolve,
        (from, reason) => {
          if (reason !== undefined) refusals.push(`node ${from} cannot follow: ${reason}`);
        },
      );
    });
    const own = await this.makeRoom(blockCount);
    if (own !== undefined) refusals.unshift(`node ${self} cannot follow: ${own}`);
    return (await others) ? refusals : undefined;
  }
}
