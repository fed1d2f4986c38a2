/**
 * Goal: of a session whose initiator may have gone on by another node nothing begins any more. Method: a target with a guard at
 * the wire, and one without; time that moves when told.
 */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Bench, openBench, RawInitiator, TARGET } from './testing/raw-initiator.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

const LIMITS = { pingAfterSilentMs: 1000, deadAfterPingMs: 1500, stalledSendMs: 5000 };

function guarded() {
  let hasStoodStill = false;
  const guard = { limits: LIMITS, stoodStill: () => hasStoodStill };
  const bench = openBench({}, {}, { guard });
  return { bench, initiator: loggedIn(bench), standStill: () => void (hasStoodStill = true) };
}

function loggedIn(bench: Bench, isid = 1): RawInitiator {
  const initiator = new RawInitiator(bench);
  initiator.login({ isid });
  return initiator;
}

function pong(initiator: RawInitiator): void {
  const ping = initiator.responses().at(-1)!;
  assert.equal(ping.opcode, 0x20);
  initiator.request({ opcode: 0x00, itt: 0xffffffff, words: { 20: ping.word(20) } });
}

test('a silent session is asked after a second, and lives as long as it answers', () => {
  const { bench, initiator } = guarded();
  for (let times = 0; times < 10; times++) {
    bench.clock.advance(1000);
    pong(initiator);
  }
  assert.equal(initiator.stream.ended, 'open');
});

test('after 2.5 s of silence its tasks are gone, and then its connection', () => {
  const { bench, initiator } = guarded();
  initiator.command({ itt: 5 });
  bench.clock.advance(1000);
  assert.equal(initiator.responses().length, 1);
  bench.clock.advance(1499);
  assert.equal(initiator.stream.ended, 'open');
  bench.clock.advance(1);
  assert.equal(initiator.stream.ended, 'aborted');
  assert.equal(bench.device.last.isClosed, true);
});

test('what comes after that is not looked at, though no timer has been heard yet', () => {
  const { bench, initiator } = guarded();
  // Time goes on and nothing that was to happen has happened.
  const { clock } = bench;
  const now = clock.now.bind(clock);
  clock.now = () => now() + 2500;
  initiator.command({ itt: 5 });
  assert.equal(bench.device.last.tasks.length, 0);
  assert.equal(initiator.stream.ended, 'aborted');
});

test('while it takes nothing of what is sent it has more time to answer', () => {
  const { bench, initiator } = guarded();
  initiator.stream.backlog = 1;
  bench.clock.advance(4999);
  assert.equal(initiator.stream.ended, 'open');
  bench.clock.advance(1);
  assert.equal(initiator.stream.ended, 'aborted');
});

test('what was sent to a process that stood still is not looked at', () => {
  const { bench, initiator, standStill } = guarded();
  standStill();
  initiator.command({ itt: 5 });
  assert.equal(bench.device.last.tasks.length, 0);
  assert.equal(initiator.stream.ended, 'aborted');
});

test('a login that had to wait for the end of an old session was not silent meanwhile', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { bench, initiator } = guarded();
  bench.device.closing = promise;
  initiator.command({ itt: 5 });
  const second = new RawInitiator(bench);
  assert.equal(second.login({ isid: 1 }), undefined, 'the old nexus is still closing');
  bench.clock.advance(2400);
  resolve();
  await new Promise((done) => void setImmediate(done));
  bench.clock.advance(900);
  second.command({ itt: 6 });
  assert.equal(second.stream.ended, 'open');
  assert.equal(bench.device.last.tasks.length, 1);
});

test('other targets of the node keep their patience', () => {
  const initiator = loggedIn(openBench());
  initiator.bench.clock.advance(9000);
  initiator.command({ itt: 5 });
  assert.equal(initiator.stream.ended, 'open');
  assert.equal(initiator.bench.device.last.tasks.length, 1);
});

test('all sessions of one target can be dropped at once, and come back', () => {
  const bench = openBench();
  const initiators = [loggedIn(bench, 1), loggedIn(bench, 2)];
  for (const initiator of initiators) initiator.command({ itt: 5 });
  bench.node.dropSessions('iqn.2026-01.test:another', 'test');
  assert.deepEqual([bench.node.sessions().length, initiators[0]!.stream.ended], [2, 'open']);
  bench.node.dropSessions(TARGET, 'test');
  assert.equal(bench.node.sessions().length, 0);
  for (const initiator of initiators) {
    assert.equal(initiator.stream.ended, 'aborted');
    assert.equal(initiator.responses().length, 0);
  }
  assert.ok(bench.device.nexuses.every(({ isClosed }) => isClosed));
  loggedIn(bench, 1);
  assert.equal(bench.node.sessions().length, 1);
});
