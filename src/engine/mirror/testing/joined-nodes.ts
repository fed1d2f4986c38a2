/** Nodes of one mirrored device in one process: RAM beneath, connections that neither break nor wait. */

import { NO_UUID } from '../../../base/uuid.ts';
import type { Site } from '../../../cluster/configuration.ts';
import { SUPERBLOCK_FILE_LENGTH } from '../../../cluster/superblock.ts';
import { journalLength } from '../../../journal/journal.ts';
import type { JournalStrategy } from '../../../journal/recovery.ts';
import { CutDisk } from '../../../journal/testing/cut-disk.ts';
import type { BlockDevice, BlockLength } from '../../../ports/block-device.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Channel } from '../../../replication/channel.ts';
import { createRamStore } from '../../../store/ram-store.ts';
import { CopyRecords } from '../copy-records.ts';
import { MirrorDevice } from '../mirror-device.ts';
import { MirrorNode } from '../mirror-node.ts';
import type { MirrorPorts } from '../mirror-options.ts';
import { MirrorUnit } from '../mirror-unit.ts';
import type { ChannelMessage } from '../wire.ts';
import { decodeSize } from '../size.ts';
import { createPost, join } from './wires.ts';

export interface JoinedOptions {
  /** How many nodes; they are numbered from 1. */
  readonly count: number;
  readonly blockCount: number;
  readonly blockLength: BlockLength;
  readonly clock: Clock;
  readonly random: () => number;
  readonly digest: MirrorPorts['digest'];
  /** `ram` unless told. */
  readonly journal?: JournalStrategy;
  /** Of one node, in place of those that do nothing. */
  portsOf?(node: number): Partial<MirrorPorts>;
}

export interface Joined {
  readonly node: MirrorNode;
  readonly store: BlockDevice;
  /** What initiators of this node are given. */
  readonly device: MirrorDevice;
  readonly unit: MirrorUnit;
}

const DEVICE = 'd'.repeat(32);
const COPY = 'c'.repeat(32);
const IDENTITY = {
  product: 'VIRTUAL DISK',
  revision: '0001',
  serial: 'MIRROR',
  naa: Uint8Array.from([0x6f, ...Array.from({ length: 15 }, (_, at) => at)]),
};

/** All begin as copies that are equal and were stopped in order; they serve after a few heartbeats. */
export async function joinNodes(options: JoinedOptions): Promise<ReadonlyMap<number, Joined>> {
  const { count, clock } = options;
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const joined = new Map<number, Joined>();
  const channels = new Map<string, Channel<ChannelMessage>>();
  const post = createPost();
  const deliver = (from: number, to: number, message: ChannelMessage): void => {
    const { node } = joined.get(to) ?? {};
    if (message.kind === 'replica') node?.onReplica(from, message.message);
    else node?.onControl(from, message.message);
  };
  for (const a of numbers) for (const b of numbers) if (a < b) join(channels, post, clock, a, b, deliver);
  for (const self of numbers) {
    const { blockCount, blockLength } = options;
    const store = createRamStore({ blockCount, blockLength });
    const device = new MirrorDevice(store, clock);
    const trace = (): void => undefined;
    const unit = new MirrorUnit({ self, nodes: numbers, device, identity: IDENTITY, clock, trace });
    const ports: MirrorPorts = {
      ...portsOf(options, self),
      sendBeat: (to, beat) =>
        post.send(() => {
          const answer = joined.get(to)?.node.onBeat(self, beat, true);
          if (answer !== undefined) joined.get(self)?.node.onBeatAnswer(to, answer);
        }),
      sendControl: (to, message, onSync) => {
        if (onSync) channels.get(`${self}>${to}`)?.send({ kind: 'control', message });
        else post.send(() => joined.get(to)?.node.onControl(self, message));
      },
      sendReplica: (to, message) => channels.get(`${self}>${to}`)?.send({ kind: 'replica', message }),
      onChanged: () => unit.onChanged(),
      onDocument: (name, bytes) => {
        const size = name === 'size' ? decodeSize(bytes) : undefined;
        if (size !== undefined) device.resized(size);
        unit.onDocument(name, bytes);
      },
      ...options.portsOf?.(self),
    };
    // oxlint-disable-next-line no-await-in-loop -- a handful
    const node = await MirrorNode.open({
      self,
      device: DEVICE,
      site: siteOf(numbers),
      incarnation: 1,
      policy: 'through',
      journal: options.journal ?? 'ram',
      slotCount: 4096,
      confirmsReads: false,
      store,
      // oxlint-disable-next-line no-await-in-loop -- a handful
      records: await newRecords(options, self, numbers),
      copyId: COPY,
      ports,
    });
    if (node === undefined) continue;
    device.attach(node);
    unit.attach(node);
    joined.set(self, { node, store, device, unit });
  }
  return joined;
}

/** Resolves when every node is a member and may serve; `wait` lets time pass. */
export async function together(nodes: ReadonlyMap<number, Joined>, wait: () => Promise<void>): Promise<void> {
  const isServing = ({ node: { state } }: Joined): boolean =>
    state.isServing && state.configuration.members.length === nodes.size;
  // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
  while (![...nodes.values()].every(isServing)) await wait();
}

function siteOf(nodes: readonly number[]): Site {
  return { nodes, strategy: { kind: 'majority', witness: undefined } };
}

let ids = 0;

function portsOf(
  { clock, random, digest }: JoinedOptions,
  self: number,
): Omit<MirrorPorts, 'sendBeat' | 'sendControl' | 'sendReplica' | 'onChanged' | 'onDocument'> {
  return {
    clock,
    trace: () => undefined,
    random,
    newId: () => `${++ids}`.padStart(NO_UUID.length, '0'),
    digest,
    isCongested: () => false,
    dropSessions: () => undefined,
    onFailed: (reason) => {
      throw new Error(`node ${self}: ${reason}`);
    },
  };
}

/** Records of a new device, in memory. */
async function newRecords(
  { blockCount, blockLength, clock, journal = 'ram' }: JoinedOptions,
  node: number,
  numbers: readonly number[],
): Promise<CutDisk> {
  const disk = new CutDisk(SUPERBLOCK_FILE_LENGTH + journalLength(blockCount, blockLength, numbers.length));
  const identity = {
    device: DEVICE,
    node,
    copy: COPY,
    blockLength,
    blockCount,
    writePolicy: 'through',
    journal,
  } as const;
  const records = new CopyRecords(disk, 0, identity, clock);
  await records.load();
  await records.create({ term: 1, id: 'f'.repeat(32), members: numbers, learners: [] });
  return disk;
}
