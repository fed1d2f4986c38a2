/** Goal: connections of nodes reach the engine of their device, others cost little. Method: arrivals and a clock made here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodePreamble } from '../base/partner-preamble.ts';
import type { Arrival } from '../ports/process.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { createPartnerRouter, PREAMBLE_MS_MAX } from './partner-router.ts';

const DEVICE = 'd'.repeat(32);

interface Peer extends Arrival {
  dropped: boolean;
  /** Whether the router wants more. */
  receive(bytes: Uint8Array): boolean;
  leave(): void;
}

function newPeer(): Peer {
  let onBytes: (bytes: Uint8Array) => boolean = () => false;
  let onClosed = (): void => undefined;
  return {
    localAddress: '192.0.2.1:3262',
    remoteAddress: '192.0.2.2:1000',
    remoteHost: '192.0.2.2',
    dropped: false,
    read: (bytes, closed) => {
      onBytes = bytes;
      onClosed = closed;
    },
    send: () => undefined,
    drop() {
      this.dropped = true;
    },
    receive: (bytes) => onBytes(bytes),
    leave: () => onClosed(),
  };
}

function setUp() {
  const clock = new ManualClock();
  const handed: { readonly engine: number; readonly head: Uint8Array }[] = [];
  const refused: unknown[] = [];
  const router = createPartnerRouter({
    clock,
    trace: (_level, event, fields) => {
      if (event === 'partner.arrival.refused') refused.push(fields!['why']);
    },
    ownerOf: (device) => (device === DEVICE ? 1 : undefined),
    handOver: (engine, _arrival, head) => void handed.push({ engine, head }),
  });
  return { clock, handed, refused, router };
}

test('who measures a link is answered by the first engine, whatever device is named', () => {
  const { handed, router } = setUp();
  const peer = newPeer();
  router.arrive(peer);
  peer.receive(encodePreamble({ kind: 'measure', device: '0'.repeat(32), link: 1 }));
  assert.deepEqual(
    handed.map(({ engine }) => engine),
    [0],
  );
});

test('a question about a device that no engine has is answered by the first one: that it is not there', () => {
  const { handed, refused, router } = setUp();
  for (const device of [DEVICE, '0'.repeat(32)]) {
    const peer = newPeer();
    router.arrive(peer);
    peer.receive(encodePreamble({ kind: 'command', device, link: 1 }));
  }
  assert.deepEqual(
    handed.map(({ engine }) => engine),
    [1, 0],
  );
  assert.deepEqual(refused, []);
});

test('a preamble in any pieces leads to the engine, with all that came behind it', () => {
  const bytes = Uint8Array.of(...encodePreamble({ kind: 'heartbeat', device: DEVICE, link: 3 }), 22, 3, 1);
  for (const step of [1, 10, 24, 27]) {
    const { handed, router } = setUp();
    const peer = newPeer();
    router.arrive(peer);
    assert.equal(router.waiting, 1);
    let at = 0;
    do {
      at += step;
      // The memory that it comes in is used again.
      const piece = bytes.slice(at - step, at);
      const wantsMore = peer.receive(piece);
      piece.fill(0);
      assert.equal(wantsMore, at < 24);
    } while (at < 24);
    assert.deepEqual(handed, [{ engine: 1, head: bytes.slice(0, at) }]);
    assert.equal(router.waiting, 0);
  }
});

test('what is no preamble, of a later version, of no known kind or for another device is dropped, and the trace says why', () => {
  const good = encodePreamble({ kind: 'sync', device: DEVICE, link: 1 });
  const changed = (at: number, to: number): Uint8Array => good.with(at, to);
  for (const [bytes, why] of [
    [changed(0, 0), 'notAPreamble'],
    [changed(4, 2), 'otherVersion'],
    [changed(5, 9), 'unknownKind'],
    [changed(23, 0), 'unknownDevice'],
  ] as const) {
    const { handed, refused, router } = setUp();
    const peer = newPeer();
    router.arrive(peer);
    assert.equal(peer.receive(bytes), false);
    assert.ok(peer.dropped);
    assert.deepEqual([handed, refused, router.waiting], [[], [why], 0]);
  }
});

test('who is too slow is dropped, who goes away is forgotten, and a stop drops the rest', () => {
  const { clock, router } = setUp();
  const [slow, gone, last] = [newPeer(), newPeer(), newPeer()];
  router.arrive(slow);
  slow.receive(Uint8Array.of(1));
  router.arrive(gone);
  gone.leave();
  assert.equal(router.waiting, 1);
  clock.advance(PREAMBLE_MS_MAX);
  assert.ok(slow.dropped);
  router.arrive(last);
  router.stop();
  assert.ok(last.dropped);
  assert.equal(router.waiting, 0);
  const late = newPeer();
  router.arrive(late);
  assert.ok(late.dropped);
});
