/**
 * A witness that is no process: its vote (promised, accepted) lies in a VoteStore, and every node has a stand-in that answers
 * in its name, to its own node alone. To the Membership it is a peer with the witness's number. Stand-ins do not know of
 * each other; what they do is put in order by the store, where each swap replaces what its maker has read.
 *
 *    node A                                   store                                   node B
 *    Membership ─ prepare, accept, beat ─► stand-in ─ read, swap ─► (register) ◄─ read, swap ─ stand-in ◄─ Membership
 *               ◄─ promise, accepted, ───
 *                  beat, beatAnswer
 *
 *    prepare(t)   read; promised > t: refuse; else swap {promised: t}; promise
 *    accept(c)    read; promised > c.term: refuse; else swap {promised: c.term, accepted: c}; accepted
 *    beat(t)      read; promised = accepted.term = t, and its sender a member: beatAnswer
 *    after every read: a beat of the witness
 *
 * Why this is the vote of one voter
 *  1. Promised and accepted never decrease: every swap replaces the version whose promise it has looked at. A write whose
 *     fate is not known is either there at the next read or still bound to its version: as good as a late message.
 *  2. A lease is granted by a read that began after the beat was sent, sBeat ≤ r, and saw that nothing newer was promised;
 *     reads are exact, so r lies before the swap w of any newer promise. The holder stops LEASE_MS after sBeat ≤ w by its
 *     clock. Who promised cannot know who has read; it counts LEASE_MS × DRIFT for everybody, from when it knew of the swap,
 *     which is after w by its clock. So no lease outlives what the promise says of it.
 *  3. A term belongs to one node, but a node that has started again may not know which of its terms it had used: what
 *     stands in the register with that very term and was not tried by this process is refused.
 *  4. A register that is empty or damaged has forgotten what it promised. It says so (isBlank), and it promises nothing until
 *     every attempt that had its promise is over: not before BLANK_MS. It accepts only what it has promised since, and its
 *     vote counts again with what it accepts then.
 *  5. One operation at a time, each with a limit: a store that hangs is a witness that is silent, and nothing else waits
 *     for it. Beats that come meanwhile are one.
 *
 * A register that is put back in time (a share restored from a backup) breaks 1, like the disk of a witness.
 */

import { NO_UUID, type Uuid } from '../base/uuid.ts';
import type { Clock } from '../ports/clock.ts';
import type { VoteStore } from '../ports/vote-store.ts';
import type { Configuration } from './configuration.ts';
import type { Beat, BeatAnswer, Control, Report } from './messages.ts';
import { type FoundRegister, Register, VOTE, type VoteRecord } from './registers.ts';
import { BEAT_MS, DRIFT, LEASE_MS, PROPOSAL_MS_MAX, STORE_MS } from './times.ts';

export interface StoredVoterOptions<H> {
  readonly store: VoteStore;
  readonly device: Uuid;
  /** The node that it answers to, and its process. */
  readonly self: number;
  readonly incarnation: number;
  /** Nodes with data, as the device was made. */
  readonly nodes: readonly number[];
  readonly clock: Clock;
  onBeat(beat: Beat): void;
  onBeatAnswer(answer: BeatAnswer): void;
  onControl(message: Control<H>): void;
}

const NOTHING: Configuration = { term: 0, id: NO_UUID, members: [], learners: [] };
/** The attempts that had a promise which is forgotten, and what they had on its way. */
const BLANK_MS = (PROPOSAL_MS_MAX + STORE_MS) * DRIFT;
/** Beats that come at their pace are not held back because a clock is not exact. */
const READ_MS_MIN = 0.9 * BEAT_MS;
/** Each lost race is a promise or an accept of another node; there are not that many at a time. */
const RACES_MAX = 8;

export class StoredVoter<H> {
  readonly #options: StoredVoterOptions<H>;
  readonly #register: Register<VoteRecord>;
  #isBusy = false;
  #isClosed = false;
  // What is wanted, the newest of each kind.
  #prepare: number | undefined;
  #accept: Configuration | undefined;
  #install: Configuration | undefined;
  #beat: Beat | undefined;
  #isHeldBack = false;
  #readAt = -Infinity;
  #answeredTerm = 0;
  /** The highest term that this process has tried to write. */
  #tried = 0;
  /** When this process knew of the promise. */
  #promised: { readonly term: number; readonly at: number } | undefined;
  #blankSince: number | undefined;

  constructor(options: StoredVoterOptions<H>) {
    const { store, device, clock } = options;
    this.#options = options;
    this.#register = new Register({ store, format: VOTE, device, clock });
  }

  close(): void {
    this.#isClosed = true;
  }

  onBeat(beat: Beat): void {
    this.#beat = beat;
    this.#next();
  }

  onControl(message: Control<H>): void {
    if (message.kind === 'prepare') this.#prepare = Math.max(message.term, this.#prepare ?? 0);
    else if (message.kind === 'accept') this.#accept = message.proposal.configuration;
    else if (message.kind === 'install') this.#install = message.configuration;
    this.#next();
  }

  #next(): void {
    if (this.#isBusy || this.#isClosed) return;
    const work = this.#take();
    if (work === undefined) return;
    this.#isBusy = true;
    void work.then(() => {
      this.#isBusy = false;
      this.#next();
    });
  }

