/**
 * One simulated machine of the mirror: its disks outlive its processes; a process has the mirror's node, its links and the
 * sessions of initiators.
 *
 *   down ──start──► opening (records are read) ──► running ──crash──► down
 *                                                     └──copy failed──► it votes on; opened again after a while
 */

import { assert } from '../../src/base/assert.ts';
import type { Prng } from '../../src/base/prng.ts';
import { NO_UUID } from '../../src/base/uuid.ts';
import { type Configuration, votersOf, witnessOf } from '../../src/cluster/configuration.ts';
import { MEMBERS_MAX } from '../../src/cluster/fields.ts';
import type { PartnerWire } from '../../src/engine/mirror/frame-connection.ts';
import type { CachedStore } from '../../src/engine/cached-store.ts';
import { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import { PartnerLinks } from '../../src/engine/mirror/partner-links.ts';
import { decodeSize } from '../../src/engine/mirror/size.ts';
import type { ChannelMessage, Datagram } from '../../src/engine/mirror/wire.ts';
import type { LinkKind } from '../../src/ports/partner-network.ts';
import { decodeSettings, type Settings } from '../../src/engine/mirror/settings.ts';
import type { Ticket } from '../../src/ports/block-device.ts';
import type { DocumentName } from '../../src/replication/operation.ts';
import type { Sized } from '../../src/replication/operation-wire.ts';
import type { HeldDocuments } from '../checkers/documents.ts';
import { isHealthy, type SimulatedDisk } from '../disk.ts';
import { createDiskPort, type DiskPort } from '../disk-port.ts';
import type { Host } from '../host.ts';
import type { Link } from '../link.ts';
import type { Answer, Command, Session } from '../storage.ts';
import type { StreamEnd, StreamHandlers } from '../stream.ts';
import type { SimulatedVotes } from '../vote-store.ts';
import type { FrontParts } from '../world.ts';
import { CopyContent } from './copy-content.ts';
import { openCopyStore } from './copy-store.ts';
import { MirrorCommands } from './mirror-commands.ts';
import { BLOCK_LENGTH, DEVICE, DEVICE_BLOCKS, DEVICE_BLOCKS_MAX, recordSectors } from './mirror-layout.ts';
import { createCodingWire, createPlainWire } from './mirror-carrier.ts';
import { SimulatedPartners } from './mirror-links.ts';
import { type MirrorSite, settingsText } from './mirror-site.ts';
import { leftovers, newRecords } from './new-copy.ts';
import { encodeReset, resetsOf } from './resets.ts';
import { HostSessions } from './host-sessions.ts';

export interface MirrorHostOptions {
  readonly parts: FrontParts;
  readonly host: Host;
  readonly drawn: MirrorSite;
  /** The stored vote of the witness, or what the arbiter knows. */
  readonly votes: SimulatedVotes;
  readonly random: Prng;
  readonly digest: (data: readonly Uint8Array[]) => string;
}

interface Process {
  readonly node: MirrorNode;
  readonly store: CachedStore;
}

const SLOTS = 16;
const REOPEN_MS = 3000;
const LONG_CHANCE = 0.3;
const DISK_SOURCE = 1_000;

export class MirrorHost {
  /** As replica or witness: from 1. */
  readonly number: number;
  readonly disks: readonly SimulatedDisk<unknown>[];
  readonly content: CopyContent;
  readonly #options: MirrorHostOptions;
  readonly #data: DiskPort;
  readonly #records: DiskPort;
  /** The medium of its copy is longer than the device is made. */
  readonly #isLong: boolean;
  /** As the node of the process knows; before there is one, nobody listens. */
  readonly #sized: Sized;
  /** Blocks of the device, as the process of this start was told. */
  #toldBlocks = 0;
  #partners: SimulatedPartners | undefined;
  #links: PartnerLinks | undefined;
  /** Of the process, however often its copy is opened again. */
  #store: CachedStore | undefined;
  #process: Process | undefined;
  readonly #sessions: HostSessions;
  #incarnation = 0;
  #starts = 0;
  #isStopping = false;
  /** The last reset that the process of this start was told of. */
  #toldResets = 0;
  #toldStart = 0;

  constructor(options: MirrorHostOptions) {
    this.#options = options;
    const { host, parts, drawn } = options;
    this.number = host.id + 1;
    this.#sessions = new HostSessions(host.clock);
    const { nodes } = drawn.site;
    const disk = (source: number, sectorCount: number, sectorsMax: number): DiskPort =>
      createDiskPort({
        source,
        host,
        scheduler: parts.scheduler,
        random: options.random.fork(`disk ${source}`),
        trace: parts.trace,
        sectorCount,
        sectorsMax,
        latencyMs: { read: 0.1, write: 0.1, flush: 1 },
      });
    this.#isLong = options.random.fork('length').chance(LONG_CHANCE);
    this.#data = disk(DISK_SOURCE, this.#isLong ? DEVICE_BLOCKS_MAX : DEVICE_BLOCKS, DEVICE_BLOCKS_MAX);
    this.#records = disk(
      DISK_SOURCE + 1,
      recordSectors(DEVICE_BLOCKS, nodes.length),
      recordSectors(DEVICE_BLOCKS_MAX, MEMBERS_MAX),
    );
    this.disks = [this.#data.device, this.#records.device];
    const any = { blockLength: BLOCK_LENGTH, blockCount: DEVICE_BLOCKS_MAX } as const;
    const geometryNow = (): Sized['geometry'] => this.#process?.node.geometry ?? any;
    this.#sized = {
      get geometry() {
        return geometryNow();
      },
    };
    const { medium } = this.#data.device;
    this.content = new CopyContent({ ...drawn, medium, shape: parts.shape, process: () => this.#process });
  }

  /** The configuration in which this node serves now. */
  get serves(): Configuration | undefined {
    const { node } = this.#process ?? {};
    return node?.membership.role === 'serving' && node.state.isServing ? node.state.configuration : undefined;
  }

  /** Undefined while the process is down, or its records are being read. */
  get mirror(): MirrorNode | undefined {
    return this.#process?.node;
  }

  /** No fault lies on its disks. */
  get isHealthy(): boolean {
    return this.disks.every(({ conditions }) => isHealthy(conditions));
  }

  /** It runs, and has no copy of the device. */
  get isApart(): boolean {
    const { membership } = this.#process?.node ?? {};
    if (membership === undefined) return false;
    return membership.role === 'removed' || membership.standing.accepted.term === 0;
  }

  /** For the administrator: all are there and nobody serves. */
  get seesAllAndWaits(): boolean {
    const { node } = this.#process ?? {};
    if (node === undefined) return false;
    const { membership } = node;
    const { hasStoredVote } = this.#options.drawn;
    const { site } = membership;
    const voters = votersOf(site);
    const now = this.#options.host.clock.now();
    return (
      membership.role !== 'serving' &&
      membership.role !== 'failed' &&
      voters.every((voter) => {
        // Whether a vote in a store is reached now is not waited for.
        const isStored = hasStoredVote && voter === witnessOf(site);
        return isStored || membership.peers.isJoined(voter, now);
      })
    );
  }

  get accepted(): number {
    const { node } = this.#process ?? {};
    return node?.membership.standing.accepted.term ?? 0;
  }

  force(): void {
    this.#options.parts.trace.note('operator.force', this.#options.host.id);
    this.#process?.node.membership.proposer.force();
  }

  get isIdle(): boolean {
    const { node } = this.#process ?? {};
    if (node === undefined) return true;
    return node.replica.writes.inFlight === 0 && node.replica.log.all().every((m) => m.isReadable);
  }

  /** Writes the records of a new device. */
  format(first: Configuration): void {
    const { drawn } = this.#options;
    const isSpare = drawn.spares.includes(this.number);
    if (!isSpare) this.#records.device.medium.replace(newRecords(this.number, first, drawn));
    if (this.#isLong) this.leaveBehind();
  }

  /** The medium of the copy is longer than the device, and holds something behind its end. */
  leaveBehind(): void {
    const { medium } = this.#data.device;
    const content = leftovers(this.#options.random.fork('leftovers'));
    medium.replace(new Map([...medium.snapshot(), ...content]));
    this.#data.lengthen(DEVICE_BLOCKS_MAX);
  }

  start(): void {
    const { host, parts } = this.#options;
    const start = ++this.#starts;
    // Grows with time, also over restarts.
    this.#incarnation = Math.floor(parts.scheduler.now() * 1000) + 1;
    this.#partners = new SimulatedPartners(host, parts.network);
    this.#links = new PartnerLinks({
      self: this.number,
      device: DEVICE,
      incarnation: this.#incarnation,
      network: this.#partners,
      clock: host.clock,
      trace: (_level, event, fields) => parts.trace.explain(event, host.id, fields ?? {}),
      createWire: () => this.#createWire(),
      events: {
        onMessage: (from, message) => this.#onMessage(from, message),
        onDatagram: (from, message, on, answer) => this.#onDatagram(from, message, on, answer),
      },
    });
    void this.#open(start);
    this.#sessions.guard(() => start === this.#starts);
  }

  /** In order, as a service manager does; then it starts again, if nothing else has come in between. */
  async stopInOrder(forMs: number): Promise<boolean> {
    const start = this.#starts;
    const { node } = this.#process ?? {};
    if (node === undefined) return false;
    this.#sessions.drop();
    this.#isStopping = true;
    const isClean = await node.stop();
    this.#isStopping = false;
    if (start !== this.#starts) return false;
    this.#links?.close();
    this.#stop();
    this.#end();
    const stopped = this.#starts;
    this.#options.host.clock.after(forMs, () => {
      if (stopped === this.#starts) this.start();
    });
    return isClean;
  }

  crash(how: 'process' | 'power'): void {
    this.#stop();
    this.#end();
    this.#data.device.crash(how);
    this.#records.device.crash(how);
  }

  // ── Initiators ──

  open(session: Session, drop: () => void): boolean {
    const isWitness = this.number === witnessOf(this.#options.drawn.site);
    if (this.#process === undefined || this.#isStopping || isWitness) return false;
    this.#sessions.open(session, drop);
    return true;
  }

  heard(session: Session): void {
    if (this.#process?.node.stoodStill === true) this.#sessions.drop();
    this.#sessions.heard(session);
  }

  closeSession(session: Session): void {
    this.#sessions.close(session);
  }

  submit(session: Session, device: number, command: Command, answer: (answer: Answer) => void): void {
    const process = this.#process;
    if (process === undefined || !this.#sessions.has(session)) return;
    const { node } = process;
    const { host, parts } = this.#options;
    const ticket = {
      arrivedAt: host.clock.now(),
      isAlive: () => this.#sessions.has(session) && this.#process === process,
    };
    const commands = new MirrorCommands(
      node,
      parts.shape,
      () => this.#served(node),
      () => this.#toldBlocks,
    );
    commands.perform(session, ticket, device, command, (result) => {
      if (this.#sessions.has(session)) answer(result);
    });
  }

  // ── An administrator ──

  /** False: there is nobody to ask. */
  changeSettings(settings: Settings, done: (isDone: boolean) => void): boolean {
    const { node } = this.#process ?? {};
    node?.changeSettings(this.#ticket(node), settings, (result) => done(result.ok));
    return node !== undefined;
  }

  /** `done` is told the number of the reset, if it went well. */
  resetUnit(done: (number: number) => void): void {
    const { node } = this.#process ?? {};
    if (node === undefined) return;
    let number = 0;
    const decide = (before: Uint8Array | undefined): Uint8Array => {
      number = resetsOf(before) + 1;
      return encodeReset(number, this.number);
    };
    node.changeDocument(this.#ticket(node), 'reset', decide, (result) => {
      if (result.ok) done(number);
    });
  }

  /** As it holds them. */
  get documents(): HeldDocuments {
    const { node } = this.#process ?? {};
    const settings = settingsText(decodeSettings(node?.document('settings')), this.#options.drawn);
    return { node: this.#options.host.id, settings, resets: resetsOf(node?.document('reset')) };
  }

  /** False: there is nobody to ask. */
  grow(blockCount: number, done: (isDone: boolean) => void): boolean {
    const { node } = this.#process ?? {};
    void node?.grow(blockCount).then(({ ok }) => done(ok));
    return node !== undefined;
  }

  /** False: there is nobody to ask. */
  changeReplica(kind: 'add' | 'remove', other: number, done: (isDone: boolean) => void): boolean {
    const { node } = this.#process ?? {};
    const changed = kind === 'add' ? node?.addReplica(other) : node?.removeReplica(other);
    void changed?.then(({ ok }) => done(ok));
    return node !== undefined;
  }

  /** Who has a copy, as it knows. */
  get replicas(): readonly number[] {
    return this.#process?.node.membership.site.nodes.toSorted((a, b) => a - b) ?? [];
  }

  /** Of the device, as its copy has recorded. */
  get blockCount(): number {
    return this.#process?.node.geometry.blockCount ?? 0;
  }

  #ticket(node: MirrorNode): Ticket {
    const arrivedAt = this.#options.host.clock.now();
    return { arrivedAt, isAlive: () => this.#process?.node === node };
  }

  #onDocument(start: number, name: DocumentName, bytes: Uint8Array | undefined): void {
    if (name === 'size') this.#toldBlocks = decodeSize(bytes) ?? this.#toldBlocks;
    if (name !== 'reset') return;
    const number = resetsOf(bytes);
    if (start !== this.#toldStart) this.#toldResets = 0;
    this.#toldStart = start;
    assert(number > this.#toldResets, 'each reset is told once, and in order');
    this.#toldResets = number;
  }

  // ── Other nodes ──

  onConnection(end: StreamEnd): StreamHandlers | undefined {
    return this.#partners?.accept(end);
  }

  onDatagram(link: Link, datagram: unknown): void {
    this.#partners?.receive(link, datagram);
  }

  #createWire(): PartnerWire {
    const sender = { node: this.number, device: DEVICE };
    return this.#options.drawn.carriage === 'asObjects'
      ? createPlainWire(sender)
      : createCodingWire(sender, this.#sized);
  }

  async #open(start: number): Promise<void> {
    const { drawn, host, parts, random, digest, votes } = this.#options;
    const madeOf = [...drawn.site.nodes, ...drawn.spares.filter((node) => node === this.number)];
    for (const disk of [this.#data, this.#records]) disk.reopen();
    const store = (this.#store ??= openCopyStore(this.#data, host.clock, drawn, this.content));
    const node = await MirrorNode.open({
      self: this.number,
      device: DEVICE,
      site: { ...drawn.site, nodes: madeOf },
      neighbours: [...drawn.site.nodes, ...drawn.spares].filter((node) => node !== this.number),
      incarnation: this.#incarnation,
      policy: drawn.policy,
      journal: drawn.journal,
      slotCount: SLOTS,
      confirmsReads: drawn.confirmsReads,
      store: store.device,
      blockCount: DEVICE_BLOCKS,
      records: this.#records,
      copyId: NO_UUID.replace(/0$/, 'c'),
      votes: drawn.site.strategy.kind === 'heartbeat' || drawn.hasStoredVote ? votes.of(host) : undefined,
      ports: {
        clock: host.clock,
        trace: (_level, event, fields) => parts.trace.explain(event, host.id, fields ?? {}),
        random: () => random.next(),
        newId: () =>
          random
            .integer(0, 2 ** 50)
            .toString(16)
            .padStart(32, '0'),
        digest,
        sendBeat: (to, beat) => this.#links?.sendDatagram(to, beat),
        sendControl: (to, message, onSync) => {
          if (onSync) this.#links?.send(to, { kind: 'control', message });
          else this.#links?.sendDatagram(to, message);
        },
        sendReplica: (to, message) => this.#links?.send(to, { kind: 'replica', message }),
        isCongested: (to) => this.#links?.isCongested(to) ?? false,
        dropSessions: () => this.#sessions.drop(),
        onFailed: () => this.#failed(start),
        onChanged: () => parts.stir(),
        onDocument: (name, bytes) => this.#onDocument(start, name, bytes),
      },
    });
    if (start !== this.#starts) return node?.abandon();
    if (node === undefined) return this.#failed(start);
    this.#toldBlocks = node.geometry.blockCount;
    this.#process = { node, store };
  }

  #stop(): void {
    this.#starts += 1;
    this.#isStopping = false;
    this.#process?.node.abandon();
    this.#process = undefined;
    this.#partners?.abandon();
    this.#partners = undefined;
    this.#links = undefined;
    this.#sessions.clear();
  }

  /** With the process everything in its memory goes. */
  #end(): void {
    void this.#store?.cache.abandon();
    this.#store = undefined;
  }

  /** The node says so for a while, and votes; then, when its disks are still, everything is opened again. */
  #failed(start: number): void {
    if (start !== this.#starts) return;
    this.#sessions.drop();
    this.#options.host.clock.after(REOPEN_MS, () => void this.#reopen(start));
  }

  async #reopen(start: number): Promise<void> {
    if (start !== this.#starts) return;
    const { node } = this.#process ?? {};
    await node?.settled();
    await this.#store?.letGo();
    if (start !== this.#starts) return;
    this.#sessions.drop();
    this.#links?.close();
    this.#stop();
    const stopped = this.#starts;
    await node?.settled();
    if (stopped === this.#starts) this.start();
  }

  #onMessage(from: number, message: ChannelMessage): void {
    const { node } = this.#process ?? {};
    if (node === undefined) return;
    if (message.kind === 'replica') node.onReplica(from, message.message);
    else node.onControl(from, message.message);
  }

  #onDatagram(from: number, message: Datagram, on: LinkKind, answer: (message: Datagram) => void): void {
    const { node } = this.#process ?? {};
    if (node === undefined) return;
    if (message.kind === 'beat') {
      const reply = node.onBeat(from, message, on === 'sync');
      if (reply !== undefined) answer(reply);
    } else if (message.kind === 'beatAnswer') {
      node.onBeatAnswer(from, message);
    } else {
      node.onControl(from, message);
    }
  }

  /** What was confirmed is answered a little later, perhaps after a pause in which others went on: that is no harm. */
  #served(node: MirrorNode): void {
    if (this.#options.drawn.confirmsReads) return;
    const { parts } = this.#options;
    const { configuration } = node.state;
    parts.observe({
      kind: 'served',
      node: this.#options.host.id,
      device: 0,
      epoch: configuration.term,
      epochId: Number.parseInt(configuration.id.slice(-13), 16),
    });
  }
}
