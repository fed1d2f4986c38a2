/**
 * One replica of a device, from one configuration to the next: takes commands of this node's initiators and messages of the
 * other replicas. Who may serve, and when a configuration begins and ends, is decided elsewhere (`src/cluster`) and
 * told by `install` and `seal`.
 *
 *   sealed ──install──► installed ──seal──► sealed          `report`: what was pending, for whoever decides
 *
 * Invariants
 *  1. A message of another term than the installed one has no effect; of the next one, it waits for the installation.
 *  2. A read is answered from blocks whose last change every member holds, and only while this node may serve.
 *  3. What a read has shown is never un-shown: a change is readable nowhere before it is held everywhere.
 */

import { assert } from '../base/assert.ts';
import { DONE, fail, type MaybeAsync, type Result, then } from '../base/result.ts';
import { lengthOf } from '../base/segments.ts';
import type { DeviceFault, Loan, Ticket } from '../ports/block-device.ts';
import { CommandQueue, type Waiting } from './command-queue.ts';
import { LocalCopy } from './local-copy.ts';
import { LockTable } from './lock-table.ts';
import type { ReplicaBody, ReplicaMessage } from './messages.ts';
import { MirroredWrites, type WriteDone } from './mirrored-write.ts';
import { Mutation } from './mutation.ts';
import { MutationLog, type Part } from './mutation-log.ts';
import { bytesOf, lamportOf, type Operation, type Stamp } from './operation.ts';
import { type Installed, peersOf, type ReplicaContext, type ReplicaPorts } from './ports.ts';
import { Reads } from './reads.ts';
import { ResyncLearner } from './resync-learner.ts';
import { ResyncSource } from './resync-source.ts';
import { Rounds } from './rounds.ts';

/** Changes remembered before peers are told the time, so that they can be forgotten. */
const REMEMBERED_MAX = 512;
/** Heartbeats between two flushes of everything: what a crash of a partner makes dirty is at most what came since. */
const FLUSH_TICKS = 10;
/** Messages of a configuration that is accepted here but not installed yet, and their data: more than all others begin. */
const EARLY_MAX = 8192;
const EARLY_BYTES_MAX = 128 * 1024 * 1024;

export class Replica implements ReplicaContext {
  readonly self: number;
  readonly ports: ReplicaPorts;
  readonly blockLength: number;
  readonly log: MutationLog;
  readonly copy: LocalCopy;
  readonly queue: CommandQueue;
  readonly writes: MirroredWrites;
  readonly locks: LockTable;
  readonly reads: Reads;
  readonly rounds = new Rounds();
  readonly source: ResyncSource;
  readonly learner: ResyncLearner;
  installed: Installed | undefined;
  lamport = 0;
  /** Peer → the sequence number of its records when it last confirmed a flush, in the last configuration with both. */
  readonly recorded = new Map<number, number>();
  /** Peer → the highest Lamport time it has told in this term. */
  #told = new Map<number, number>();
  #early: { readonly from: number; readonly message: ReplicaMessage }[] = [];
  #earlyBytes = 0;
  /** Some of them were more than may be kept: this copy cannot follow. */
  #hasMissed = false;
  /** Accepted and not installed: whose messages wait. */
  #nextTerm = 0;
  #flushing = false;
  #flushWaiters: ((complete: boolean) => void)[] = [];
  #rememberedAtClock = 0;
  #ticks = 0;
  /** Flushes and read-modify-writes that have begun and not come to their change: they end with the seal. */
  readonly #unsealed = new Set<WriteDone>();

  constructor(self: number, ports: ReplicaPorts) {
    this.self = self;
    this.ports = ports;
    this.blockLength = ports.store.geometry.blockLength;
    this.log = new MutationLog(this.blockLength);
    this.copy = new LocalCopy(ports, this.log);
    this.queue = new CommandQueue(
      () => ports.mayServe(),
      () => ports.clock.now(),
    );
    this.writes = new MirroredWrites(this, (mutation, tookMs) => {
      this.source.pace.observe(tookMs);
      this.#onValid(mutation);
    });
    this.locks = new LockTable(this, (lba, blocks) => this.writes.overlaps(lba, blocks));
    this.reads = new Reads(this);
    this.source = new ResyncSource(this);
    this.learner = new ResyncLearner(this);
  }

