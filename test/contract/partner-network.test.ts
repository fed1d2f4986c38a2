/**
 * Goal: the network between nodes keeps its promises over TCP with certificates and in the simulator, and nobody gets in who
 * has not proven to be the node that is expected. Method: the contract; then certificates of all the wrong kinds, a proxy that
 * swallows, and a process that hands its connections to a child, which is this file again.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeNameIn } from '../../src/base/node-name.ts';
import { encodePreamble } from '../../src/base/partner-preamble.ts';
import { createPrng } from '../../src/base/prng.ts';
import { createPartnerRouter } from '../../src/engine/partner-router.ts';
import { initCluster, issueNodeCertificate } from '../../src/management/certificates.ts';
import type { Child } from '../../src/ports/process.ts';
import { spawnChild } from '../../src/runtime/child-process.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { listen } from '../../src/runtime/listener.ts';
import { connectParent, socketOf } from '../../src/runtime/parent.ts';
import { type LinkAddresses, NodeNetwork } from '../../src/runtime/partner-network.ts';
import { createTlsProof, type NodeCredentials } from '../../src/runtime/partner-tls.ts';
import { SimulatedPartners } from '../../sim/fronts/mirror-links.ts';
import { createHost } from '../../sim/host.ts';
import { createNetwork } from '../../sim/network.ts';
import { createScheduler } from '../../sim/scheduler.ts';
import { createTrace } from '../../sim/trace.ts';
import { type NetworkPair, partnerNetworkContract } from './partner-network.ts';

const DEVICE = 'd'.repeat(32);
const DAY_MS = 86_400_000;
const NAMES = new Map([
  [1, nodeNameIn('site1', 'a')],
  [2, nodeNameIn('site1', 'b')],
]);
const PATIENCE_MS = 8000;

interface Event {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface TestNode {
  readonly network: NodeNetwork;
  readonly events: Event[];
  readonly server: net.Server;
  close(): void;
}

let directory = '';
const credentials = new Map<string, NodeCredentials>();

/** On a port of its own; `remotePort` is where its partner is to be found. */
async function startNode(self: number, made: NodeCredentials, remotePort = 0): Promise<TestNode> {
  const events: Event[] = [];
  const links = (['sync', 'heartbeat'] as const).map(
    (kind, at): LinkAddresses => ({
      partner: 3 - self,
      number: at + 1,
      kind,
      name: `${kind} ${at + 1}`,
      local: '127.0.0.1',
      remote: { host: '127.0.0.1', port: remotePort },
    }),
  );
  const network = new NodeNetwork({
    self,
    device: DEVICE,
    nameOf: NAMES,
    links,
    proof: createTlsProof(made),
    clock: systemClock,
    trace: (_level, event, fields = {}) => void events.push({ event, fields }),
  });
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (head) => {
      socket.pause();
      network.accept(socket, head);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const close = (): void => {
    network.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { network, events, server, close };
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, 'it does not happen');
    // oxlint-disable-next-line no-await-in-loop -- it waits
    await sleep(10);
  }
}

async function startPair(a: string, b: string): Promise<NetworkPair & { nodes: [TestNode, TestNode] }> {
  const high = await startNode(2, credentials.get(b)!);
  const low = await startNode(1, credentials.get(a)!, portOf(high.server));
  return {
    nodes: [low, high],
    low: low.network,
    high: high.network,
    until,
    close: () => {
      low.close();
      high.close();
      return Promise.resolve();
    },
  };
}

async function simulatePair(): Promise<NetworkPair> {
  const scheduler = createScheduler();
  const random = createPrng(1);
  const network = createNetwork({ scheduler, random, trace: createTrace(() => scheduler.now(), 10) });
  const delay = { minMs: 0.02, meanMs: 0.3, spikeChance: 0, spikeMeanMs: 0 };
  const hosts = [0, 1].map((id) =>
    createHost({ id, scheduler, random: random.fork(`host ${id}`), drift: 0 }),
  );
  for (const kind of ['sync', 'heartbeat'] as const)
    network.addLink({ kind, index: 0, ends: [0, 1], delay, bytesPerMs: 100_000 });
  const [low, high] = hosts.map((host) => {
    const partners = new SimulatedPartners(host, network);
    network.attach(host, {
      onConnection: (end) => partners.accept(end),
      onDatagram: (link, _from, message) => partners.receive(link, message),
    });
    return partners;
  }) as [SimulatedPartners, SimulatedPartners];
  return Promise.resolve({
    low,
    high,
    until: async (condition) => {
      for (let step = 0; !condition(); step++) {
        assert.ok(step < 10_000, 'it does not happen');
        // oxlint-disable-next-line no-await-in-loop -- time passes
        await scheduler.runSettled(scheduler.now() + 1);
      }
    },
    close: () => Promise.resolve(),
  });
}

