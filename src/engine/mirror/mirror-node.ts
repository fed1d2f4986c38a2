/**
 * One node's part in one mirrored device: who may serve (`cluster`), what is mirrored how (`replication`) and what is
 * kept of it (`journal`, superblock) meet here and nowhere else. Production and simulator run this same object.
 *
 *   promise            seal the replica, report what its copy knows
 *   accept, install    copy-acceptance.ts
 *
 * Invariant: a copy that fails (medium, journal, superblock) takes no part until it is opened again, as a learner.
 */

import { assert } from '../../base/assert.ts';
import { DONE, fail, ok, type MaybeAsync, type Result, then } from '../../base/result.ts';
import type { Choice } from '../../cluster/choose.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import { Membership } from '../../cluster/membership.ts';
import type { CopyReport, MembershipPorts, Standing } from '../../cluster/ports.ts';
import type { Beat, Control, Proposal, Report } from '../../cluster/messages.ts';
import { BEAT_MS, SLOW_MS } from '../../cluster/times.ts';
import type { Journal } from '../../journal/journal.ts';
import type { DeviceFault, Geometry, Ticket, WriteCache } from '../../ports/block-device.ts';
import type { ReplicaBody, ReplicaMessage } from '../../replication/messages.ts';
import { documentLba, type DocumentName, type Stamp } from '../../replication/operation.ts';
import { Replica } from '../../replication/replica.ts';
import { CopyAcceptance } from './copy-acceptance.ts';
import { openCopy, type OpenedCopy } from './copy-opening.ts';
import type { CopyKnowledge } from './copy-knowledge.ts';
import type { CopyRecords } from './copy-records.ts';
import { faultText } from './fault-text.ts';
import { Divergence } from './divergence.ts';
import { DeviceDocuments } from './device-documents.ts';
import { Growth } from './growth.ts';
import { type Handover, lamportOfDocuments, merge } from './handover.ts';
import type { MirrorOptions } from './mirror-options.ts';
import { ReplicaChanges } from './replica-change.ts';
import { PERCENT_MAX, type Settings, type SettingsFault } from './settings.ts';
import { SizedCopy } from './sized-copy.ts';
import { Standstill } from './standstill.ts';
import { type Lack, type MirrorState, stateOf } from './state.ts';
import { createVoterRoute, type VoterRoute } from './voter-route.ts';

/** The others have this long to go on without a node that stops. */
const STOP_MS_MAX = 3000;

export class MirrorNode {
  readonly membership: Membership<Handover>;
  readonly replica: Replica;
  /** This side of a split brain. */
  readonly divergence: Divergence;
  readonly #options: MirrorOptions;
  readonly #records: CopyRecords;
  readonly #journal: Journal;
  readonly #knowledge: CopyKnowledge;
  readonly #route: VoterRoute;
  readonly #acceptance: CopyAcceptance;
  readonly #documents: DeviceDocuments;
  readonly #copy: SizedCopy;
  readonly #growth: Growth;
  readonly #replicaChanges: ReplicaChanges;
  readonly #standstill: Standstill;
  #isOver = false;

  static async open(options: MirrorOptions): Promise<MirrorNode | undefined> {
    const opened = await openCopy(options);
    return opened && new MirrorNode(options, opened);
  }