  // ── Commands of initiators ──

  read(ticket: Ticket, lba: number, blocks: number, done: (result: Result<Loan, DeviceFault>) => void): void {
    this.reads.begin(ticket, lba, blocks, done);
  }

  /** One change; the caller has checked the range. FUA in write-back is a change and a flush. */
  mutate(ticket: Ticket, operation: Operation, done: WriteDone): void {
    const { lba, blocks } = operation;
    this.queue.add({
      ticket,
      canBegin: () => this.mayChange(lba, blocks),
      begin: () => this.writes.begin(operation, done),
      refuse: (fault) => done(fail(fault)),
    });
  }

  /** Whether a change of these blocks may begin now, if this node may serve. */
  mayChange(lba: number, blocks: number): boolean {
    return (
      this.writes.hasRoom &&
      !this.ports.isCongested() &&
      !this.writes.overlaps(lba, blocks) &&
      !this.locks.blocks(lba, blocks, undefined)
    );
  }

  /**
   * Read, decide, change, with the extents held still on all members; `decide` runs once, after all earlier changes of
   * them are readable here, and answers with the change to make, or undefined for none.
   */
  modify(
    ticket: Ticket,
    extents: readonly { lba: number; blocks: number }[],
    decide: () => MaybeAsync<Result<Operation | undefined, DeviceFault>>,
    done: WriteDone,
  ): void {
    this.queue.add({
      ticket,
      canBegin: () => this.writes.hasRoom,
      begin: () => {
        const end = this.#untilSeal(done);
        const { term } = this.installed!;
        this.locks.acquire(extents, (held) => {
          const finish: WriteDone = (result) => {
            held.release();
            end(result);
          };
          void then(decide(), (decision) => {
            if (this.installed?.term !== term || !this.ports.mayServe()) return finish(UNAVAILABLE);
            if (!decision.ok) return finish(decision);
            // Nothing to change: what was looked at is answered like a read.
            if (decision.value === undefined)
              return this.confirm((stands) => finish(stands ? DONE : UNAVAILABLE));
            // Its initiator has gone on: what has not begun must not begin.
            if (!ticket.isAlive()) return finish(UNAVAILABLE);
            this.#unsealed.delete(end);
            this.writes.begin(decision.value, (result) => {
              held.release();
              done(result);
            });
          });
        });
      },
      refuse: (fault) => done(fail(fault)),
    });
  }

  /** Everything acknowledged so far becomes durable on every member. */
  flush(ticket: Ticket, done: WriteDone): void {
    const begin = (): void => {
      const end = this.#untilSeal(done);
      void this.flushEverywhere().then((complete) => end(complete ? DONE : UNAVAILABLE));
    };
    this.queue.add({ ticket, canBegin: () => true, begin, refuse: (fault) => done(fail(fault)) });
  }

  /** Waits like a command; for what is neither read nor change. */
  enqueue(command: Waiting): void {
    this.queue.add(command);
  }

  /** Whether all members still stand in this term, asked after something was looked at: nobody has gone on without us. */
  confirm(done: (stands: boolean) => void): void {
    const { installed } = this;
    if (installed === undefined) return done(false);
    const others = installed.confirmsReads ? installed.members.filter((node) => node !== this.self) : [];
    this.rounds.begin(
      others,
      (peer, id) => this.ports.send(peer, { kind: 'confirm', id }),
      (complete) => done(complete && this.ports.mayServe()),
    );
  }

  wake(): void {
    this.locks.pump();
    if (this.queue.length > 0) this.queue.pump();
  }

  // ── Configurations ──

