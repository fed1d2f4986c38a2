/**
 * A change that this node coordinates, from its stamp to its end; the other members and learners do the same work and
 * answer `held`.
 *
 *   begin ──► stamped, sent to all, given to the own copy
 *         ──► held by all (and here)            ──► committed: answered, `valid` to all
 *         ──► the configuration ends            ──► carried over: answered by the next configuration, or given up
 *
 * Invariants
 *  1. An answer is given only when every member and learner of the term holds the change, and only while the term is
 *     installed and not sealed.
 *  2. Own changes that overlap follow each other.
 *  3. Stamps of this node only grow.
 */

import { ExtentIndex } from '../base/extent-index.ts';
import { DONE, fail, type Result, then } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import { Mutation } from './mutation.ts';
import { bytesOf, type Operation, type Stamp, stampOf } from './operation.ts';
import { peersOf, type ReplicaContext } from './ports.ts';

/** Own changes under way, and their data. */
const IN_FLIGHT_MAX = 256;
const IN_FLIGHT_BYTES_MAX = 32 * 1024 * 1024;

export type WriteDone = (result: Result<void, DeviceFault>) => void;

class OwnWrite {
  readonly mutation: Mutation;
  readonly lba: number;
  readonly blocks: number;
  readonly need: Set<number>;
  readonly begunAt: number;
  readonly done: WriteDone;
  /** Its own copy waits until the others hold it. */
  storesLater: boolean;
  /** The journal has it. */
  isPrepared = false;

  constructor(mutation: Mutation, need: Set<number>, begunAt: number, storesLater: boolean, done: WriteDone) {
    this.mutation = mutation;
    this.lba = mutation.lba;
    this.blocks = mutation.blocks;
    this.need = need;
    this.begunAt = begunAt;
    this.storesLater = storesLater;
    this.done = done;
  }
}

export class MirroredWrites {
  readonly #context: ReplicaContext;
  readonly #own = new Map<Stamp, OwnWrite>();
  #bytes = 0;
  readonly #index = new ExtentIndex<OwnWrite>();
  /** Readable for everybody: the replica settles it. `tookMs`: from its beginning to its answer. */
  readonly #onValid: (mutation: Mutation, tookMs: number) => void;

  constructor(context: ReplicaContext, onValid: (mutation: Mutation, tookMs: number) => void) {
    this.#context = context;
    this.#onValid = onValid;
  }

  get inFlight(): number {
    return this.#own.size;
  }

  /** There is room for one more: what is under way is handed over, in memory, when the configuration changes. */
  get hasRoom(): boolean {
    return this.#own.size < IN_FLIGHT_MAX && this.#bytes < IN_FLIGHT_BYTES_MAX;
  }

  overlaps(lba: number, blocks: number): boolean {
    return this.#own.size > 0 && this.#index.some(lba, blocks, () => true);
  }

  begin(operation: Operation, done: WriteDone): void {
    const context = this.#context;
    const { self, ports, log, copy } = context;
    const installed = context.installed!;
    const stamp = stampOf(++context.lamport, self);
    const mutation = new Mutation(stamp, operation, self);
    const peers = peersOf(installed, self);
    // Without a log nothing may be on this medium alone: a crash would leave it there and nobody would know.
    const storesLater = peers.length > 0 && copy.policy === 'through' && !ports.journal.hasLog;
    const own = new OwnWrite(mutation, new Set(peers), ports.clock.now(), storesLater, done);
    this.#own.set(stamp, own);
    this.#bytes += bytesOf(operation);
    this.#index.add(own);
    log.add(mutation);
    for (const peer of peers) ports.send(peer, { kind: 'mutate', stamp, operation });
    copy.receive(
      mutation,
      (fault) => {
        if (fault !== undefined) return this.#failed(own, fault);
        own.isPrepared = true;
        this.#progress(own);
      },
      storesLater,
    );
  }

  /** A member or learner holds it. */
  onHeld(from: number, stamp: Stamp): void {
    const own = this.#own.get(stamp);
    if (own === undefined || !own.need.delete(from)) return;
    this.#progress(own);
  }

  /** Peers that have kept a change waiting since `before`. */
  slowPeers(before: number): Set<number> {
    const slow = new Set<number>();
    for (const own of this.#own.values()) {
      if (own.begunAt > before) break;
      for (const peer of own.need) slow.add(peer);
    }
    return slow;
  }

  /** The configuration is over. What was under way is finished or given up by `carryOver`. */
  takeUnfinished(): readonly WriteDone[] {
    const unfinished = [...this.#own.values()].map(({ done }) => done);
    this.#own.clear();
    this.#bytes = 0;
    this.#index.clear();
    return unfinished;
  }

  #progress(own: OwnWrite): void {
    const { mutation } = own;
    if (own.need.size > 0 || !own.isPrepared || this.#context.installed === undefined) return;
    if (own.storesLater) {
      own.storesLater = false;
      this.#context.copy.store(mutation, (fault) =>
        fault === undefined ? this.#progress(own) : this.#failed(own, fault),
      );
      return;
    }
    if (mutation.isHeld) this.#commit(own);
  }

  #commit(own: OwnWrite): void {
    const { self, ports, installed } = this.#context;
    const { mutation } = own;
    this.#remove(own);
    mutation.isValid = true;
    for (const peer of peersOf(installed!, self)) ports.send(peer, { kind: 'valid', stamp: mutation.stamp });
    // Who waits for the answer finds a document told.
    this.#onValid(mutation, ports.clock.now() - own.begunAt);
    own.done(DONE);
    this.#context.wake();
  }

  /**
   * The own copy could not take it. With others the node leaves; alone, the command fails and the device lives on. Some of
   * its blocks may have been written: they are flushed before anyone can read them, lest they be seen and then gone.
   */
  #failed(own: OwnWrite, fault: DeviceFault): void {
    const { self, ports, installed } = this.#context;
    if (installed === undefined || peersOf(installed, self).length > 0) return ports.onCopyFailed(fault);
    void then(ports.store.flush(), (flushed) => {
      if (!flushed.ok) return ports.onCopyFailed(flushed.fault);
      // A configuration that has ended meanwhile answers nothing: the next one finishes the change, or gives it up.
      const isOurs = this.#context.installed === installed && this.#own.get(own.mutation.stamp) === own;
      if (isOurs) this.#giveUp(own, fault);
    });
  }

  #giveUp(own: OwnWrite, fault: DeviceFault): void {
    const { log, copy } = this.#context;
    this.#remove(own);
    const { mutation } = own;
    copy.settle(mutation);
    log.remove(mutation);
    mutation.isOver = true;
    mutation.changed();
    own.done(fail(fault));
    this.#context.wake();
  }

  #remove(own: OwnWrite): void {
    if (this.#own.delete(own.mutation.stamp)) this.#bytes -= bytesOf(own.mutation.operation);
    this.#index.remove(own);
  }
}