if (process.argv[2] === 'engine') runEngine();
else runTests();

/** Has the device, and echoes what comes over its sync link. */
function runEngine(): void {
  let node: NodeNetwork | undefined;
  const parent = connectParent({
    onMessage: (message, handle) => {
      const order = message as { readonly head?: Uint8Array; readonly credentials?: NodeCredentials };
      if (order.credentials !== undefined) {
        void startNode(2, order.credentials).then((started) => {
          node = started.network;
          node.start({
            onConnection: (_link, connection) => ({
              onOpen: () => undefined,
              onBytes: (bytes) => void connection.send([bytes]),
              onDrained: () => undefined,
              onClosed: () => undefined,
            }),
            onDatagram: () => undefined,
          });
          parent.send('ready');
        });
      } else if (handle !== undefined) {
        node!.accept(socketOf(handle), order.head!);
      }
    },
    onOrphaned: () => process.exit(0),
  });
}

function runTests(): void {
  before(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'lockstep-'));
    const now = new Date();
    const longAgo = new Date(now.getTime() - 800 * DAY_MS);
    const at = (name: string): string => path.join(directory, name);
    for (const cluster of ['site1', 'other']) await initCluster(at(cluster), 'site1', longAgo);
    const early = new Date(now.getTime() + DAY_MS);
    for (const [name, node, cluster, when] of [
      ['a', 'a', 'site1', now],
      ['b', 'b', 'site1', now],
      ['expired', 'a', 'site1', longAgo],
      ['expired b', 'b', 'site1', longAgo],
      ['early', 'a', 'site1', early],
      ['early b', 'b', 'site1', early],
      ['otherNode', 'c', 'site1', now],
      ['otherNode b', 'c', 'site1', now],
      ['otherCluster', 'a', 'other', now],
      ['otherCluster b', 'b', 'other', now],
    ] as const) {
      const made = await issueNodeCertificate(at(cluster), { node, out: at(`of ${name}`), now: when });
      assert.ok(made.ok);
      const read = (file: string): string => readFileSync(path.join(directory, `of ${name}`, file), 'utf8');
      credentials.set(name, {
        certificate: read('node.crt'),
        key: read('node.key'),
        authority: read('ca.crt'),
      });
    }
  });
  after(() => rmSync(directory, { recursive: true }));

  partnerNetworkContract('TCP with certificates', () => startPair('a', 'b'));
  partnerNetworkContract('simulated', simulatePair);

  for (const [wrong, why] of [
    ['expired', 'expired'],
    ['early', 'notYetValid'],
    ['otherNode', 'otherNode'],
    ['otherCluster', 'otherCluster'],
  ] as const)
    for (const side of ['connects', 'is connected to'] as const)
      test(`a node that ${side} with a certificate that is wrong (${why}) is refused, and the trace says so`, async () => {
        const connects = side === 'connects';
        const pair = await (connects ? startPair(wrong, 'b') : startPair('a', `${wrong} b`));
        // Who connects sees the other's certificate first, and goes away when it is not of its cluster.
        try {
          await refusedBy(pair, connects && why !== 'otherCluster' ? 1 : 0, why);
        } finally {
          await pair.close();
        }
      });

  async function refusedBy(
    pair: NetworkPair & { nodes: [TestNode, TestNode] },
    judge: 0 | 1,
    why: string,
  ): Promise<void> {
    let arrived = 0;
    const closed: string[] = [];
    pair.high.start({
      onConnection: () => void (arrived += 1),
      onDatagram: () => void (arrived += 1),
    });
    pair.low.start({ onConnection: () => undefined, onDatagram: () => void (arrived += 1) });
    pair.low.connect(pair.low.links[0]!, {
      onOpen: () => undefined,
      onBytes: () => void (arrived += 1),
      onDrained: () => undefined,
      onClosed: (cause) => void closed.push(cause),
    });
    const { events } = pair.nodes[judge];
    const reasons = (): unknown[] =>
      events.filter(({ event }) => event === 'partner.notProven').map(({ fields }) => fields['why']);
    await until(() => reasons().includes(why) && closed.length > 0);
    assert.deepEqual([...new Set(reasons())], [why]);
    assert.equal(pair.low.sendDatagram(pair.low.links[1]!, Uint8Array.of(1)), false);
    assert.deepEqual([arrived, closed.length], [0, 1]);
  }

  test('who has no certificate, or does not speak TLS, gets nothing', async () => {
    const high = await startNode(2, credentials.get('b')!);
    let arrived = 0;
    high.network.start({ onConnection: () => void (arrived += 1), onDatagram: () => void (arrived += 1) });
    const stranger = net.connect(portOf(high.server), '127.0.0.1');
    stranger.write(encodePreamble({ kind: 'sync', device: DEVICE, link: 1 }));
    stranger.write('GET / HTTP/1.1\r\n\r\n');
    stranger.on('error', () => undefined);
    stranger.resume();
    await new Promise<void>((resolve) => void stranger.once('close', () => resolve()));
    const otherDevice = net.connect(portOf(high.server), '127.0.0.1');
    otherDevice.write(encodePreamble({ kind: 'sync', device: 'e'.repeat(32), link: 1 }));
    otherDevice.on('error', () => undefined);
    otherDevice.resume();
    await new Promise<void>((resolve) => void otherDevice.once('close', () => resolve()));
    assert.equal(arrived, 0);
    high.close();
  });

  test('a heartbeat path that swallows everything is given up after a second and made anew', async () => {
    const high = await startNode(2, credentials.get('b')!);
    let swallows = false;
    let accepted = 0;
    const proxy = net.createServer((socket) => {
      accepted += 1;
      const onward = net.connect(portOf(high.server), '127.0.0.1');
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        const swallowed = swallows;
        from.on('data', (bytes) => void (!swallows && !swallowed && to.write(bytes)));
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
      }
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', () => resolve()));
    const low = await startNode(1, credentials.get('a')!, portOf(proxy));
    let heard = 0;
    low.network.start({ onConnection: () => undefined, onDatagram: () => void (heard += 1) });
    const [, link] = low.network.links;
    high.network.start({
      onConnection: () => undefined,
      onDatagram: (way, bytes) => void high.network.sendDatagram(way, bytes),
    });
    const beats = setInterval(() => low.network.sendDatagram(link!, Uint8Array.of(7)), 100);
    await until(() => heard > 3);
    const before = accepted;
    swallows = true;
    const cutAt = performance.now();
    await until(() => accepted > before);
    const noticedMs = performance.now() - cutAt;
    swallows = false;
    heard = 0;
    const healedAt = performance.now();
    await until(() => heard > 3);
    const healedMs = performance.now() - healedAt;
    clearInterval(beats);
    low.close();
    high.close();
    proxy.close();
    assert.ok(noticedMs > 900, `${noticedMs} ms`);
    assert.ok(healedMs < 5000, `${healedMs} ms`);
  });

  test('a supervisor reads the preamble and hands the connection to the process that has the device', async () => {
    let child: Child | undefined;
    await new Promise<void>((resolve) => {
      child = spawnChild(
        { program: import.meta.filename, args: ['engine'], compileCache: undefined, environment: {} },
        { onMessage: () => resolve(), onExit: () => undefined },
      );
      child.send({ credentials: credentials.get('b') });
    });
    const router = createPartnerRouter({
      clock: systemClock,
      trace: () => undefined,
      ownerOf: (device) => (device === DEVICE ? 0 : undefined),
      handOver: (_engine, arrival, head) => child!.handOver({ head: Uint8Array.from(head) }, arrival),
    });
    const listener = await listen('127.0.0.1:0', (arrival) => router.arrive(arrival));
    assert.ok(listener.ok);
    const port = Number(listener.value.address.replace(/.*:/, ''));
    const low = await startNode(1, credentials.get('a')!, port);
    low.network.start({ onConnection: () => undefined, onDatagram: () => undefined });
    let opened = 0;
    let echoed = Buffer.alloc(0);
    const connection = low.network.connect(low.network.links[0]!, {
      onOpen: () => void (opened += 1),
      onBytes: (bytes) => void (echoed = Buffer.concat([echoed, bytes])),
      onDrained: () => undefined,
      onClosed: () => undefined,
    });
    await until(() => opened === 1);
    const sent = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, at) => at + (at >> 8)));
    connection.send([sent.subarray(0, 5), sent.subarray(5)]);
    await until(() => echoed.length === sent.length);
    assert.ok(echoed.equals(sent));
    connection.abort();
    low.close();
    router.stop();
    await listener.value.close();
    child!.kill('SIGTERM');
  });
}
