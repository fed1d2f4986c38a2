/**
 * Goal: what one node says reaches the other once, over whatever links are there, and nothing is believed that is no frame or
 * of somebody else. Method: two nodes over a network in memory, with a clock that moves when told; frames made by hand.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../base/crc32c.ts';
import { copyOf } from '../../base/segments.ts';
import type { LinkKind } from '../../ports/partner-network.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { HEADER_LENGTH } from './frame.ts';
import { PartnerLinks } from './partner-links.ts';
import { MemoryNetwork } from './testing/memory-network.ts';
import { type ChannelMessage, type Datagram, MirrorWire } from './wire.ts';

const DEVICE = 'd'.repeat(32);
const SIZE = { geometry: { blockLength: 512, blockCount: 1 << 20 } } as const;
const clockMessage = (lamport: number): ChannelMessage => ({
  kind: 'replica',
  message: { kind: 'clock', term: 1, lamport },
});
const write = (bytes: number): ChannelMessage => ({
  kind: 'replica',
  message: {
    kind: 'mutate',
    stamp: 17,
    term: 1,
    lamport: 1,
    operation: { kind: 'write', lba: 8, blocks: bytes / 512, data: [new Uint8Array(bytes).fill(7)] },
  },
});
const beat = (incarnation: number): Datagram => ({
  kind: 'beat',
  incarnation,
  sentAt: 5,
  term: 0,
  promised: 0,
  accepted: { term: 0, members: [] },
  hasRetired: false,
  role: 'waiting',
  hears: [],
  hearsSync: [],
  members: [],
});
const wireOf = (node: number, device = DEVICE): MirrorWire =>
  new MirrorWire({ sender: { node, device }, device: SIZE, crc32c });
const hello = { kind: 'hello', incarnation: 10, to: 0, received: 0 } as const;

class Site {
  readonly clock = new ManualClock();
  readonly network: MemoryNetwork;
  readonly nodes: PartnerLinks[];
  readonly received: ChannelMessage[][] = [[], []];
  readonly datagrams: { from: number; message: Datagram; on: LinkKind }[] = [];
  readonly events: { event: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly unwanted = new Set<number>();

  constructor(kinds: readonly LinkKind[], sides: readonly (0 | 1)[] = [0, 1]) {
    this.network = new MemoryNetwork(kinds);
    this.nodes = sides.map((side) => this.begin(side, 10 + side));
    if (sides.length === 2) this.network.settle();
  }

  begin(side: 0 | 1, incarnation: number): PartnerLinks {
    return new PartnerLinks({
      self: side + 1,
      device: DEVICE,
      incarnation,
      network: this.network.sides[side],
      clock: this.clock,
      trace: (_level, event, fields = {}) => this.events.push({ event, fields }),
      createWire: () => wireOf(side + 1),
      isWanted: (partner) => !this.unwanted.has(partner),
      events: {
        onMessage: (_from, message) => this.received[side]!.push(message),
        onDatagram: (from, message, on, answer) => {
          this.datagrams.push({ from, message, on });
          if (message.kind === 'beat')
            answer({ kind: 'beatAnswer', incarnation: message.incarnation, sentAt: message.sentAt, term: 1 });
        },
      },
    });
  }

  told(event: string): unknown[] {
    return this.events.filter((one) => one.event === event).map(({ fields }) => fields['why']);
  }

  /** Side 1 alone is there; the other end is driven by hand. */
  greet(): void {
    const [connection] = this.network.open;
    connection!.ends[1]!.onBytes(copyOf(wireOf(1).encodeFrame(hello)));
  }
}

test('messages arrive once, in order, over two links, however the bytes are cut', () => {
  for (const length of [undefined, 1, 7, 100]) {
    const site = new Site(['sync', 'heartbeat', 'sync']);
    assert.equal(site.network.open.length, 2);
    const sent = [clockMessage(1), write(4096), clockMessage(2), write(512), clockMessage(3)];
    for (const message of sent) site.nodes[0]!.send(2, message);
    site.nodes[1]!.send(1, clockMessage(9));
    site.network.settle(length);
    assert.deepEqual(site.received, [[clockMessage(9)], sent]);
  }
});

