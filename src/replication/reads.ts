/**
 * Reads: local, from blocks whose last change is everywhere, by a node that may serve at the moment the data is fetched.
 *
 *   waits while a change of its blocks is not readable ──► fetched ──(confirmed by all members, inside machines whose
 *   clock may stand still)──► answered
 *
 * What this node's medium cannot read another member does, and the blocks are written again here.
 */

import { copyOf, lengthOf } from '../base/segments.ts';
import { fail, type MaybeAsync, ok, type Result, then } from '../base/result.ts';
import type { DeviceFault, Loan, Ticket } from '../ports/block-device.ts';
import type { Watch } from './mutation-log.ts';
import { type Operation, partOf } from './operation.ts';
import { otherMembers, type ReplicaContext } from './ports.ts';
import type { Replica } from './replica.ts';
import { untouched } from './untouched.ts';

type ReadDone = (result: Result<Loan, DeviceFault>) => void;
type Fetched = (data: readonly Uint8Array[] | undefined) => void;

interface Read {
  readonly ticket: Ticket;
  readonly lba: number;
  readonly blocks: number;
  readonly done: ReadDone;
}

/** Asking another member takes at most this long. */
const FETCH_MS_MAX = 3000;

export class Reads {
  readonly #replica: Replica;
  /** Fetched here, waiting for the next round of confirmations. */
  #unconfirmed: { readonly read: Read; readonly loan: Loan }[] = [];
  #confirming = false;
  readonly #fetches = new Map<number, { readonly fetched: Fetched; readonly until: number }>();
  #ids = 0;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  begin(ticket: Ticket, lba: number, blocks: number, done: ReadDone): void {
    this.#enqueue({ ticket, lba, blocks, done });
  }

  /** For resyncs and for others: waits for changes under way, asks nobody's leave. */
  async current(lba: number, blocks: number): Promise<Result<Loan, DeviceFault>> {
    const { log, copy } = this.#replica;
    for (;;) {
      const unreadable = log.unreadable(lba, blocks);
      if (unreadable !== undefined) {
        // oxlint-disable-next-line no-await-in-loop -- one change after the other
        const ready = await new Promise<boolean>((resolve) => unreadable.whenReadable(resolve));
        if (!ready) return fail({ kind: 'unavailable', reason: 'the configuration has changed' });
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- again when a change came in between
      const result = await copy.read(lba, blocks, () => log.unreadable(lba, blocks) === undefined);
      if (result !== undefined) return result;
    }
  }

  /** What a decision rests on: current, under a lock; from another member where this node's medium cannot read it. */
  async decisive(lba: number, blocks: number): Promise<Result<Loan, DeviceFault>> {
    const { installed, self } = this.#replica;
    const found = await this.current(lba, blocks);
    if (found.ok || installed === undefined || found.fault.kind === 'unavailable') return found;
    const data = await this.#ask(otherMembers(installed, self), lba, blocks);
    if (this.#replica.installed !== installed)
      return fail({ kind: 'unavailable', reason: 'the configuration has changed' });
    return data === undefined ? found : ok({ segments: data, release: () => undefined });
  }

  seal(): void {
    const unconfirmed = this.#unconfirmed;
    this.#unconfirmed = [];
    this.#confirming = false;
    for (const { read, loan } of unconfirmed) this.#again(read, loan);
    const fetches = [...this.#fetches.values()];
    this.#fetches.clear();
    for (const { fetched } of fetches) fetched(undefined);
  }

  tick(): void {
    const now = this.#replica.ports.clock.now();
    for (const [id, { until }] of this.#fetches) if (until < now) this.onFetched(id, undefined);
  }

  /** Another member cannot read these blocks. */
  onFetch(from: number, id: number, lba: number, blocks: number): void {
    const { term } = this.#replica.installed!;
    void this.current(lba, blocks).then((result) => {
      const data = result.ok ? [copyOf(result.value.segments)] : undefined;
      if (result.ok) result.value.release();
      if (this.#replica.installed?.term !== term) return;
      this.#replica.ports.send(from, { kind: 'fetched', id, data });
    });
  }

  onFetched(id: number, data: readonly Uint8Array[] | undefined): void {
    const fetch = this.#fetches.get(id);
    this.#fetches.delete(id);
    fetch?.fetched(data);
  }

  #enqueue(read: Read): void {
    const { queue, log } = this.#replica;
    queue.add({
      ticket: read.ticket,
      canBegin: () => log.unreadable(read.lba, read.blocks) === undefined,
      begin: () => this.#fetch(read),
      refuse: (fault) => read.done(fail(fault)),
    });
  }

  #fetch(read: Read): void {
    const { log, copy } = this.#replica;
    const { lba, blocks } = read;
    const term = this.#replica.installed!.term;
    void then(
      copy.read(lba, blocks, () => log.unreadable(lba, blocks) === undefined),
      (result) => {
        if (result === undefined) return this.#enqueue(read);
        if (!result.ok) return this.#fromOthers(read, result.fault);
        if (this.#replica.installed?.term !== term) return this.#again(read, result.value);
        this.#fetched(read, result.value);
      },
    );
  }

  #fetched(read: Read, loan: Loan): void {
    const { ports, installed, self } = this.#replica;
    if (!ports.mayServe()) return this.#again(read, loan);
    if (!installed!.confirmsReads || otherMembers(installed!, self).length === 0) return read.done(ok(loan));
    this.#unconfirmed.push({ read, loan });
    if (!this.#confirming) this.#confirm();
  }

  /** One round for all that were fetched while the last one was under way. */
  #confirm(): void {
    const { ports, installed, self, rounds } = this.#replica;
    const batch = this.#unconfirmed;
    this.#unconfirmed = [];
    this.#confirming = batch.length > 0;
    if (batch.length === 0) return;
    rounds.begin(
      otherMembers(installed!, self),
      (peer, id) => ports.send(peer, { kind: 'confirm', id }),
      (complete) => {
        const stands = complete && ports.mayServe();
        for (const { read, loan } of batch)
          if (stands) read.done(ok(loan));
          else this.#again(read, loan);
        if (complete) this.#confirm();
      },
    );
  }

  #again(read: Read, loan: Loan): void {
    loan.release();
    this.#enqueue(read);
  }

  #fromOthers(read: Read, fault: DeviceFault): void {
    const { installed, self, log, ports } = this.#replica;
    if (installed === undefined) return this.#enqueue(read);
    const { lba, blocks } = read;
    const watch = log.watch(lba, blocks);
    void this.#ask(otherMembers(installed, self), lba, blocks).then((data) => {
      if (this.#replica.installed !== installed || !ports.mayServe()) {
        watch.end();
        return this.#enqueue(read);
      }
      if (data === undefined) {
        watch.end();
        return read.done(fail(fault));
      }
      ports.trace('warn', 'mirror.read.repaired', { lba, blocks, cause: fault });
      void then(repair(this.#replica, { kind: 'write', lba, blocks, data }, watch), (repaired) => {
        // A flush that failed has lost more than these blocks.
        if (!repaired.ok) ports.onCopyFailed(repaired.fault);
        if (this.#replica.installed !== installed) return this.#enqueue(read);
        this.#fetched(read, { segments: data, release: () => undefined });
      });
    });
  }

  async #ask(
    members: readonly number[],
    lba: number,
    blocks: number,
  ): Promise<readonly Uint8Array[] | undefined> {
    const { ports } = this.#replica;
    for (const member of members) {
      const id = ++this.#ids;
      const until = ports.clock.now() + FETCH_MS_MAX;
      // oxlint-disable-next-line no-await-in-loop -- the next one only if this one cannot
      const data = await new Promise<readonly Uint8Array[] | undefined>((fetched) => {
        this.#fetches.set(id, { fetched, until });
        ports.send(member, { kind: 'fetch', id, lba, blocks });
      });
      if (data !== undefined && lengthOf(data) === blocks * this.#replica.blockLength) return data;
    }
    return undefined;
  }
}

/** Writes what another member sent, but for what changes have touched meanwhile. */
export function repair(
  { copy, blockLength }: ReplicaContext,
  content: Operation,
  watch: Watch,
): MaybeAsync<Result<void, DeviceFault>> {
  const current = (): Operation[] =>
    untouched(content, watch.touched).map(({ lba, blocks }) => partOf(content, lba, blocks, blockLength));
  return then(copy.overwrite(content, current), (result) => {
    watch.end();
    return result;
  });
}
