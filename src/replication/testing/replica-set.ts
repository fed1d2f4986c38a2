/**
 * Replicas of one device whose messages wait until a test delivers them, over stores that answer when told. Who may
 * serve is what the test says.
 */

import { DONE, type MaybeAsync, type Result } from '../../base/result.ts';
import { lengthOf } from '../../base/segments.ts';
import { DirtyMap } from '../../journal/dirty-map.ts';
import type { DeviceFault } from '../../ports/block-device.ts';
import type { ReplicaBody, ReplicaMessage } from '../messages.ts';
import type { Operation } from '../operation.ts';
import type { Installed, ReplicaJournal, ReplicaPorts, WritePolicy } from '../ports.ts';
import { Replica } from '../replica.ts';
import { BLOCK, filled, HeldStore, turns } from './held-store.ts';
import { ManualClock } from './manual-clock.ts';

export const BLOCKS = 64;

interface Sent {
  readonly from: number;
  readonly to: number;
  readonly message: ReplicaMessage;
}

/** What a journal was told, and what its answers are. */
class FakeJournal implements ReplicaJournal {
  hasLog = false;
  readonly maps = new Map<number, DirtyMap>();
  /** 'before 3+1', 'written 3+1 durable', 'seal', 'confirm 2', … */
  readonly calls: string[] = [];
  /** Answers `beforeWrite`. */
  before: () => MaybeAsync<Result<void, { kind: 'ioError'; operation: 'write'; offset: 0; cause: 'EIO' }>> =
    () => DONE;

  beforeWrite(lba: number, blocks: number) {
    this.calls.push(`before ${lba}+${blocks}`);
    return this.before();
  }

  written(lba: number, blocks: number, end: string): void {
    this.calls.push(`written ${lba}+${blocks} ${end}`);
  }

  sealUnflushed(): void {
    this.calls.push('seal');
  }

  confirmUnflushed(partner: number): void {
    this.calls.push(`confirm ${partner}`);
  }

  abandonUnflushed(): void {
    this.calls.push('abandon');
  }

  mapOf(partner: number): DirtyMap | undefined {
    return this.maps.get(partner);
  }

  brought(partner: number, lba: number, blocks: number): void {
    this.calls.push(`brought ${partner} ${lba}+${blocks}`);
  }

  saveProgress() {
    return Promise.resolve({ ok: true, value: false } as const);
  }
}

export class Node {
  readonly replica: Replica;
  readonly store = new HeldStore(BLOCKS);
  readonly journal = new FakeJournal();
  readonly documents: string[] = [];
  readonly told: string[] = [];
  readonly failures: DeviceFault[] = [];
  readonly traced: string[] = [];
  mayServe = true;
  isCongested = false;
  records = 1;
  roomFor: (blockCount: number) => string | undefined = () => undefined;
  noted: () => MaybeAsync<Result<void, DeviceFault>> = () => DONE;

  constructor(set: ReplicaSet, self: number) {
    const ports: ReplicaPorts = {
      clock: set.clock,
      trace: (_level, event) => void this.traced.push(event),
      store: this.store,
      journal: this.journal,
      send: (to, body) => set.post(self, to, body),
      isCongested: () => this.isCongested,
      mayServe: () => this.mayServe && this.replica.installed?.members.includes(self) === true,
      noteWritten: () => this.noted(),
      recordFlush: () => Promise.resolve(this.records),
      saveDocument: (name, bytes, revision) => {
        this.documents.push(`${name} ${bytes.join()} ${revision}`);
        return DONE;
      },
      documentReadable: (name, bytes, revision) => void this.told.push(`${name} ${bytes.join()} ${revision}`),
      makeRoom: (blockCount) => Promise.resolve(this.roomFor(blockCount)),
      onCopyFailed: (fault) => void this.failures.push(fault),
      digest: (data) => `${lengthOf(data)} ${data.map((part) => part.join('')).join('')}`,
    };
    this.replica = new Replica(self, ports);
  }
}

export class ReplicaSet {
  readonly clock = new ManualClock();
  readonly nodes: ReadonlyMap<number, Node>;
  /** Not delivered yet. */
  sent: Sent[] = [];

  constructor(count: number) {
    this.nodes = new Map(Array.from({ length: count }, (_, at) => [at + 1, new Node(this, at + 1)]));
  }

  of(node: number): Node {
    return this.nodes.get(node)!;
  }

  /** A configuration of all, or of these members, everywhere. */
  install(
    term: number,
    { policy = 'through', ...more }: Partial<Installed> & { readonly policy?: WritePolicy } = {},
  ): this {
    const members = more.members ?? [...this.nodes.keys()];
    for (const [self, { replica }] of this.nodes) {
      const installed: Installed = {
        term,
        members,
        learners: [],
        source: members.at(-1)!,
        confirmsReads: false,
        ...more,
      };
      replica.copy.policy = policy;
      if (members.includes(self) || installed.learners.includes(self)) replica.install(installed);
    }
    return this;
  }

  post(from: number, to: number, body: ReplicaBody): void {
    const { installed, lamport } = this.of(from).replica;
    if (installed !== undefined)
      this.sent.push({ from, to, message: { ...body, term: installed.term, lamport } });
  }

  /** 'mutate 1>2', in the order of sending. */
  get waiting(): string[] {
    return this.sent.map(({ from, to, message }) => `${message.kind} ${from}>${to}`);
  }

  /** Delivers those that wait now and are like this, and no others. */
  async deliver(wanted: (kind: string, from: number, to: number) => boolean = () => true): Promise<void> {
    const now = this.sent.filter(({ message, from, to }) => wanted(message.kind, from, to));
    this.sent = this.sent.filter((one) => !now.includes(one));
    for (const { from, to, message } of now) this.of(to).replica.onMessage(from, message);
    await turns();
  }

  /** … and what they lead to. */
  async deliverAll(wanted: (kind: string, from: number, to: number) => boolean = () => true): Promise<void> {
    await turns();
    while (this.sent.some(({ message, from, to }) => wanted(message.kind, from, to))) {
      // oxlint-disable-next-line no-await-in-loop -- each leads to the next
      await this.deliver(wanted);
    }
  }

  /** Of an initiator that is there. */
  ticket() {
    return { arrivedAt: this.clock.now(), isAlive: () => true };
  }

  /** Begins a write of one value by a node; its answer comes into the list. */
  write(node: number, lba: number, value: number, blocks = 1): string[] {
    return this.mutate(node, { kind: 'write', lba, blocks, data: filled(value, blocks) });
  }

  mutate(node: number, operation: Operation): string[] {
    const answers: string[] = [];
    this.of(node).replica.mutate(this.ticket(), operation, (result) => {
      answers.push(result.ok ? 'done' : result.fault.kind);
    });
    return answers;
  }

  /** Begins a read by a node; the first byte of each block, or the fault, comes into the list. */
  read(node: number, lba: number, blocks = 1): string[] {
    const answers: string[] = [];
    this.of(node).replica.read(this.ticket(), lba, blocks, (result) => {
      if (!result.ok) return void answers.push(result.fault.kind);
      const whole = result.value.segments.flatMap((part) => [...part]);
      answers.push(Array.from({ length: blocks }, (_, at) => whole[at * BLOCK]).join());
      result.value.release();
    });
    return answers;
  }
}