test('a broken connection is made anew, soon at first and then less often; what was on it is sent again', () => {
  const site = new Site(['sync']);
  const { network, clock } = site;
  clock.advance(5000);
  network.settle();
  site.nodes[0]!.send(2, clockMessage(1));
  network.open[0]!.break();
  site.nodes[0]!.send(2, clockMessage(2));
  const attempts = (): number => network.connections.length;
  assert.equal(attempts(), 1);
  clock.advance(100);
  assert.equal(attempts(), 2);
  for (const [at, ms] of [200, 400, 800, 1000, 1000].entries()) {
    network.connections.at(-1)!.break();
    clock.advance(ms - 1);
    assert.equal(attempts(), 2 + at);
    clock.advance(1);
    assert.equal(attempts(), 3 + at);
  }
  network.settle();
  assert.deepEqual(site.received[1], [clockMessage(1), clockMessage(2)]);
});

test('a partner that the device has nothing to do with is seldom looked for', () => {
  const site = new Site(['sync']);
  const { network, clock, unwanted } = site;
  unwanted.add(2);
  network.open[0]!.break();
  clock.advance(4999);
  assert.equal(network.connections.length, 1);
  clock.advance(1);
  assert.equal(network.connections.length, 2);
  unwanted.clear();
  network.connections.at(-1)!.break();
  clock.advance(1000);
  assert.equal(network.connections.length, 3);
});

test('an attempt that nobody answers is given up', () => {
  const site = new Site(['sync'], [0]);
  site.network.isDead = true;
  site.clock.advance(2100);
  assert.deepEqual(
    site.network.connections.map(({ isOver }) => isOver),
    [true, false],
  );
});

test('what is no frame ends its connection, and the trace says why', () => {
  const site = new Site(['sync']);
  site.network.open[0]!.ends[1]!.onBytes(new Uint8Array(HEADER_LENGTH).fill(9));
  assert.deepEqual(site.network.connections[0]!.endedBy, ['aborted']);
  assert.deepEqual(site.told('partner.refused'), ['notAFrame']);
  site.clock.advance(100);
  site.network.settle();
  site.nodes[0]!.send(2, clockMessage(1));
  site.network.settle();
  assert.deepEqual(site.received[1], [clockMessage(1)]);
  assert.equal(site.nodes[1]!.statistics[0]!.counters.refused, 1);
});

test('whoever says that it is another node, or speaks of another device, or does not say hello is refused', () => {
  const frames = {
    otherSender: [wireOf(3).encodeFrame(hello), wireOf(1, 'e'.repeat(32)).encodeFrame(hello)],
    notGreeted: [wireOf(1).encodeFrame({ kind: 'ack', received: 0 })],
  };
  for (const [why, all] of Object.entries(frames))
    for (const frame of all) {
      const site = new Site(['sync'], [1]);
      const connection = site.network.sides[0].connect(site.network.sides[0].links[0]!, {
        onOpen: () => undefined,
        onBytes: () => undefined,
        onDrained: () => undefined,
        onClosed: () => undefined,
      });
      site.network.settle();
      connection.send([copyOf(frame)]);
      site.network.settle();
      assert.deepEqual(site.told('partner.refused'), [why]);
      assert.deepEqual(site.network.open, []);
    }
});

test('a partner of which the same message is refused three times is left alone, and told so', () => {
  const site = new Site(['sync', 'sync']);
  const { network, clock } = site;
  /** A message of a kind that this program does not know, with checksums that are right. */
  const strange = copyOf(
    wireOf(1).encodeFrame({ kind: 'data', sequence: 1, received: 0, message: clockMessage(1) }),
  );
  strange[HEADER_LENGTH + 16] = 99;
  const view = new DataView(strange.buffer);
  view.setUint32(strange.length - 4, crc32c(strange.subarray(0, strange.length - 4), 0));
  for (let time = 0; time < 3; time++) {
    assert.equal(network.open.length, 2);
    network.open[0]!.ends[1]!.onBytes(strange.slice());
    clock.advance(1000);
    network.settle();
  }
  assert.deepEqual(site.told('partner.refused'), ['unknownKind', 'unknownKind', 'unknownKind']);
  assert.deepEqual(site.told('partner.cannotFollow'), ['unknownKind']);
  const { fields } = site.events.find(({ event }) => event === 'partner.cannotFollow')!;
  assert.equal(fields['message'], 1);
  // Both links, for a minute; then it is tried again.
  assert.equal(network.open.length, 0);
  clock.advance(30_000);
  network.settle();
  assert.equal(network.open.length, 0);
  for (let second = 0; second < 32; second++) {
    clock.advance(1000);
    network.settle();
  }
  assert.equal(network.open.length, 2);
});

