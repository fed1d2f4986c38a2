/**
 * One node's part in one mirrored device: who may serve (`cluster`), what is mirrored how (`replication`) and what is
 * kept of it (`journal`, superblock) meet here and nowhere else. Production and simulator run this same object.
 *
 *   promise    seal the replica, report what its copy knows
 *   accept     still → journal learns who is absent → superblock → what was pending is pending here
 *   install    serve, or learn
 *
 * Invariants
 *  1. The journal knows who is absent, durably, before the superblock says that a configuration without them was
 *     accepted.
 *  2. A copy that fails (medium, journal, superblock) takes no part until it is opened again, as a learner.
 */

import { assert } from '../../base/assert.ts';
import { DONE, fail, ok, type MaybeAsync, type Result, then } from '../../base/result.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { Choice } from '../../cluster/choose.ts';
import type { Configuration, Site } from '../../cluster/configuration.ts';
import {
  type CopyReport,
  Membership,
  type MembershipPorts,
  type Standing,
} from '../../cluster/membership.ts';
import type { Beat, Control, Proposal, Report } from '../../cluster/messages.ts';
import { BEAT_MS, SLOW_MS, STALL_MS } from '../../cluster/times.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { Journal, type JournalOptions } from '../../journal/journal.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import type { BlockDevice, DeviceFault } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Disk } from '../../ports/disk.ts';
import type { Trace } from '../../ports/trace.ts';
import type { VoteStore } from '../../ports/vote-store.ts';
import type { ReplicaBody, ReplicaMessage } from '../../replication/messages.ts';
import type { Ticket } from '../../replication/command-queue.ts';
import {
  documentLba,
  type DocumentName,
  documentOperation,
  type Operation,
  type Stamp,
} from '../../replication/operation.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import { Replica } from '../../replication/replica.ts';
import { CopyKnowledge } from './copy-knowledge.ts';
import { CopyRecords } from './copy-records.ts';
import { faultText } from './fault-text.ts';
import { keepChunks, type Keep } from './divergence.ts';
import { type Handover, lamportOfDocuments, merge } from './handover.ts';
import { resyncSource } from './path-state.ts';
import { type MirrorState, stateOf } from './state.ts';
import { tellJournal } from './tell-journal.ts';
import { createVoterRoute, type VoterRoute } from './voter-route.ts';

export interface MirrorOptions {
  readonly self: number;
  readonly device: Uuid;
  readonly site: Site;
  /** Unlike any other start, and above those before. */
  readonly incarnation: number;
  readonly policy: WritePolicy;
  readonly journal: JournalStrategy;
  readonly slotCount: number;
  /** Inside a machine whose clock may stand still. */
  readonly confirmsReads: boolean;
  /** Initiators should prefer paths through other nodes. */
  readonly asides?: readonly number[];
  readonly store: BlockDevice;
  /** Superblock and journal. */
  readonly records: Disk;
  readonly copyId: Uuid;
  /** Where the witness's vote lies if it is no process, or (heartbeat) what the arbiter knows. */
  readonly votes?: VoteStore | undefined;
  readonly ports: MirrorPorts;
}

export interface MirrorPorts {
  readonly clock: Clock;
  readonly trace: Trace;
  random(): number;
  newId(): Uuid;
  readonly digest: (data: readonly Uint8Array[]) => string;
  sendBeat(to: number, beat: Beat): void;
  sendControl(to: number, message: Control<Handover>, onSync: boolean): void;
  sendReplica(to: number, message: ReplicaMessage): void;
  isCongested(to: number): boolean;
  /** The process stood still: whoever asked has gone elsewhere, and what it sent before must not be looked at. */
  readonly dropSessions: (reason: string) => void;
  /** The copy can do no more; it may be opened again when it has `settled`. */
  onFailed(reason: string): void;
  /** What initiators should be told has changed. */
  onChanged(): void;
}

/** The others have this long to go on without a node that stops. */
const STOP_MS_MAX = 3000;

export class MirrorNode {
  readonly membership: Membership<Handover>;
  readonly replica: Replica;
  readonly #options: MirrorOptions;
  readonly #records: CopyRecords;
  readonly #journal: Journal;
  readonly #knowledge: CopyKnowledge;
  readonly #route: VoterRoute;
  #hasStarted = false;
  #tickedAt: number;
  #isOver = false;
  #policy: WritePolicy = 'through';
  /** The accepted configuration finishes changes of the one before. */
  #hasPending = false;
  /** What only this copy holds after a split brain has been kept elsewhere. */
  #hasKept = false;