  /** From here on nothing of the installed configuration happens any more. */
  seal(): void {
    this.installed = undefined;
    this.reads.seal();
    this.locks.clear();
    this.rounds.clear();
    this.source.stop();
    this.learner.stop();
    this.#flushing = false;
    for (const end of this.#unsealed) end(UNAVAILABLE);
  }

  /** What was received here and is not known to be everywhere. */
  pending(): readonly Part[] {
    return this.log.pending();
  }

  /** A configuration is being accepted: the former one's changes are over. Answers when store and journal are still. */
  async quiesce(): Promise<void> {
    assert(this.installed === undefined, 'a sealed replica is quiet');
    this.log.clear();
    await this.copy.quiesce();
    this.ports.journal.abandonUnflushed();
  }

  /**
   * After `quiesce`: what was pending on any survivor of the former configuration is pending here. Answers when this copy holds all of it.
   */
  async accept(term: number, flushed: readonly Part[]): Promise<Result<void, DeviceFault>> {
    assert(this.installed === undefined, 'a sealed replica accepts');
    this.#nextTerm = term;
    this.#forgetEarly();
    const sorted = flushed.toSorted((a, b) => a.stamp - b.stamp);
    for (const { stamp, operation } of sorted) {
      this.lamport = Math.max(this.lamport, lamportOf(stamp));
      // oxlint-disable-next-line no-await-in-loop -- in the order of stamps; there are few
      const held = await this.#receivePart(stamp, operation);
      if (!held.ok) return held;
    }
    return DONE;
  }

  /** The configuration stands: `unfinished` of before are everywhere, if this node is a member. */
  install(installed: Installed): void {
    const unfinished = this.writes.takeUnfinished();
    this.installed = installed;
    this.#told = new Map(peersOf(installed, this.self).map((peer) => [peer, -1]));
    // Another disk counts from one again; an older one than this configuration shows its term.
    for (const peer of this.#told.keys()) this.recorded.delete(peer);
    const isMember = installed.members.includes(this.self);
    for (const mutation of this.log.all()) {
      mutation.isValid = true;
      this.#onValid(mutation);
    }
    for (const done of unfinished) done(isMember ? DONE : UNAVAILABLE);
    if (!isMember) this.refuseAll('this node is being brought up to date');
    if (this.#hasMissed) return this.ports.onCopyFailed(MISSED);
    const early = this.#early;
    this.#forgetEarly();
    for (const { from, message } of early) this.onMessage(from, message);
    if (installed.source === this.self && isMember) this.source.start(installed.learners);
    this.wake();
  }

  /** This node is out, or waits for others: nobody is answered before the next configuration. */
  refuseAll(reason: string): void {
    this.queue.refuseAll(reason);
    for (const done of this.writes.takeUnfinished()) done(fail({ kind: 'unavailable', reason }));
  }

  // ── Messages ──

  onMessage(from: number, message: ReplicaMessage): void {
    const { installed } = this;
    if (installed?.term !== message.term) {
      if (message.term === this.#nextTerm && (installed === undefined || installed.term < message.term))
        this.#keepEarly(from, message);
      return;
    }
    this.#told.set(from, Math.max(this.#told.get(from) ?? -1, message.lamport));
    // Whatever begins here from now on is later than what the sender has begun: a change that its initiator sent again
    // by another node is never overtaken by its first sending.
    this.lamport = Math.max(this.lamport, message.lamport);
    this.#dispatch(from, message);
  }

  /** Every now and then: what waits too long, and what may be forgotten. */
  tick(): void {
    this.queue.pump();
    this.reads.tick();
    const { installed } = this;
    if (installed === undefined) return;
    if (this.log.size > 0) this.#tellTime();
    this.source.tick();
    this.#ticks += 1;
    if (this.#ticks % FLUSH_TICKS === 0 && !this.#flushing) void this.flushEverywhere();
  }

  #keepEarly(from: number, message: ReplicaMessage): void {
    const bytes = dataOf(message);
    this.#hasMissed ||= this.#early.length >= EARLY_MAX || this.#earlyBytes + bytes > EARLY_BYTES_MAX;
    if (this.#hasMissed) return;
    this.#early.push({ from, message });
    this.#earlyBytes += bytes;
  }

  #forgetEarly(): void {
    this.#early = [];
    this.#earlyBytes = 0;
    this.#hasMissed = false;
  }

  #dispatch(from: number, message: ReplicaBody): void {
    const { ports } = this;
    switch (message.kind) {
      case 'mutate':
        return this.#onMutate(from, message.stamp, message.operation);
      case 'held':
        return this.writes.onHeld(from, message.stamp);
      case 'valid':
        return this.#onValidMessage(message.stamp);
      case 'clock':
        return this.#forget();
      case 'flush':
        return this.#onFlush(from, message.id);
      case 'flushed':
        this.recorded.set(from, Math.max(this.recorded.get(from) ?? 0, message.sequence));
        return this.rounds.onAnswer(from, message.id);
      case 'confirmed':
        return this.rounds.onAnswer(from, message.id);
      case 'lock':
        return this.locks.request(message.lock, message.extents);
      case 'locked':
        return this.locks.onLocked(from, message.lock);
      case 'unlock':
        return this.locks.onUnlock(message.lock);
      case 'confirm':
        return ports.send(from, { kind: 'confirmed', id: message.id });
      case 'makeRoom':
        return this.#onMakeRoom(from, message.id, message.blockCount);
      case 'roomMade':
        return this.rounds.onAnswer(from, message.id, message.reason);
      case 'fetch':
        return this.reads.onFetch(from, message.id, message.lba, message.blocks);
      case 'fetched':
        return this.reads.onFetched(message.id, message.data);
      case 'offer':
        return this.learner.onOffer(from, message.chunks);
      case 'same':
        return this.learner.onSame(from, message.chunk);
      case 'chunk':
        return this.learner.onChunk(from, message.chunk, message.data);
      case 'want':
        return this.source.onWant(from, message.chunk, message.digest);
      case 'settled':
        return this.source.onSettled(from, message.chunk);
    }
  }

  #onMutate(from: number, stamp: Stamp, operation: Operation): void {
    this.lamport = Math.max(this.lamport, lamportOf(stamp));
    const mutation = new Mutation(stamp, operation, from);
    this.log.add(mutation);
    const { term } = this.installed!;
    const held = (fault?: DeviceFault): void => {
      if (fault !== undefined) return this.ports.onCopyFailed(fault);
      if (this.installed?.term === term) this.ports.send(from, { kind: 'held', stamp });
    };
    this.copy.receive(mutation, held, false);
  }

  #onValidMessage(stamp: Stamp): void {
    const mutation = this.log.get(stamp);
    if (mutation === undefined) return;
    mutation.isValid = true;
    this.#onValid(mutation);
  }

  /** Valid: a write-back copy gives it to its store now. */
  #onValid(mutation: Mutation): void {
    if (!mutation.isStored)
      return this.copy.store(mutation, (fault) =>
        fault === undefined ? this.#readable(mutation) : this.ports.onCopyFailed(fault),
      );
    this.#readable(mutation);
  }

