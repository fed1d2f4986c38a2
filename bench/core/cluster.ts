/** MirrorNodes of one process: RAM beneath, and real time. */
import { createHash } from 'node:crypto';
import { MirrorDevice } from '../../src/engine/mirror/mirror-device.ts';
import { type Joined, joinNodes, together } from '../../src/engine/mirror/testing/joined-nodes.ts';
import type { Clock, Timer } from '../../src/ports/clock.ts';

export interface MirrorCluster {
  /** Resolves when every node is a member and may serve. */
  ready(): Promise<void>;
  /** So many writes of one block through the first node, and heartbeats in between as they are due. */
  write(count: number): Promise<void>;
  stop(): void;
}

/** 64 MiB for each node. */
const BLOCKS = 1 << 14;
const BLOCK_LENGTH = 4096;
const OUTSTANDING_MAX = 128;
/** An initiator that never gives up. */
const PATIENT = { arrivedAt: Infinity, isAlive: () => true };

export async function createMirrorCluster(count: number): Promise<MirrorCluster> {
  const clock = createClock();
  const nodes = await joinNodes({
    count,
    blockCount: BLOCKS,
    blockLength: BLOCK_LENGTH,
    clock,
    random: () => Math.random(),
    digest: (data) => data.reduce((hash, part) => hash.update(part), createHash('sha1')).digest('base64'),
  });
  return control(nodes, clock);
}

function control(nodes: ReadonlyMap<number, Joined>, clock: StoppableClock): MirrorCluster {
  const { node, store } = nodes.get(1)!;
  const device = new MirrorDevice(store, clock);
  device.attach(node);
  const data = [new Uint8Array(BLOCK_LENGTH)];
  const write = async (at: number) => await device.write((at * 7919) % BLOCKS, data, 'cached', PATIENT);
  let place = 0;
  return {
    async ready() {
      await together(nodes, () => new Promise((resolve) => setTimeout(resolve, 20)));
      // The first one of an epoch waits for a record.
      await write(0);
    },
    async write(writes) {
      let [begun, done] = [0, 0];
      while (done < writes) {
        for (let room = OUTSTANDING_MAX - (begun - done); room > 0 && begun < writes; room--) {
          begun += 1;
          place += 1;
          void write(place).then((result) => {
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
      for (const { node } of nodes.values()) node.abandon();
    },
  };
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
