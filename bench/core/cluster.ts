/** MirrorNodes of one process: RAM beneath, and real time. */
import { createHash, randomBytes } from 'node:crypto';
import { SUPERBLOCK_FILE_LENGTH } from '../../src/cluster/superblock.ts';
import { CopyRecords } from '../../src/engine/mirror/copy-records.ts';
import { journalLength } from '../../src/journal/journal.ts';
import { CutDisk } from '../../src/journal/testing/cut-disk.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import type { ChannelMessage } from '../../src/engine/mirror/wire.ts';
import type { Channel } from '../../src/replication/channel.ts';
import { createRamStore } from '../../src/store/ram-store.ts';
import { createPost, join } from './wires.ts';

export interface MirrorCluster {
  /** Resolves when every node is a member and may serve. */
  ready(): Promise<void>;
  /** So many writes of one block through the first node, and heartbeats in between as they are due. */
  write(count: number): Promise<void>;
  stop(): void;
}

const DEVICE = 'd'.repeat(32);
/** 64 MiB for each node. */
const BLOCKS = 1 << 14;
const BLOCK_LENGTH = 4096;
const OUTSTANDING_MAX = 128;
/** An initiator that never gives up. */
const PATIENT = { arrivedAt: Infinity, isAlive: () => true };

export async function createMirrorCluster(count: number): Promise<MirrorCluster> {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const clock = createClock();
  const nodes = new Map<number, MirrorNode>();
  const channels = new Map<string, Channel<ChannelMessage>>();
  const post = createPost();
  const deliver = (from: number, to: number, message: ChannelMessage): void => {
    const node = nodes.get(to);
    if (message.kind === 'replica') node?.onReplica(from, message.message);
    else node?.onControl(from, message.message);
  };
  for (const a of numbers) for (const b of numbers) if (a < b) join(channels, post, clock, a, b, deliver);

  for (const self of numbers) {
    // oxlint-disable-next-line no-await-in-loop -- a handful
    const node = await MirrorNode.open({
      self,
      device: DEVICE,
      site: { nodes: numbers, strategy: { kind: 'majority', witness: undefined } },
      incarnation: 1,
      policy: 'through',
      journal: 'ram',
      slotCount: 4096,
      confirmsReads: false,
      store: createRamStore({ blockCount: BLOCKS, blockLength: BLOCK_LENGTH }),
      records: await newRecords(self, numbers, clock),
      copyId: 'c'.repeat(32),
      ports: {
        clock,
        trace: () => undefined,
        random: () => Math.random(),
        newId: () => randomBytes(16).toString('hex'),
        digest: (data) => data.reduce((hash, part) => hash.update(part), createHash('sha1')).digest('base64'),
        sendBeat: (to, beat) =>
          setImmediate(() => {
            const answer = nodes.get(to)?.onBeat(self, beat, true);
            if (answer !== undefined) nodes.get(self)?.onBeatAnswer(to, answer);
          }),
        sendControl: (to, message, onSync) => {
          if (onSync) channels.get(`${self}>${to}`)?.send({ kind: 'control', message });
          else setImmediate(() => nodes.get(to)?.onControl(self, message));
        },
        sendReplica: (to, message) => channels.get(`${self}>${to}`)?.send({ kind: 'replica', message }),
        isCongested: () => false,
        dropSessions: () => undefined,
        onFailed: (reason) => {
          throw new Error(`node ${self}: ${reason}`);
        },
        onChanged: () => undefined,
        onDocument: () => undefined,
      },
    });
    if (node !== undefined) nodes.set(self, node);
  }

  return control(nodes, clock);
}

function control(nodes: ReadonlyMap<number, MirrorNode>, clock: StoppableClock): MirrorCluster {
  const together = (): boolean =>
    [...nodes.values()].every(
      ({ state }) => state.isServing && state.configuration.members.length === nodes.size,
    );
  const { replica } = nodes.get(1)!;
  const data = [new Uint8Array(BLOCK_LENGTH)];
  const operation = (at: number) => ({ kind: 'write', lba: (at * 7919) % BLOCKS, blocks: 1, data }) as const;
  let place = 0;
  return {
    async ready() {
      // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
      while (!together()) await new Promise((resolve) => setTimeout(resolve, 20));
      // The first one of an epoch waits for a record.
      await new Promise((resolve) => replica.mutate(PATIENT, operation(0), resolve));
    },
    async write(writes) {
      let [begun, done] = [0, 0];
      while (done < writes) {
        for (let room = OUTSTANDING_MAX - (begun - done); room > 0 && begun < writes; room--) {
          begun += 1;
          place += 1;
          replica.mutate(PATIENT, operation(place), (result) => {
            if (result.ok) done += 1;
            // Again: on a busy machine the process stands still, and its nodes lose each other.
            else begun -= 1;
          });
        }
        // A turn of the event loop, though all may be answered by now: without it no timer is heard, no heartbeat is
        // sent, and the nodes take each other for lost.
        // oxlint-disable-next-line no-await-in-loop -- that is the purpose
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    stop() {
      clock.stop();
      for (const node of nodes.values()) node.abandon();
    },
  };
}

/** Records of a new device, in memory. */
async function newRecords(self: number, numbers: readonly number[], clock: Clock): Promise<CutDisk> {
  const length = SUPERBLOCK_FILE_LENGTH + journalLength(BLOCKS, BLOCK_LENGTH, numbers.length);
  const disk = new CutDisk(length);
  const identity = {
    device: DEVICE,
    node: self,
    copy: 'c'.repeat(32),
    blockLength: BLOCK_LENGTH,
    blockCount: BLOCKS,
    writePolicy: 'through',
    journal: 'ram',
  } as const;
  const records = new CopyRecords(disk, 0, identity, clock);
  await records.load();
  await records.create({ term: 1, id: 'f'.repeat(32), members: numbers, learners: [] });
  return disk;
}

interface StoppableClock extends Clock {
  stop(): void;
}

function createClock(): StoppableClock {
  const timers = new Set<NodeJS.Timeout>();
  let isOver = false;
  return {
    now: () => performance.now(),
    after(delayMs, action): Timer {
      const timer = setTimeout(() => {
        timers.delete(timer);
        action();
      }, delayMs);
      if (isOver) clearTimeout(timer);
      else timers.add(timer);
      return { cancel: () => clearTimeout(timer) };
    },
    stop() {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