test('a new process of it is tried at once', () => {
  const site = new Site(['sync', 'heartbeat']);
  const { network, clock } = site;
  for (let time = 0; time < 3; time++) {
    network.open[0]!.ends[0]!.onBytes(new Uint8Array(HEADER_LENGTH));
    clock.advance(1000);
    network.settle();
  }
  assert.equal(network.open.length, 0);
  site.begin(1, 99);
  const [link] = network.sides[0].links;
  network.sides[0].handlers!.onDatagram(link!, wireOf(2).encodeDatagram(beat(99)));
  clock.advance(100);
  network.settle();
  assert.equal(network.open.length, 1);
});

test('datagrams leave on every link, are answered on theirs, and tell how long a link takes', () => {
  const site = new Site(['sync', 'heartbeat']);
  const [a, b] = site.network.sides;
  site.nodes[0]!.sendDatagram(2, { ...beat(10), sentAt: site.clock.now() } as Datagram);
  assert.deepEqual(
    a.datagrams.map(({ link }) => link.number),
    [1, 2],
  );
  site.clock.advance(8);
  b.handlers!.onDatagram(b.links[1]!, a.datagrams[1]!.bytes);
  assert.deepEqual(
    site.datagrams.map(({ from, on }) => [from, on]),
    [[1, 'heartbeat']],
  );
  assert.deepEqual(
    b.datagrams.map(({ link }) => link.number),
    [2],
  );
  a.handlers!.onDatagram(a.links[1]!, b.datagrams[0]!.bytes);
  const [sync, heartbeat] = site.nodes[0]!.statistics;
  assert.deepEqual([sync!.counters.roundTripMs, heartbeat!.counters.roundTripMs], [undefined, 8]);
  assert.deepEqual([heartbeat!.counters.datagramsSent, heartbeat!.counters.datagramsReceived], [1, 1]);
});

test('a datagram of somebody else, or none at all, is as if it had never been sent, and told of once', () => {
  const site = new Site(['heartbeat']);
  const [, b] = site.network.sides;
  const receive = (bytes: Uint8Array): void => b.handlers!.onDatagram(b.links[0]!, bytes);
  for (let time = 0; time < 3; time++) receive(wireOf(3).encodeDatagram(beat(1)));
  receive(wireOf(1, 'e'.repeat(32)).encodeDatagram(beat(1)));
  receive(Uint8Array.of(1, 2, 3));
  assert.deepEqual(site.datagrams, []);
  assert.deepEqual(site.told('partner.datagramRefused'), ['otherSender', 'wrongLength']);
  assert.equal(site.nodes[1]!.statistics[0]!.counters.datagramsRefused, 5);
});

test('links count what they carry', () => {
  const site = new Site(['sync']);
  site.nodes[0]!.send(2, write(4096));
  site.network.settle();
  const [sent, received] = site.nodes.map((node) => node.statistics[0]!.counters);
  assert.equal(received!.bytesReceived, sent!.bytesSent);
  assert.equal(received!.framesReceived, sent!.framesSent);
  assert.ok(sent!.bytesSent > 4096);
  assert.deepEqual([sent!.connections, sent!.open], [1, 1]);
  site.network.open[0]!.break();
  assert.deepEqual(
    site.nodes.map((node) => node.statistics[0]!.counters.open),
    [0, 0],
  );
});

test('after close nothing is connected and nothing arrives', () => {
  const site = new Site(['sync', 'heartbeat']);
  site.nodes[0]!.close();
  assert.deepEqual(site.network.connections[0]!.endedBy, ['closed']);
  site.clock.advance(5000);
  assert.equal(site.network.connections.length, 1);
  const [a] = site.network.sides;
  a.handlers!.onDatagram(a.links[1]!, wireOf(2).encodeDatagram(beat(1)));
  assert.deepEqual(site.datagrams, []);
});
