/**
 * A node of the measurement, as processes of their own: `listener` hears on the port and hands connections to its child, the
 * `engine`, which answers every mirrored write; `load` sends them and counts. Orders come on the standard input as JSON.
 */
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPartnerRouter } from '../../src/engine/partner-router.ts';
import { PartnerLinks } from '../../src/engine/mirror/partner-links.ts';
import { type ChannelMessage, MirrorWire } from '../../src/engine/mirror/wire.ts';
import { spawnChild } from '../../src/runtime/child-process.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { crc32c } from '../../src/runtime/crc32c.ts';
import { listen } from '../../src/runtime/listener.ts';
import { connectParent, socketOf } from '../../src/runtime/parent.ts';
import { NodeNetwork } from '../../src/runtime/partner-network.ts';
import { createTlsProof, type NodeCredentials, type Proof } from '../../src/runtime/partner-tls.ts';

export interface Order {
  readonly isPlain: boolean;
  /** Of the listener. */
  readonly address: string;
  readonly port: number;
  readonly names: readonly [low: string, high: string];
  readonly credentials: NodeCredentials;
  readonly seconds: number;
}

/** Of one kind of load. */
export interface Figures {
  readonly bytes: number;
  readonly depth: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Of the process that sends. */
  readonly cpuUs: number;
}

const DEVICE = 'd'.repeat(32);
const BLOCK = 4096;
const SIZE = { geometry: { blockLength: BLOCK, blockCount: 1 << 24 } } as const;
const LOADS = [
  { bytes: BLOCK, depth: 1 },
  { bytes: BLOCK, depth: 32 },
  { bytes: 1 << 20, depth: 1 },
  { bytes: 1 << 20, depth: 8 },
] as const;
const WARM_MS = 1000;

/** For comparison: nothing is proven. It is here, and not in the product. */
const plainProof: Proof = {
  connect: (raw, name) => Promise.resolve({ ok: true, value: { socket: raw, name } }),
  accept: (raw, [name = '']) => Promise.resolve({ ok: true, value: { socket: raw, name } }),
};

function startLinks(
  self: 1 | 2,
  { isPlain, address, port, names, credentials }: Order,
  onMessage: (message: ChannelMessage) => void,
): { network: NodeNetwork; links: PartnerLinks } {
  const network = new NodeNetwork({
    self,
    device: DEVICE,
    nameOf: new Map([
      [1, names[0]],
      [2, names[1]],
    ]),
    links: [
      {
        partner: 3 - self,
        number: 1,
        kind: 'sync',
        name: 'sync',
        local: undefined,
        remote: { host: address, port },
      },
    ],
    proof: isPlain ? plainProof : createTlsProof(credentials),
    clock: systemClock,
    trace: (level, event, fields) => {
      if (level === 'warn' || level === 'error') console.error(event, fields);
    },
  });
  const links = new PartnerLinks({
    self,
    device: DEVICE,
    incarnation: Math.floor(performance.timeOrigin),
    network,
    clock: systemClock,
    trace: () => undefined,
    createWire: () => new MirrorWire({ sender: { node: self, device: DEVICE }, device: SIZE, crc32c }),
    events: { onMessage: (_from, message) => onMessage(message), onDatagram: () => undefined },
  });
  return { network, links };
}

function runEngine(): void {
  let node: ReturnType<typeof startLinks> | undefined;
  const parent = connectParent({
    onMessage: (message, handle) => {
      if (handle !== undefined)
        return node!.network.accept(socketOf(handle), (message as { head: Uint8Array }).head);
      node = startLinks(2, message as Order, (received) => {
        if (received.kind !== 'replica' || received.message.kind !== 'mutate') return;
        const { stamp } = received.message;
        node!.links.send(1, { kind: 'replica', message: { kind: 'held', stamp, term: 1, lamport: stamp } });
      });
      return parent.send('ready');
    },
    onOrphaned: () => process.exit(0),
  });
}

async function runListener(order: Order): Promise<void> {
  const child = spawnChild(
    { program: import.meta.filename, args: ['engine'], compileCache: undefined, environment: {} },
    { onMessage: () => console.log('ready'), onExit: () => process.exit(1) },
  );
  const router = createPartnerRouter({
    clock: systemClock,
    trace: () => undefined,
    ownerOf: (device) => (device === DEVICE ? 0 : undefined),
    handOver: (_engine, arrival, head) => child.handOver({ head }, arrival),
  });
  const listener = await listen(`${order.address}:${order.port}`, (arrival) => router.arrive(arrival));
  if (!listener.ok) throw new Error(listener.fault.message);
  child.send(order);
}

async function runLoad(order: Order): Promise<void> {
  let onHeld: (stamp: number) => void = () => undefined;
  const { links } = startLinks(1, order, (received) => {
    if (received.kind === 'replica' && received.message.kind === 'held') onHeld(received.message.stamp);
  });
  // oxlint-disable-next-line no-await-in-loop -- it waits
  while (links.statistics[0]!.counters.open === 0) await sleep(10);
  const measure = async (bytes: number, depth: number, ms: number): Promise<Figures> => {
    const data = [new Uint8Array(bytes).fill(7)];
    const sentAt = new Map<number, number>();
    const took: number[] = [];
    const until = performance.now() + ms;
    const cpu = process.cpuUsage();
    let stamp = 0;
    const send = (): void => {
      sentAt.set(++stamp, performance.now());
      const operation = { kind: 'write', lba: 0, blocks: bytes / BLOCK, data } as const;
      links.send(2, {
        kind: 'replica',
        message: { kind: 'mutate', stamp, operation, term: 1, lamport: stamp },
      });
    };
    await new Promise<void>((resolve) => {
      onHeld = (held) => {
        took.push(performance.now() - sentAt.get(held)!);
        sentAt.delete(held);
        if (performance.now() < until) send();
        else if (sentAt.size === 0) resolve();
      };
      for (let slot = 0; slot < depth; slot++) send();
    });
    const { user, system } = process.cpuUsage(cpu);
    took.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(1000 * took[Math.floor(share * (took.length - 1))]!);
    return {
      bytes,
      depth,
      perSecond: Math.round(took.length / ((ms + performance.now() - until) / 1000)),
      p50Us: at(0.5),
      p99Us: at(0.99),
      cpuUs: Math.round((10 * (user + system)) / took.length) / 10,
    };
  };
  const all: Figures[] = [];
  for (const { bytes, depth } of LOADS) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await measure(bytes, depth, WARM_MS);
    // oxlint-disable-next-line no-await-in-loop
    all.push(await measure(bytes, depth, 1000 * order.seconds));
  }
  console.log(JSON.stringify(all));
  process.exit(0);
}

const [, , role] = process.argv;
if (role === 'engine') runEngine();
else if (role === 'listener' || role === 'load') {
  const order = JSON.parse(await text(process.stdin)) as Order;
  await (role === 'load' ? runLoad(order) : runListener(order));
}
