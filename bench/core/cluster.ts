/** MirrorNodes of one process: RAM beneath, real time, messages that arrive at once through the channels. */
import { createHash, randomBytes } from 'node:crypto';
import { SUPERBLOCK_FILE_LENGTH } from '../../src/cluster/superblock.ts';
import { CopyRecords } from '../../src/engine/mirror/copy-records.ts';
import { journalLength } from '../../src/journal/journal.ts';
import { CutDisk } from '../../src/journal/testing/cut-disk.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';
import { MirrorNode } from '../../src/engine/mirror/mirror-node.ts';
import type { ChannelMessage } from '../../src/engine/mirror/wire.ts';
import { Channel, type Frame } from '../../src/replication/channel.ts';
import { createRamStore } from '../../src/store/ram-store.ts';

export interface MirrorCluster {
  /** Resolves when every node is a member and may serve. */
  ready(): Promise<void>;
  /** So many writes of one block through the first node. */
  write(count: number): Promise<void>;
  stop(): void;
}

const DEVICE = 'd'.repeat(32);
const BLOCKS = 1 << 16;
const BLOCK_LENGTH = 4096;
const OUTSTANDING_MAX = 128;

export async function createMirrorCluster(count: number): Promise<MirrorCluster> {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const clock = createClock();
  const nodes = new Map<number, MirrorNode>();
  const channels = new Map<string, Channel<ChannelMessage>>();
  const deliver = (from: number, to: number, message: ChannelMessage): void => {
    const node = nodes.get(to);
    if (message.kind === 'replica') node?.onReplica(from, message.message);
    else node?.onControl(from, message.message);
  };
  for (const a of numbers) for (const b of numbers) if (a < b) join(channels, clock, a, b, deliver);

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
  const ticket = () => ({ arrivedAt: clock.now(), isAlive: () => true });
  return {
    async ready() {
      // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
      while (!together()) await new Promise((resolve) => setTimeout(resolve, 20));
      // The first one of an epoch waits for a record.
      await new Promise((resolve) => replica.mutate(ticket(), operation(0), resolve));
    },
    async write(writes) {
      let [begun, done] = [0, 0];
      while (done < writes) {
        const here = ticket();
        while (begun < writes && begun - done < OUTSTANDING_MAX) {
          replica.mutate(here, operation(begun++), (result) => {
            if (!result.ok) throw new Error(`a write failed: ${result.fault.kind}`);
            done++;
          });
        }
        // Most are answered by now; the rest waits for a lease, a seal or a flush.
        // oxlint-disable-next-line no-await-in-loop -- waiting is the purpose
        if (done < begun) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    stop: () => clock.stop(),
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

/** A connection without a wire between two nodes. */
function join(
  channels: Map<string, Channel<ChannelMessage>>,
  clock: Clock,
  a: number,
  b: number,
  deliver: (from: number, to: number, message: ChannelMessage) => void,
): void {
  const make = (from: number, to: number): Channel<ChannelMessage> =>
    new Channel<ChannelMessage>({
      incarnation: 1,
      clock,
      bytesOf: () => 100,
      onMessage: (message) => deliver(to, from, message),
      onRestarted: () => undefined,
    });
  const ends = [make(a, b), make(b, a)] as const;
  channels.set(`${a}>${b}`, ends[0]);
  channels.set(`${b}>${a}`, ends[1]);
  const events: { onFrame(frame: Frame<ChannelMessage>): void }[] = [];
  const waiting: Frame<ChannelMessage>[] = [];
  const wireTo = (other: 0 | 1) => ({
    send(frame: Frame<ChannelMessage>): boolean {
      if (events[other] === undefined) waiting.push(frame);
      else events[other].onFrame(frame);
      return true;
    },
    close: () => undefined,
  });
  events[0] = ends[0].attach(wireTo(1));
  events[1] = ends[1].attach(wireTo(0));
  for (const frame of waiting) events[1].onFrame(frame);
}

interface StoppableClock extends Clock {
  stop(): void;
}

function createClock(): StoppableClock {
  const timers = new Set<NodeJS.Timeout>();
  return {
    now: () => performance.now(),
    after(delayMs, action): Timer {
      const timer = setTimeout(() => {
        timers.delete(timer);
        action();
      }, delayMs);
      timers.add(timer);
      return { cancel: () => clearTimeout(timer) };
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