  #take(): Promise<unknown> | undefined {
    const [prepare, accept, install] = [this.#prepare, this.#accept, this.#install];
    if (prepare !== undefined) {
      this.#prepare = undefined;
      return this.#onPrepare(prepare);
    }
    if (accept !== undefined) {
      this.#accept = undefined;
      return this.#onAccept(accept);
    }
    if (install !== undefined) {
      this.#install = undefined;
      return this.#onInstall(install);
    }
    if (this.#beat === undefined) return undefined;
    const waitMs = this.#readAt + READ_MS_MIN - this.#options.clock.now();
    // Who has just begun to serve waits for its first answer.
    if (waitMs <= 0 || this.#beat.term !== this.#answeredTerm) return this.#read();
    this.#holdBack(waitMs);
    return undefined;
  }

  #holdBack(waitMs: number): void {
    if (this.#isHeldBack) return;
    this.#isHeldBack = true;
    this.#options.clock.after(waitMs, () => {
      this.#isHeldBack = false;
      this.#next();
    });
  }

  async #onPrepare(term: number): Promise<void> {
    await this.#swap(term, (record, isWritten) => {
      if (record.promised > term || this.#isOfFormerProcess(record, term)) {
        this.#answer({ kind: 'refuse', term, promised: record.promised });
        return undefined;
      }
      if (!isWritten && this.#forgot()) return undefined;
      if (record.promised < term) return { ...record, promised: term };
      this.#promise(record);
      return undefined;
    });
  }

  async #onAccept(configuration: Configuration): Promise<void> {
    const { term } = configuration;
    await this.#swap(term, (record) => {
      if (record.promised > term || this.#isOfFormerProcess(record, term)) {
        this.#answer({ kind: 'refuse', term, promised: record.promised });
        return undefined;
      }
      if (record.accepted.term === term) this.#answer({ kind: 'accepted', term });
      return accepting(record, configuration);
    });
  }

  /** Nobody waits for it; but who asks next should hear what counts. */
  async #onInstall(configuration: Configuration): Promise<void> {
    const { term } = configuration;
    await this.#swap(term, (record) =>
      record.promised > term || this.#isOfFormerProcess(record, term)
        ? undefined
        : accepting(record, configuration),
    );
  }

  /** `change` sees the vote as it is; what it returns replaces it, and is seen again when it does. */
  async #swap(
    term: number,
    change: (record: VoteRecord, isWritten: boolean) => VoteRecord | undefined,
  ): Promise<void> {
    let found = await this.#read();
    for (let races = 0; found !== undefined && races < RACES_MAX; races++) {
      const record = change(found.record ?? { promised: 0, accepted: NOTHING }, found.record !== undefined);
      if (record === undefined) return;
      this.#tried = Math.max(this.#tried, term);
      // oxlint-disable-next-line no-await-in-loop -- a lost race is read again
      const isDone = await this.#register.write(record, found.version);
      // Whoever asked asks again; what is there then says what has become of it.
      if (isDone === undefined || this.#isClosed) return;
      if (isDone) {
        change(record, true);
        return;
      }
      // oxlint-disable-next-line no-await-in-loop -- as above
      found = await this.#read();
    }
  }

  /** Undefined: nothing can be said. */
  async #read(): Promise<FoundRegister<VoteRecord> | undefined> {
    const beat = this.#beat;
    this.#beat = undefined;
    this.#readAt = this.#options.clock.now();
    const found = await this.#register.read();
    if (found === undefined || this.#isClosed) return undefined;
    if (found.record !== undefined) this.#blankSince = undefined;
    this.#tell(found.record ?? { promised: 0, accepted: NOTHING }, beat);
    return found;
  }

  /** The witness is there; and `beat`, which was sent before the read began, may be worth a lease. */
  #tell({ promised, accepted }: VoteRecord, beat: Beat | undefined): void {
    const { self, incarnation, clock } = this.#options;
    this.#options.onBeat({
      kind: 'beat',
      incarnation,
      sentAt: clock.now(),
      term: 0,
      promised,
      accepted: { term: accepted.term, members: accepted.members },
      hasRetired: false,
      role: 'witness',
      hears: [self],
      hearsSync: [],
      members: [],
    });
    const term = beat?.term ?? 0;
    const isOurs = term > 0 && term === accepted.term && term === promised;
    if (!isOurs || !accepted.members.includes(self)) return;
    this.#answeredTerm = term;
    this.#options.onBeatAnswer({ kind: 'beatAnswer', incarnation, sentAt: beat!.sentAt, term });
  }

  #promise({ promised, accepted }: VoteRecord): void {
    const { nodes, clock } = this.#options;
    const now = clock.now();
    if (this.#promised?.term !== promised) this.#promised = { term: promised, at: now };
    const lease = Math.max(0, this.#promised.at + LEASE_MS * DRIFT - now);
    const report: Report<H> = {
      promised,
      accepted,
      bound: accepted.members,
      isFresh: false,
      wasStopped: false,
      wasWrittenOut: false,
      isBlank: accepted.term === 0,
      isOut: false,
      isDiverged: false,
      hasKept: false,
      hasFailed: false,
      history: [],
      leases: [...new Set([...(accepted.replicas ?? nodes), ...(accepted.formerly ?? [])])].map(
        (node) => [node, lease] as const,
      ),
      hearsSync: [],
      handover: undefined,
    };
    this.#answer({ kind: 'promise', term: promised, report });
  }

  #isOfFormerProcess({ promised }: VoteRecord, term: number): boolean {
    return promised === term && this.#tried < term;
  }

  /** Whether an attempt may be under way that has a promise of which the register does not know any more. */
  #forgot(): boolean {
    const now = this.#options.clock.now();
    this.#blankSince ??= now;
    return now - this.#blankSince < BLANK_MS;
  }

  #answer(message: Control<H>): void {
    this.#options.onControl(message);
  }
}

function accepting(record: VoteRecord, configuration: Configuration): VoteRecord | undefined {
  const { term } = configuration;
  const knows = record.accepted.term > 0 || record.promised === term;
  return knows && record.accepted.term < term ? { promised: term, accepted: configuration } : undefined;
}
