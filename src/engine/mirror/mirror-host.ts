/**
 * One mirrored device on this node, for as long as it is configured: its copy is opened, serves or votes, fails, and is
 * opened again when its disks are still. A witness is one that has no copy.
 *
 *   start ──► open (records are read) ──► running ──copy failed──► votes on; REOPEN_MS later: still ──► open again
 *                                            └──stop──► stopped in order, or not
 *
 * Invariant: of one copy at most one MirrorNode is alive; the next begins when everything of the last has ended.
 */

import { assert } from '../../base/assert.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Uuid } from '../../base/uuid.ts';
import { type Site, votersOf } from '../../cluster/configuration.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import type { GrowableDevice } from '../../ports/block-device.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Crc32c, Crypto } from '../../ports/crypto.ts';
import type { Disk } from '../../ports/disk.ts';
import type { PartnerNetwork } from '../../ports/partner-network.ts';
import type { Trace } from '../../ports/trace.ts';
import type { VoteStore } from '../../ports/vote-store.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import { hexText } from '../hex.ts';
import { decodeSize } from './size.ts';
import type { MirrorDevice } from './mirror-device.ts';
import { MirrorNode } from './mirror-node.ts';
import { type LinkStatistics, type PartnerEvents, PartnerLinks } from './partner-links.ts';
import type { MirrorState } from './state.ts';
import type { OnDocument } from './told-documents.ts';
import { MirrorWire } from './wire.ts';

export interface MirrorHostOptions {
  readonly self: number;
  readonly device: Uuid;
  readonly copyId: Uuid;
  /** What is served of it. */
  readonly served: MirrorDevice;
  readonly site: Site;
  /** All other nodes of the cluster: any of them may have a copy, or get one. */
  readonly neighbours: readonly number[];
  readonly policy: WritePolicy;
  readonly journal: JournalStrategy;
  readonly slotCount: number;
  /** Inside a machine whose clock may stand still. */
  readonly confirmsReads: boolean;
  /** The copy; of a witness: memory of the same size, which nothing is written to. */
  readonly store: GrowableDevice;
  /** Of a copy that is made now; the records of one that is there say more. */
  readonly blockCount: number;
  /** Superblock and journal. */
  readonly records: Disk;
  /** What is in memory only of the copy goes to its disk, as far as that takes it; then nothing is under way there. */
  letGo(): Promise<void>;
  /** Opens the disks beneath both again, after the copy has failed; the fault is a clause for people. */
  reopen(): Promise<Result<void, string>>;
  readonly votes: VoteStore | undefined;
  readonly ports: MirrorHostPorts;
}

export interface MirrorHostPorts {
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly crc32c: Crc32c;
  readonly trace: Trace;
  /** The device's links to its partners, none of them in use. */
  openNetwork(): PartnerNetwork;
  /** Of a process: unlike any other and above those before, on this node. The fault is a clause for people. */
  nextIncarnation(): Result<number, string>;
  readonly events: MirrorEvents;
}

/** What the logical unit in front of the device has to know. */
export interface MirrorEvents {
  /** Before anything of the node happens. */
  attached(node: MirrorNode): void;
  detached(): void;
  /** Whatever initiators have sent so far is not looked at any more. */
  dropSessions(reason: string): void;
  /** What initiators are told may have changed. */
  onChanged(): void;
  readonly onDocument: OnDocument;
}

/** A disk that has failed gets this long before it is tried again, and longer each time. */
const REOPEN_MS = 3000;
const REOPEN_MS_MAX = 60_000;
/** Served for so long, a copy counts as sound again. */
const SOUND_MS = 60_000;

interface Running {
  readonly node: MirrorNode;
  readonly links: PartnerLinks;
}

export class MirrorHost {
  readonly #options: MirrorHostOptions;
  #running: Running | undefined;
  /** Why the copy takes no part; undefined: it does. */
  #failure: string | undefined;
  #openedAt = 0;
  #delayMs = REOPEN_MS;
  #isStopping = false;
  #opening: Promise<void> | undefined;
  /** Initiators may have been told how large the device is. */
  #isSized = false;
  /** Nodes that are to get a copy. */
  readonly #candidates = new Set<number>();

  constructor(options: MirrorHostOptions) {
    this.#options = options;
  }

  get node(): MirrorNode | undefined {
    return this.#running?.node;
  }