  static async open(options: MirrorOptions): Promise<MirrorNode | undefined> {
    const { store, device, self, site, records: disk } = options;
    const { blockCount, blockLength } = store.geometry;
    const identity = {
      device,
      node: self,
      copy: options.copyId,
      blockLength,
      blockCount,
      writePolicy: options.policy,
      journal: options.journal,
    };
    const records = new CopyRecords(disk, 0, identity, options.ports.clock);
    if (!(await records.load())) return undefined;
    const journalOptions: JournalOptions = {
      strategy: options.journal,
      device,
      blockCount,
      blockLength,
      slotCount: options.slotCount,
      partners: site.nodes.filter((node) => node !== self),
      disk,
      offset: SUPERBLOCK_FILE_LENGTH,
    };
    const journal = new Journal(journalOptions);
    const found = await journal.load();
    const knowledge = new CopyKnowledge({ self, nodes: site.nodes, records, journal, found, journalOptions });
    return new MirrorNode(options, records, journal, knowledge);
  }

  private constructor(
    options: MirrorOptions,
    records: CopyRecords,
    journal: Journal,
    knowledge: CopyKnowledge,
  ) {
    const { self, site, ports, incarnation } = options;
    this.#options = options;
    this.#records = records;
    this.#journal = journal;
    this.#knowledge = knowledge;
    this.#tickedAt = ports.clock.now();
    this.replica = new Replica(self, this.#replicaPorts());
    this.replica.lamport = lamportOfDocuments(records.documents);
    this.#route = createVoterRoute(options, this);
    this.membership = new Membership<Handover>({
      self,
      site,
      incarnation,
      writesBack: options.policy === 'back',
      ports: this.#membershipPorts(),
      standing: records.standing,
    });
    ports.clock.after(BEAT_MS * ports.random(), () => this.#tick());
  }

  /** Before anything is looked at that came from an initiator: a process that stood still has no sessions any more. */
  get stoodStill(): boolean {
    return this.#options.ports.clock.now() - this.#tickedAt > STALL_MS;
  }

  /** As administrators and initiators see it. */
  get state(): MirrorState {
    const { asides = [], ports } = this.#options;
    return stateOf(this.membership, asides, ports.clock.now());
  }

  /** A document as the last change that is everywhere left it. */
  document(name: DocumentName): Uint8Array | undefined {
    return this.#records.documents.find((document) => document.name === name)?.bytes;
  }

  /**
   * Reads, decides and writes a document while nothing of the device changes on any member: changes under way have ended
   * before, and those that wait begin after. `decide` answers with the new bytes, or undefined to leave it as it is.
   */
  changeDocument(
    ticket: Ticket,
    name: DocumentName,
    decide: (before: Uint8Array | undefined) => Uint8Array | undefined,
    done: (result: Result<void, DeviceFault>) => void,
  ): void {
    const { blockCount } = this.#options.store.geometry;
    const everything = [
      { lba: 0, blocks: blockCount },
      { lba: documentLba(name), blocks: 1 },
    ];
    const change = (): Result<Operation | undefined, DeviceFault> => {
      const after = decide(this.document(name));
      return ok(after === undefined ? undefined : documentOperation(name, after));
    };
    this.replica.modify(ticket, everything, change, done);
  }

  onBeat(from: number, beat: Beat, onSync: boolean): ReturnType<Membership<Handover>['onBeat']> {
    return this.#isOver ? undefined : this.membership.onBeat(from, beat, onSync);
  }

  onBeatAnswer(from: number, answer: Parameters<Membership<Handover>['onBeatAnswer']>[1]): void {
    if (this.#isOver) return;
    this.membership.onBeatAnswer(from, answer);
    if (this.replica.queue.length > 0) this.replica.wake();
  }

  onControl(from: number, message: Control<Handover>): void {
    if (!this.#isOver) this.membership.onControl(from, message);
  }

  onReplica(from: number, message: ReplicaMessage): void {
    if (!this.#isOver) this.replica.onMessage(from, message);
  }

  /**
   * After a split brain, on a side that is not going to be chosen: gives every chunk that this copy may hold alone to
   * `keep`, so that it can be overwritten. Answers with the numbers of the chunks (64 KiB each), or undefined if this copy
   * has not stood down, could not be read or was not kept.
   */
  async keepDivergence(keep: Keep): Promise<readonly number[] | undefined> {
    if (this.membership.role !== 'diverged') return undefined;
    const { map, full } = this.#knowledge.divergence(this.replica, this.#hasStarted);
    if (full !== undefined) map.markAll();
    const chunks = await keepChunks(this.#options.store, map, keep);
    this.#hasKept = chunks !== undefined && !this.#isOver && this.membership.role === 'diverged';
    return this.#hasKept ? chunks : undefined;
  }

  /**
   * Stops in order: leaves the device to the other members, if there are any, and writes everything out. Sessions are over
   * before. Answers true when the next start may rely on it; false: it is as after a crash. Nothing happens afterwards.
   */
  async stop(): Promise<boolean> {
    const { clock } = this.#options.ports;
    const until = clock.now() + STOP_MS_MAX;
    const isNeeded = (): boolean =>
      this.membership.proposer.isBusy || (this.membership.installed?.members.length ?? 0) > 1;
    for (let now = clock.now(); isNeeded() && now < until; now = clock.now()) {
      this.membership.leave();
      // oxlint-disable-next-line no-await-in-loop -- a configuration takes its time
      await new Promise<void>((resolve) => clock.after(BEAT_MS, () => resolve()));
    }
    if (this.#isOver) return false;
    this.membership.halt();
    await this.membership.settled();
    const isWhole = this.replica.pending().length === 0 && !this.membership.hasFailed;
    await this.settled();
    if (this.#isOver) return false;
    this.#isOver = true;
    // Nothing has begun since the last stop: its records still say what they said.
    if (!this.#hasStarted) return this.#records.isClean;
    // Whatever was under way: what is in the cache has been acknowledged.
    if (!(await this.#options.store.flush()).ok || !isWhole) return false;
    return (await this.#journal.stop()).ok && (await this.#records.stop()).ok;
  }

  /**
   * After a failure: answers when everything that was begun on the disks has ended. Before that the copy must not be
   * opened again: what hangs in a disk would come to it later than what is newer.
   */
  async settled(): Promise<void> {
    assert(this.replica.installed === undefined, 'a copy that serves is never still');
    // A configuration that is being accepted begins writes.
    await this.membership.settled();
    await this.replica.quiesce();
    await this.#records.settled();
  }

  /** Nothing of this object happens any more: its process has died, or its copy is opened again. */
  abandon(): void {
    this.#isOver = true;
    this.#route.close();
  }

  #tick(): void {
    if (this.#isOver) return;
    const { clock, dropSessions } = this.#options.ports;
    const now = clock.now();
    if (this.stoodStill) dropSessions('the process stood still');
    this.#tickedAt = now;
    clock.after(BEAT_MS, () => this.#tick());
    const oldest = this.replica.copy.oldestAt;
    if (oldest !== undefined && now - oldest > SLOW_MS) this.#fail('its medium has stopped answering');
    const { savingSince } = this.#records;
    if (savingSince !== undefined && now - savingSince > SLOW_MS) {
      this.#fail('the disk with its records has stopped answering');
      this.membership.retire('its records cannot be written');
    }
    this.membership.tick();
    this.replica.tick();
  }

  #replicaPorts(): ConstructorParameters<typeof Replica>[1] {
    const { ports, store } = this.#options;
    return {
      clock: ports.clock,
      trace: ports.trace,
      store,
      journal: this.#journal,
      digest: ports.digest,
      send: (to, body) => this.#send(to, body),
      isCongested: () => {
        const { installed } = this.membership;
        return (
          installed !== undefined &&
          [...installed.members, ...installed.learners].some((node) => ports.isCongested(node))
        );
      },
      mayServe: () => !this.#isOver && this.membership.mayServe(),
      noteWritten: () => this.#noteWritten(),
      recordFlush: () =>
        this.#records.save().then((saved) => {
          if (!saved.ok) this.#fail('its superblock could not be written');
          return saved.ok && !this.#isOver ? this.#records.sequence : 0;
        }),
      saveDocument: (name, bytes, revision) => this.#saveDocument(name, bytes, revision),
      onCopyFailed: (fault) => this.#fail(faultText(fault)),
    };
  }

  #membershipPorts(): MembershipPorts<Handover> {
    const { ports, site } = this.#options;
    const { blockCount, blockLength } = this.#options.store.geometry;
    return {
      clock: ports.clock,
      trace: ports.trace,
      random: () => ports.random(),
      newId: () => ports.newId(),
      sendBeat: (to, beat) => this.#route.sendBeat(to, beat),
      send: (to, message, onSync) => this.#route.send(to, message, onSync),
      claim: (base, members, term) => this.#route.claim(base, members, term),
      seal: () => {
        this.replica.seal();
        ports.onChanged();
      },
      save: (standing) => this.#save(standing),
      report: (withHandover) => this.#report(withHandover),
      merge: (
        choice: Choice,
        promises: ReadonlyMap<number, Report<Handover>>,
        configuration: Configuration,
      ) =>
        merge({
          choice,
          promises,
          configuration,
          nodes: site.nodes,
          blockCount,
          blockLength,
          writesUnlogged: this.#policy === 'through' && this.#options.journal !== 'continuous',
        }),
      accept: (proposal, standing) => this.#accept(proposal, standing),
      install: (configuration, standing) => this.#install(configuration, standing),
      standBack: (reason) => {
        ports.trace('warn', 'mirror.stoodBack', { reason });
        this.replica.refuseAll(reason);
        ports.onChanged();
      },
      readyLearners: () => this.replica.source.ready,
      slowNodes: () => this.replica.writes.slowPeers(ports.clock.now() - SLOW_MS),
    };
  }

  #send(to: number, body: ReplicaBody): void {
    const { installed } = this.replica;
    if (installed === undefined || this.#isOver) return;
    this.#options.ports.sendReplica(to, { ...body, term: installed.term, lamport: this.replica.lamport });
  }

  async #save(standing: Standing): Promise<boolean> {
    // Whoever has agreed to a configuration knows what counts, though it may have no copy.
    if (standing.accepted.term > this.#records.standing.accepted.term) this.#records.isBlank = false;
    this.#records.standing = standing;
    const saved = await this.#records.save();
    if (this.#isOver) return false;
    if (!saved.ok) this.#fail('its superblock could not be written');
    return saved.ok;
  }

  #noteWritten(): MaybeAsync<Result<void, DeviceFault>> {
    if (!this.#records.noteWritten()) return this.#noted ?? DONE;
    const noted = this.#records.save().then((saved) => {
      this.#noted = undefined;
      return saved.ok ? DONE : fail(RECORDS_FAULT);
    });
    this.#noted = noted;
    return noted;
  }
  #noted: Promise<Result<void, DeviceFault>> | undefined;

  #saveDocument(
    name: DocumentName,
    bytes: Uint8Array,
    revision: Stamp,
  ): MaybeAsync<Result<void, DeviceFault>> {
    this.#records.setDocument({ name, bytes, revision });
    // It has been seen as changed, and may be durable: that cannot be taken back.
    return then(this.#records.save(), (saved) => {
      if (saved.ok) return DONE;
      this.#fail('its superblock could not be written');
      return fail(RECORDS_FAULT);
    });
  }

  #report(withHandover: boolean): CopyReport<Handover> {
    const { wasStopped, isBlank, history } = this.#records;
    return {
      wasStopped: wasStopped && !this.#hasStarted,
      isBlank,
      history,
      hasKept: this.#hasKept,
      handover: withHandover ? this.#knowledge.handover(this.replica, this.#hasStarted) : undefined,
    };
  }

  async #accept(proposal: Proposal<Handover>, standing: Standing): Promise<boolean> {
    const handover = proposal.handover!;
    const { configuration } = proposal;
    const { store, policy, ports } = this.#options;
    await this.replica.quiesce();
    const next: WritePolicy = configuration.members.length > 1 ? policy : 'through';
    if (this.#policy === 'back' && next === 'through') {
      const flushed = await store.flush();
      if (!flushed.ok) return this.#fail(faultText(flushed.fault));
    }
    const journaled = await tellJournal(this.#journal, {
      self: this.#options.self,
      nodes: this.#options.site.nodes,
      hasStarted: this.#hasStarted,
      configuration,
      handover,
      geometry: store.geometry,
    });
    if (this.#isOver) return false;
    if (!journaled) return this.#fail('its journal could not be written');
    this.#policy = next;
    this.replica.copy.policy = next;
    this.replica.lamport = Math.max(this.replica.lamport, handover.lamport);
    for (const document of handover.documents) this.#records.setDocument(document);
    this.#records.copyTerm = configuration.term;
    this.#records.isClean = false;
    this.#records.history = handover.history;
    this.#records.acceptEpoch(configuration);
    this.#hasPending = handover.pending.length > 0;
    this.#hasKept = false;
    if (!(await this.#save(standing))) return false;
    this.#hasStarted = true;
    const held = await this.replica.accept(configuration.term, handover.pending);
    if (this.#isOver) return false;
    if (!held.ok) return this.#fail(faultText(held.fault));
    for (const [node, { full, map }] of handover.differences)
      if (configuration.learners.includes(node))
        ports.trace('info', 'mirror.resync.begins', { node, chunks: map.count, full });
    return true;
  }

  async #install(configuration: Configuration, standing: Standing): Promise<void> {
    if (this.#isOver) return;
    this.#records.standing = standing;
    this.#records.install(this.#hasPending);
    const { members, learners, term } = configuration;
    const { site, confirmsReads, ports } = this.#options;
    ports.trace('info', 'mirror.installed', { term, members, learners, policy: this.#policy });
    const source = resyncSource(site.nodes, members);
    this.replica.install({ term, members, learners, policy: this.#policy, source, confirmsReads });
    ports.onChanged();
    // So that who is alone knows after a restart that it need not ask anyone.
    await this.#save(standing);
  }

  #fail(reason: string): false {
    if (this.#isOver || this.membership.hasFailed) return false;
    this.#options.ports.trace('error', 'mirror.copy.failed', { reason });
    this.membership.fail(reason);
    this.#options.ports.onFailed(reason);
    return false;
  }
}

const RECORDS_FAULT: DeviceFault = {
  kind: 'mediumError',
  operation: 'write',
  lba: 0,
  cause: 'the superblock could not be written',
};
