// Goal: links break in every way that matters, and never in a way that TCP does not allow. Method: two endpoints, two
// links, one fault each.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../src/base/prng.ts';
import type { Host } from './host.ts';
import { createHost } from './host.ts';
import type { Link } from './link.ts';
import type { Network } from './network.ts';
import { createNetwork } from './network.ts';
import type { Scheduler } from './scheduler.ts';
import { createScheduler } from './scheduler.ts';
import type { StreamEnd, StreamHandlers } from './stream.ts';
import { BACKLOG_HIGH } from './stream.ts';
import { createTrace } from './trace.ts';

interface Rig {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly hosts: readonly Host[];
  readonly links: readonly Link[];
  /** At endpoint 1. */
  readonly accepted: StreamEnd[];
  readonly seen: unknown[];
  readonly events: string[];
  readonly connect: (link?: Link) => StreamEnd;
}

function createRig(): Rig {
  const scheduler = createScheduler();
  const network = createNetwork({
    scheduler,
    random: createPrng(3),
    trace: createTrace(() => scheduler.now()),
  });
  const [accepted, seen, events]: [StreamEnd[], unknown[], string[]] = [[], [], []];
  const handlers = (name: string): StreamHandlers => ({
    onOpen: () => events.push(`${name} open`),
    onMessage: (message) => seen.push(message),
    onDrained: () => events.push(`${name} drained`),
    onClosed: (cause) => events.push(`${name} ${cause}`),
  });
  const hosts = [0, 1].map((id) => createHost({ id, scheduler, random: createPrng(id), drift: 0 }));
  for (const host of hosts)
    network.attach(host, {
      onConnection(end) {
        accepted.push(end);
        return handlers('server');
      },
      onDatagram: (_, __, message) => seen.push(message),
    });
  const delay = { minMs: 0.1, meanMs: 1, spikeChance: 0.05, spikeMeanMs: 20 };
  const links = [0, 1].map((index) =>
    network.addLink({ kind: 'sync', index, ends: [0, 1], delay, bytesPerMs: Infinity }),
  );
  const connect = (link = links[0]!): StreamEnd => network.connect(link, 0, handlers('client'));
  return { scheduler, network, hosts, links, accepted, seen, events, connect };
}

const isSorted = (values: readonly unknown[]): boolean =>
  values.every((value, i) => i === 0 || (value as number) > (values[i - 1] as number));

test('a stream keeps its order over cuts; streams of two links overtake each other', () => {
  const { scheduler, network, links, seen, connect } = createRig();
  const ends = links.map((link) => connect(link));
  for (let i = 0; i < 200; i++) {
    scheduler.run(scheduler.now() + 1);
    ends[i % 2]!.send(i, 100);
    if (i % 40 === 10) {
      const heal = network.cut((_, from) => from === i % 2);
      scheduler.after(15, heal);
    }
  }
  scheduler.run(5000);
  assert.equal(seen.length, 200);
  assert.ok(!isSorted(seen));
  for (const rest of [0, 1]) assert.ok(isSorted(seen.filter((value) => (value as number) % 2 === rest)));
});

test('a one-way cut stops one direction; the acknowledgements of the other one are missed', () => {
  const { scheduler, network, accepted, seen, connect } = createRig();
  const client = connect();
  scheduler.run(100);
  const heal = network.cut((_, from) => from === 0);
  client.send('there', 10);
  accepted[0]!.send('back', 10);
  scheduler.run(200);
  assert.deepEqual(seen, ['back']);
  assert.equal(accepted[0]!.backlog, 10);
  heal();
  scheduler.run(300);
  assert.deepEqual(seen, ['back', 'there']);
  assert.equal(accepted[0]!.backlog, 0);
});

test('a receiver that pauses makes the sender stop, and go on when it has drained', () => {
  const { scheduler, accepted, seen, events, connect } = createRig();
  const client = connect();
  scheduler.run(100);
  accepted[0]!.pause();
  let sent = 0;
  while (client.send(sent, 4096)) sent++;
  sent++;
  assert.ok(client.backlog > BACKLOG_HIGH);
  scheduler.run(1000);
  assert.deepEqual(seen, []);
  accepted[0]!.resume();
  scheduler.run(2000);
  assert.equal(seen.length, sent);
  assert.ok(events.includes('client drained'));
  assert.throws(() => {
    accepted[0]!.pause();
    for (;;) client.send(0, 4096);
  }, /back-pressure/);
});

test('what was sent while a link was slow does not stay slow when that is over', () => {
  const { scheduler, network, seen, connect } = createRig();
  const client = connect();
  scheduler.run(100);
  const undo = network.degrade(() => true, { delayFactor: 1e6 });
  for (let at = 0; at < 20; at++) client.send(at, 1000);
  scheduler.run(200);
  assert.deepEqual(seen, []);
  undo();
  client.send(20, 1000);
  scheduler.run(300);
  assert.deepEqual(
    seen,
    Array.from({ length: 21 }, (_, at) => at),
  );
});

test('a reset loses what is on the way and tells both ends', () => {
  const { scheduler, network, seen, events, connect } = createRig();
  const client = connect();
  scheduler.run(100);
  client.send('lost', 10);
  assert.equal(
    network.resetConnections(() => true),
    1,
  );
  scheduler.run(200);
  assert.deepEqual(seen, []);
  assert.deepEqual(events.toSorted(), ['client open', 'client reset', 'server reset']);
  assert.equal(network.connections, 0);
});

test('what was sent before a close arrives after a cut has healed; an abort takes it back', () => {
  for (const how of ['close', 'abort'] as const) {
    const { scheduler, network, seen, events, connect } = createRig();
    const client = connect();
    scheduler.run(100);
    const heal = network.cut(() => true);
    client.send('old command', 10);
    client[how]();
    scheduler.run(1000);
    heal();
    scheduler.run(2000);
    assert.deepEqual(seen, how === 'close' ? ['old command'] : []);
    assert.equal(events.at(-1), how === 'close' ? 'server closed' : 'server reset');
  }
});

test('a crashed process is reset at once; a machine without power is silent until it is back', () => {
  for (const how of ['process', 'power'] as const) {
    const { scheduler, network, hosts, events, connect } = createRig();
    const client = connect();
    scheduler.run(100);
    hosts[1]!.crash();
    network.hostDown(1, how);
    client.send('anybody?', 10);
    scheduler.run(5000);
    assert.equal(events.includes('client reset'), how === 'process');
    hosts[1]!.restart();
    network.hostUp(1);
    scheduler.run(6000);
    assert.equal(events.at(-1), 'client reset');
    assert.equal(network.connections, 0);
  }
});

test('datagrams are lost, doubled and overtaken as asked', () => {
  const { scheduler, network, links, seen } = createRig();
  const undo = network.degrade((_, from) => from === 0, { loss: 0.3, duplication: 0.3 });
  for (let i = 0; i < 1000; i++) network.sendDatagram(links[0]!, 0, i, 64);
  scheduler.run(1000);
  const distinct = new Set(seen).size;
  assert.ok(distinct < 850 && distinct > 650, `${distinct} arrived`);
  assert.ok(seen.length > distinct + 100);
  assert.ok(!isSorted(seen));
  undo();
  seen.length = 0;
  for (let i = 0; i < 100; i++) network.sendDatagram(links[0]!, 0, i, 64);
  scheduler.run(2000);
  assert.equal(seen.length, 100);
});
