/**
 * Goal: unfinished logins cost little and never keep a working initiator out. Method: arrivals and a clock made here.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../ports/clock.ts';
import type { Arrival } from '../ports/process.ts';
import {
  createLoginRouter,
  FIRST_LOGIN_MS_MAX,
  HALF_OPEN_MAX,
  HALF_OPEN_PER_SOURCE_MAX,
  type LoginRouter,
} from './login-router.ts';

interface Peer extends Arrival {
  dropped: boolean;
  /** Whether the router wants more. */
  receive(bytes: Uint8Array): boolean;
  leave(): void;
}

function peerFrom(host: string): Peer {
  let onBytes: (bytes: Uint8Array) => boolean = () => false;
  let onClosed = (): void => undefined;
  return {
    localAddress: '192.0.2.1:3260',
    remoteAddress: `${host}:1000`,
    remoteHost: host,
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

function manualClock(): Clock & { advance(ms: number): void } {
  let now = 0;
  const timers = new Set<{ at: number; action: () => void }>();
  return {
    now: () => now,
    after: (delayMs, action) => {
      const timer = { at: now + delayMs, action };
      timers.add(timer);
      return { cancel: () => timers.delete(timer) };
    },
    advance: (ms) => {
      now += ms;
      for (const timer of timers) {
        if (timer.at > now) continue;
        timers.delete(timer);
        timer.action();
      }
    },
  };
}

function setUp(): { router: LoginRouter; clock: ReturnType<typeof manualClock>; handed: number[] } {
  const clock = manualClock();
  const handed: number[] = [];
  const router = createLoginRouter({
    clock,
    trace: () => undefined,
    ownerOf: (name) => (name === 'iqn.2026-11.com.example:b' ? 1 : 0),
    handOver: (engine) => handed.push(engine),
  });
  return { router, clock, handed };
}

function login(target: string): Uint8Array {
  const data = new TextEncoder().encode(`SessionType=Normal\0TargetName=${target}\0`);
  const pdu = new Uint8Array(48 + ((data.length + 3) & ~3));
  pdu[0] = 0x43;
  pdu[1] = 0x87;
  pdu[7] = data.length;
  pdu.set(data, 48);
  return pdu;
}

test('each login goes to the engine of its target, and reading stops there', () => {
  const { router, handed } = setUp();
  for (const name of ['a', 'b', 'unknown']) {
    const peer = peerFrom('192.0.2.9');
    router.arrive(peer);
    assert.equal(peer.receive(login(`iqn.2026-11.com.example:${name}`)), false);
    assert.equal(peer.dropped, false);
  }
  assert.deepEqual(handed, [0, 1, 0]);
  assert.equal(router.halfOpen, 0);
});

test('a peer that does not finish its Login Request is dropped at the deadline', () => {
  const { router, clock } = setUp();
  const peer = peerFrom('192.0.2.9');
  router.arrive(peer);
  for (let at = 0; at < 14; at += 1) {
    assert.equal(peer.receive(Uint8Array.of(0x43)), true);
    clock.advance(FIRST_LOGIN_MS_MAX / 15);
  }
  assert.equal(peer.dropped, false);
  clock.advance(FIRST_LOGIN_MS_MAX / 15);
  assert.equal(peer.dropped, true);
  assert.equal(router.halfOpen, 0);
});

test('the longest waiting of a source makes room, and a working initiator behind it still gets in', () => {
  const { router, handed } = setUp();
  const idle = Array.from({ length: HALF_OPEN_PER_SOURCE_MAX + 10 }, () => peerFrom('192.0.2.9'));
  for (const peer of idle) router.arrive(peer);
  assert.equal(idle.filter((peer) => peer.dropped).length, 10);
  assert.equal(idle[0]!.dropped, true);
  const working = peerFrom('192.0.2.9');
  router.arrive(working);
  working.receive(login('iqn.2026-11.com.example:b'));
  assert.deepEqual(handed, [1]);
});

test('many sources together are bounded too', () => {
  const { router } = setUp();
  for (let at = 0; at < HALF_OPEN_MAX * 2; at += 1) router.arrive(peerFrom(`198.51.100.${at % 250}`));
  assert.equal(router.halfOpen, HALF_OPEN_MAX);
});

test('peers that go away by themselves are forgotten, and a stop drops the rest', () => {
  const { router } = setUp();
  const peers = [peerFrom('192.0.2.9'), peerFrom('192.0.2.9')] as const;
  for (const peer of peers) router.arrive(peer);
  peers[0].leave();
  assert.equal(router.halfOpen, 1);
  router.stop();
  assert.equal(router.halfOpen, 0);
  assert.deepEqual([peers[0].dropped, peers[1].dropped], [false, true]);
  const late = peerFrom('192.0.2.9');
  router.arrive(late);
  assert.equal(late.dropped, true);
});