  #readable(mutation: Mutation): void {
    this.copy.settle(mutation);
    this.log.becameReadable(mutation);
    const { operation, stamp } = mutation;
    if (operation.kind === 'document') this.ports.documentReadable(operation.name, operation.bytes, stamp);
    mutation.changed();
    if (this.queue.length > 0) this.queue.pump();
    if (this.log.size > this.#rememberedAtClock + REMEMBERED_MAX) this.#tellTime();
  }

  #receivePart(stamp: Stamp, operation: Operation): Promise<Result<void, DeviceFault>> {
    // Two parts of one change share its stamp: each is a change of its own here, apart in place.
    const mutation = new Mutation(stamp, operation, this.self);
    this.log.add(mutation);
    return new Promise((resolve) => {
      this.copy.receive(mutation, (fault) => resolve(fault === undefined ? DONE : fail(fault)), false);
    });
  }

  #onMakeRoom(from: number, id: number, blockCount: number): void {
    const { term } = this.installed!;
    void this.ports.makeRoom(blockCount).then((reason) => {
      if (this.installed?.term === term) this.ports.send(from, { kind: 'roomMade', id, reason });
    });
  }

  #onFlush(from: number, id: number): void {
    const { term } = this.installed!;
    void this.#flushOwn().then(async (flushed) => {
      const sequence = flushed ? await this.ports.recordFlush() : 0;
      if (sequence > 0 && this.installed?.term === term)
        this.ports.send(from, { kind: 'flushed', id, sequence });
    });
  }

  /** Everything received so far is on this node's medium. */
  async #flushOwn(): Promise<boolean> {
    const { installed } = this;
    const unreadable = this.log.all().filter((mutation) => !mutation.isReadable);
    const settled = await Promise.all(
      unreadable.map((mutation) => new Promise<boolean>((resolve) => mutation.whenReadable(resolve))),
    );
    // What was given up (alone, on a store that could not take it) is in nobody's way.
    if (settled.includes(false) && this.installed !== installed) return false;
    const flushed = await this.ports.store.flush();
    if (!flushed.ok) this.ports.onCopyFailed(flushed.fault);
    return flushed.ok;
  }

  /**
   * A flush marker to all, one at a time for the journal's sake: whoever comes meanwhile waits for the next one. False
   * when the configuration ends before.
   */
  async flushEverywhere(): Promise<boolean> {
    const { installed, self, ports } = this;
    if (installed === undefined) return false;
    if (this.#flushing) {
      await new Promise<boolean>((resolve) => this.#flushWaiters.push(resolve));
      return this.installed === installed ? this.flushEverywhere() : false;
    }
    this.#flushing = true;
    ports.journal.sealUnflushed();
    const others = new Promise<boolean>((resolve) => {
      this.rounds.begin(
        peersOf(installed, self),
        (peer, id) => ports.send(peer, { kind: 'flush', id }),
        resolve,
        (from) => ports.journal.confirmUnflushed(from),
      );
    });
    const own = await this.#flushOwn();
    if (own && this.installed === installed) ports.journal.confirmUnflushed(0);
    const complete = (await others) && own && this.installed === installed;
    if (this.installed === installed) {
      this.#flushing = false;
      if (!complete) ports.journal.abandonUnflushed();
    }
    const waiters = this.#flushWaiters;
    this.#flushWaiters = [];
    for (const resolve of waiters) resolve(complete);
    return complete;
  }

  #tellTime(): void {
    const { installed } = this;
    if (installed === undefined) return;
    for (const peer of peersOf(installed, this.self)) this.ports.send(peer, { kind: 'clock' });
    this.#forget();
    this.#rememberedAtClock = this.log.size;
  }

  #forget(): void {
    this.log.forget(this.#told.size === 0 ? this.lamport : Math.min(...this.#told.values()));
    this.#rememberedAtClock = Math.min(this.#rememberedAtClock, this.log.size);
  }

  /** Ends with UNAVAILABLE when the replica is sealed before. */
  #untilSeal(done: WriteDone): WriteDone {
    const end: WriteDone = (result) => {
      if (this.#unsealed.delete(end)) done(result);
    };
    this.#unsealed.add(end);
    return end;
  }
}

function dataOf(message: ReplicaMessage): number {
  switch (message.kind) {
    case 'mutate':
      return bytesOf(message.operation);
    case 'chunk':
      return lengthOf(message.data);
    case 'fetched':
      return message.data === undefined ? 0 : lengthOf(message.data);
    default:
      return 0;
  }
}

const MISSED = { kind: 'unavailable', reason: 'more came early than could be kept' } as const;
const UNAVAILABLE = fail<DeviceFault>({ kind: 'unavailable', reason: 'the configuration has changed' });