  private constructor(options: MirrorOptions, { records, journal, knowledge, replicas }: OpenedCopy) {
    const { self, site, ports, incarnation } = options;
    this.#options = options;
    this.#records = records;
    this.#journal = journal;
    this.#knowledge = knowledge;
    this.#standstill = new Standstill(ports.clock);
    this.#copy = new SizedCopy(options.store, records.blockCount);
    this.#documents = new DeviceDocuments({
      replicas,
      blockCount: () => this.#copy.geometry.blockCount,
      usual: {
        order: site.nodes,
        policy: options.policy,
        asides: [],
        fullResyncAbove: PERCENT_MAX,
      },
      records,
      replica: () => this.replica,
      onDocument: (name, bytes) => this.#onDocument(name, bytes),
    });
    this.replica = new Replica(self, this.#replicaPorts());
    this.replica.lamport = lamportOfDocuments(records.documents);
    const isOver = (): boolean => this.#isOver;
    this.#acceptance = new CopyAcceptance({
      options,
      records,
      journal,
      copy: this.#copy,
      replica: this.replica,
      documents: this.#documents,
      isOver,
    });
    this.divergence = new Divergence({
      membership: () => this.membership,
      copy: this.#copy,
      history: () => records.history,
      suspects: () => knowledge.divergence(this.replica, this.#acceptance.hasStarted),
      isOver,
    });
    this.#growth = new Growth({
      clock: ports.clock,
      replica: this.replica,
      membership: () => this.membership,
      copy: this.#copy,
      journal,
      onCopyFailed: (reason) => this.#fail(reason),
    });
    this.#replicaChanges = new ReplicaChanges({
      clock: ports.clock,
      self,
      membership: () => this.membership,
    });
    this.#route = createVoterRoute(options, this);
    this.membership = new Membership<Handover>({
      self,
      site: { ...site, order: this.#documents.settings.order },
      neighbours: options.neighbours,
      incarnation,
      ports: this.#membershipPorts(),
      standing: records.standing,
    });
    ports.clock.after(BEAT_MS * ports.random(), () => this.#tick());
  }

  /** Before anything is looked at that came from an initiator: a process that stood still has no sessions any more. */
  get stoodStill(): boolean {
    return this.#standstill.isTooLong;
  }

  /** As administrators and initiators see it. */
  get state(): MirrorState {
    return stateOf(this.membership, this.settings, this.#options.ports.clock.now());
  }

  /** What a copy that takes no part lacks, as far as this node knows; undefined: it takes part, or this node does not. */
  lackOf(copy: number): Lack | undefined {
    const map = this.membership.installed === undefined ? undefined : this.#journal.mapOf(copy);
    return map && { chunks: map.count, percent: (100 * map.count) / map.chunkCount };
  }

  /** A document as the last change that is everywhere left it. */
  document(name: DocumentName): Uint8Array | undefined {
    return this.#documents.find(name);
  }

  /** No change of it is on its way here: `document` and what was told are what every member has. */
  isDocumentSettled(name: DocumentName): boolean {
    return this.replica.log.unreadable(documentLba(name), 1) === undefined;
  }

  /**
   * Reads, decides and writes a document while nothing of the device changes on any member: changes under way have ended
   * before, and those that wait begin after. `decide` answers with the new bytes, or undefined to leave it as it is.
   * This node has been told of the change (`onDocument`) when `done` is called, the others hear of it before they change
   * anything.
   */
  changeDocument(
    ticket: Ticket,
    name: DocumentName,
    decide: (before: Uint8Array | undefined) => Uint8Array | undefined,
    done: (result: Result<void, DeviceFault>) => void,
  ): void {
    this.#documents.change(ticket, name, (before) => ok(decide(before)), done);
  }

  /** As everywhere, as far as this node has heard. */
  get settings(): Settings {
    return this.#documents.settings.now;
  }

  /** Whether what was answered may be in caches alone, here or elsewhere. */
  get writeCache(): WriteCache {
    const isAlone = (this.replica.installed?.members.length ?? 0) <= 1;
    return !isAlone && this.#documents.settings.mayHoldBack ? 'back' : 'through';
  }

  /**
   * An administrator changes settings of the device: answers when all members act on them, or a fault, and nothing has
   * changed (`unavailable`: it may have, or may still). Caches are flushed before the policy becomes `through`.
   */
  changeSettings(
    ticket: Ticket,
    change: Partial<Settings>,
    done: (result: Result<void, DeviceFault | SettingsFault>) => void,
  ): void {
    this.#documents.changeSettings(ticket, change, done);
  }

  /** What this copy is part of, as long as it is to this copy. */
  get geometry(): Geometry {
    return this.#copy.geometry;
  }

  /**
   * An administrator makes the device larger, in blocks: answers when it is so on every node that serves it, or why not, as
   * a clause for people, and nothing has changed (unless the clause says that this is not known).
   */
  grow(blockCount: number): Promise<Result<void, string>> {
    return this.#growth.grow(blockCount);
  }

  /** This node is going to be one of these replicas of a device of so many blocks; else a clause (`Growth.makeRoom`). */
  makeRoom(blockCount: number, replicas: readonly number[]): Promise<string | undefined> {
    const partners = replicas.filter((node) => node !== this.#options.self);
    return this.#growth.makeRoom(blockCount, partners);
  }

  /** The node had everything once, as far as the history goes. */
  wasMember(node: number): boolean {
    return this.#records.history.some(({ members }) => members.includes(node));
  }

  /** An administrator gives another node a copy (`ReplicaChanges.add`). */
  addReplica(node: number): Promise<Result<void, string>> {
    return this.#replicaChanges.add(node);
  }

  /** … or takes one away (`ReplicaChanges.remove`). */
  removeReplica(node: number): Promise<Result<void, string>> {
    return this.#replicaChanges.remove(node);
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
    const pending = this.replica.pending();
    await this.settled();
    if (this.#isOver) return false;
    this.#isOver = true;
    // Nothing has begun since the last stop: its records still say what they said.
    if (!this.#acceptance.hasStarted) return this.#records.shutdown === 'inOrder';
    return this.#acceptance.stop(pending, this.membership.hasFailed);
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
    await this.#copy.settled();
    await this.#records.settled();
  }

  /** Nothing of this object happens any more: its process has died, or its copy is opened again. */
  abandon(): void {
    this.#isOver = true;
    this.#growth.stop();
    this.#replicaChanges.stop();
    this.#route.close();
  }

  #tick(): void {
    if (this.#isOver) return;
    const { clock, dropSessions } = this.#options.ports;
    const now = clock.now();
    const stoodFor = this.#standstill.beat();
    if (stoodFor !== undefined) dropSessions(`the process stood still for ${Math.round(stoodFor)} ms`);
    clock.after(BEAT_MS, () => this.#tick());
    const oldest = this.replica.copy.oldestAt;
    if (oldest !== undefined && now - oldest > SLOW_MS) this.#fail('its medium has stopped answering');
    const { savingSince } = this.#records;
    if (savingSince !== undefined && now - savingSince > SLOW_MS) {
      this.#fail('the disk with its records has stopped answering');
      this.membership.retire('its records cannot be written');
    }
    this.membership.tick();
    this.#growth.tick();
    this.#replicaChanges.tick();
    this.replica.tick();
  }

  #replicaPorts(): ConstructorParameters<typeof Replica>[1] {
    const { ports } = this.#options;
    return {
      clock: ports.clock,
      trace: ports.trace,
      store: this.#copy,
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
      documentReadable: (name, bytes, revision) => {
        if (!this.#isOver) this.#documents.told.readable(name, bytes, revision);
      },
      makeRoom: (blockCount) => this.#growth.makeRoom(blockCount),
      onCopyFailed: (fault) => this.#fail(faultText(fault)),
    };
  }

  #membershipPorts(): MembershipPorts<Handover> {
    const { ports, site } = this.#options;
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
          nodes: configuration.replicas ?? site.nodes,
          ...this.#copy.geometry,
          growsTo: this.#growth.with(choice.base, configuration),
          settings: this.settings,
          writesUnlogged: this.#acceptance.policy === 'through' && this.#options.journal !== 'continuous',
        }),
      accept: (proposal, standing) => this.#accept(proposal, standing),
      install: (configuration, standing) => this.#install(configuration, standing),
      standBack: (reason) => {
        ports.trace('warn', 'mirror.stoodBack', { reason });
        this.replica.refuseAll(reason);
        ports.onChanged();
      },
      writesBack: () => this.#documents.settings.writesBack,
      firsts: () => this.#documents.settings.firsts,
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
    if (name === 'settings') this.#applyPolicy();
    // It has been seen as changed, and may be durable: that cannot be taken back.
    return then(this.#records.save(), (saved) => {
      if (saved.ok) return DONE;
      this.#fail('its superblock could not be written');
      return fail(RECORDS_FAULT);
    });
  }

  #applyPolicy(): void {
    const { installed } = this.membership;
    // The next configuration looks for itself, and has to know what the last one kept in caches.
    if (installed !== undefined) this.#acceptance.applyPolicy(installed.members);
  }

  #onDocument(name: DocumentName, bytes: Uint8Array | undefined): void {
    const { ports } = this.#options;
    if (name === 'settings') {
      this.membership.order = this.#documents.settings.order;
      this.#applyPolicy();
      ports.onChanged();
    }
    ports.onDocument(name, bytes);
    if (name === 'size') ports.onChanged();
  }

  #report(withHandover: boolean): CopyReport<Handover> {
    const { wasStopped, found, isBlank, history } = this.#records;
    const { hasStarted } = this.#acceptance;
    return {
      wasStopped: wasStopped && !hasStarted,
      wasWrittenOut: found === 'writtenOut' && !hasStarted,
      isBlank,
      history,
      hasKept: this.divergence.hasKept,
      handover: withHandover ? this.#knowledge.handover(this.replica, hasStarted) : undefined,
    };
  }

  async #accept(proposal: Proposal<Handover>, standing: Standing): Promise<boolean> {
    this.divergence.hasKept = false;
    const accepted = await this.#acceptance.accept(proposal, () => this.#save(standing));
    return accepted.ok || (accepted.fault !== undefined && this.#fail(accepted.fault));
  }

  async #install(configuration: Configuration, standing: Standing): Promise<void> {
    if (this.#isOver) return;
    this.#acceptance.install(configuration, standing);
    this.#growth.installed(configuration.term);
    this.#replicaChanges.installed(configuration);
    this.#options.ports.onChanged();
    // So that who is alone knows after a restart that it need not ask anyone.
    await this.#save(standing);
  }

  #fail(reason: string): false {
    if (this.#isOver || this.membership.hasFailed) return false;
    this.#options.ports.trace('error', 'mirror.copy.failed', { reason });
    this.membership.fail(reason);
    this.#growth.stop();
    this.#replicaChanges.stop();
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