  get state(): MirrorState | undefined {
    return this.#running?.node.state;
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  get links(): readonly LinkStatistics[] {
    return this.#running?.links.statistics ?? [];
  }

  /** Answers when the records were read; what is wrong with them is a sentence. */
  async start(): Promise<Result<void, string>> {
    return this.#open();
  }

  /** As `MirrorNode.grow`, in bytes. */
  async grow(bytes: number): Promise<Result<void, string>> {
    const { node } = this;
    const { blockLength } = this.#options.store.geometry;
    if (node === undefined) return fail('the copy of this node is not open: ask another node');
    assert(bytes % blockLength === 0, 'whole blocks');
    return node.grow(bytes / blockLength);
  }

  /** This node is to get a copy: it is looked for from now on. */
  meet(node: number): void {
    this.#candidates.add(node);
  }

  /** Sessions are over before. True: the next start may rely on what is on the disks. */
  async stop(): Promise<boolean> {
    this.#isStopping = true;
    await this.#opening;
    const running = this.#running;
    if (running === undefined) return false;
    this.#detach();
    const isClean = await running.node.stop();
    running.node.abandon();
    running.links.close();
    this.#running = undefined;
    return isClean;
  }

  async #open(): Promise<Result<void, string>> {
    const { device, self, site, records, store, copyId, votes, ports } = this.#options;
    const { clock, crypto, trace, events } = ports;
    const numbered = ports.nextIncarnation();
    if (!numbered.ok) return numbered;
    const incarnation = numbered.value;
    /** There are none before the node is there. */
    const ways: { links?: PartnerLinks } = {};
    const node = await MirrorNode.open({
      self,
      device,
      site,
      neighbours: this.#options.neighbours,
      incarnation,
      policy: this.#options.policy,
      journal: this.#options.journal,
      slotCount: this.#options.slotCount,
      confirmsReads: this.#options.confirmsReads,
      store,
      blockCount: this.#options.blockCount,
      records,
      copyId,
      votes,
      ports: {
        clock,
        trace,
        random: () => randomOf(crypto),
        newId: () => hexText(crypto.randomBytes(16)),
        digest: (data) => hexText(crypto.digest('sha256', data)),
        sendBeat: (to, beat) => ways.links?.sendDatagram(to, beat),
        sendControl: (to, message, onSync) => {
          if (onSync) ways.links?.send(to, { kind: 'control', message });
          else ways.links?.sendDatagram(to, message);
        },
        sendReplica: (to, message) => ways.links?.send(to, { kind: 'replica', message }),
        isCongested: (to) => ways.links?.isCongested(to) ?? false,
        dropSessions: (reason) => events.dropSessions(reason),
        onFailed: (reason) => this.#failed(reason),
        onChanged: () => events.onChanged(),
        onDocument: (name, bytes) => {
          const size = name === 'size' ? decodeSize(bytes) : undefined;
          if (size !== undefined) this.#resized(size);
          events.onDocument(name, bytes);
        },
      },
    });
    if (node === undefined) return fail('its records cannot be read, or a later version has written them');
    const links = this.#linksOf(node, incarnation);
    ways.links = links;
    this.#running = { node, links };
    this.#openedAt = clock.now();
    this.#failure = undefined;
    // Later it is told, with the first configuration: what records say may never have been everywhere.
    if (!this.#isSized) this.#resized(node.geometry.blockCount);
    this.#options.served.attach(node);
    events.attached(node);
    return ok(undefined);
  }

  #linksOf(node: MirrorNode, incarnation: number): PartnerLinks {
    const { self, device, ports } = this.#options;
    const { clock, trace, crc32c } = ports;
    return new PartnerLinks({
      self,
      device,
      incarnation,
      network: ports.openNetwork(),
      clock,
      trace,
      createWire: () => new MirrorWire({ sender: { node: self, device }, device: node, crc32c }),
      isWanted: (partner) => this.#isWanted(node, partner),
      events: this.#eventsOf(node),
    });
  }

  #resized(blockCount: number): void {
    this.#isSized = true;
    this.#options.served.resized(blockCount);
  }

  #detach(): void {
    this.#options.served.detach();
    this.#options.ports.events.detached();
  }

  /** Whoever has no copy does not know who has one now, and who had one must hear soon that it has it no more. */
  #isWanted(node: MirrorNode, partner: number): boolean {
    const { role, site, made } = node.membership;
    return (
      role === 'removed' ||
      [...votersOf(site), ...made.nodes, ...this.#candidates].includes(partner) ||
      node.wasMember(partner)
    );
  }

  #eventsOf(node: MirrorNode): PartnerEvents {
    return {
      onMessage: (from, message) => {
        if (message.kind === 'replica') node.onReplica(from, message.message);
        else node.onControl(from, message.message);
      },
      onDatagram: (from, message, on, answer) => {
        if (message.kind === 'beat') {
          const answered = node.onBeat(from, message, on === 'sync');
          if (answered !== undefined) answer(answered);
        } else if (message.kind === 'beatAnswer') node.onBeatAnswer(from, message);
        else node.onControl(from, message);
      },
    };
  }

  #failed(reason: string): void {
    const { clock, events } = this.#options.ports;
    this.#failure = reason;
    events.dropSessions(reason);
    if (clock.now() - this.#openedAt > SOUND_MS) this.#delayMs = REOPEN_MS;
    clock.after(this.#delayMs, () => void this.#reopen());
    this.#delayMs = Math.min(2 * this.#delayMs, REOPEN_MS_MAX);
  }

  async #reopen(): Promise<void> {
    const running = this.#running;
    if (running === undefined || this.#isStopping) return;
    const { events } = this.#options.ports;
    await running.node.settled();
    await this.#options.letGo();
    if (this.#isStopping) return;
    this.#detach();
    events.dropSessions('the copy of this node is opened again');
    running.node.abandon();
    running.links.close();
    this.#running = undefined;
    await running.node.settled();
    // What waits to begin there never will; and no session ends before its last command.
    running.node.replica.refuseAll('the copy of this node is opened again');
    this.#openAgain();
  }

  /** Until that succeeds, more and more seldom. */
  #openAgain(): void {
    if (this.#isStopping) return;
    const { clock, trace } = this.#options.ports;
    this.#opening = this.#reopenDisks().then((opened) => {
      if (opened.ok) return;
      this.#failure = `it could not be opened again: ${opened.fault}`;
      trace('error', 'mirror.notReopened', { cause: opened.fault });
      clock.after(this.#delayMs, () => this.#openAgain());
      this.#delayMs = Math.min(2 * this.#delayMs, REOPEN_MS_MAX);
    });
  }

  async #reopenDisks(): Promise<Result<void, string>> {
    const reopened = await this.#options.reopen();
    if (!reopened.ok || this.#isStopping) return reopened;
    return this.#open();
  }
}

const RANDOM_BYTES = 4;

function randomOf(crypto: Crypto): number {
  const bytes = crypto.randomBytes(RANDOM_BYTES);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** (8 * RANDOM_BYTES);
}
