/** Sessions and connections from login to their end at the wire (RFC 7143 §4.4, §6.3, §11.14, §11.9). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Status, type Task } from '../ports/scsi-target.ts';
import { answering, bytes, ready, writing } from './testing/ready.ts';
import { INITIATOR, openBench, RawInitiator, TARGET } from './testing/raw-initiator.ts';
import { rawPdu, text } from './testing/raw-pdu.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('logout closes the session: tasks are gone, the response is the last PDU', () => {
  const { initiator, device, stream, node } = ready();
  initiator.command({ itt: 5 });
  initiator.request({ opcode: 0x06, flags: 0x80, itt: 6 });
  const [logout, ...rest] = initiator.responses();
  assert.deepEqual([logout!.opcode, logout!.byte2, logout!.itt, rest.length], [0x26, 0, 6, 0]);
  assert.equal(logout!.word(40), 2 << 16, 'Time2Wait 2, Time2Retain 0');
  assert.equal(device.last.isClosed, true);
  assert.equal(stream.ended, 'closed');
  assert.equal(node.sessions().length, 0);
});

test('the logout response waits until nothing of the session can touch the medium', async () => {
  const { initiator, device, stream } = ready();
  const { promise, resolve } = Promise.withResolvers<void>();
  device.closing = promise;
  initiator.request({ opcode: 0x06, flags: 0x80, itt: 6 });
  assert.equal(initiator.responses().length, 0);
  resolve();
  await promise;
  await Promise.resolve();
  assert.equal(initiator.responses()[0]!.opcode, 0x26);
  assert.equal(stream.ended, 'closed');
});

test('logout of another connection, for recovery, or for no reason we know is refused and the session lives', () => {
  const { initiator } = answering(ready());
  initiator.request({ opcode: 0x06, flags: 0x81, itt: 6, words: { 20: 9 << 16 } });
  initiator.request({ opcode: 0x06, flags: 0x82, itt: 7 });
  initiator.request({ opcode: 0x06, flags: 0x85, itt: 8 });
  initiator.command({ itt: 9 });
  assert.deepEqual(
    initiator.responses().map((response) => [response.opcode, response.byte2]),
    [
      [0x26, 1],
      [0x26, 2],
      [0x3f, 9],
      [0x21, 0],
    ],
  );
});

test('logout of the own connection by its CID ends the session', () => {
  const { initiator, stream } = ready();
  initiator.request({ opcode: 0x06, flags: 0x81, itt: 6, words: { 20: 0 } });
  assert.deepEqual([initiator.responses()[0]!.byte2, stream.ended], [0, 'closed']);
});

test('a new session of the same name replaces the old one, whose nexus closes first', async () => {
  const { bench, initiator, device, node } = ready();
  initiator.command({ itt: 5 });
  const { promise, resolve } = Promise.withResolvers<void>();
  device.closing = promise;
  const again = new RawInitiator(bench);
  assert.equal(again.login(), undefined, 'no answer while the old nexus is closing');
  assert.equal(device.nexuses[0]!.isClosed, true);
  resolve();
  await promise;
  await new Promise((done) => setImmediate(done));
  const [response] = again.responses();
  assert.equal(response!.word(36) >>> 16, 0);
  assert.equal(initiator.stream.ended, 'closed');
  assert.equal(node.sessions().length, 1);
  assert.equal(device.nexuses.length, 2);
});

test('sessions with different ISIDs live side by side', () => {
  const { bench, initiator, node } = answering(ready());
  const other = new RawInitiator(bench);
  other.login({ isid: 2 });
  initiator.command({ itt: 1 });
  other.command({ itt: 1 });
  assert.equal(initiator.responses().length + other.responses().length, 2);
  assert.deepEqual(
    node.sessions().map(({ initiatorName, targetName }) => [initiatorName, targetName]),
    [
      [INITIATOR, TARGET],
      [INITIATOR, TARGET],
    ],
  );
  assert.notEqual(initiator.tsih, other.tsih);
});

test('the same connection that comes back takes its session over, without the old tasks', () => {
  const { bench, initiator, device, node } = ready();
  initiator.command({ itt: 5 });
  const again = new RawInitiator(bench);
  const response = again.login({ tsih: initiator.tsih, cmdSN: 2 });
  assert.equal(response!.word(36) >>> 16, 0);
  assert.equal(again.tsih, initiator.tsih);
  assert.equal(initiator.stream.ended, 'aborted');
  assert.equal(device.nexuses[0]!.isClosed, true);
  device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD);
  again.command({ itt: 5 });
  assert.equal(again.responses()[0]!.itt, 5);
  assert.equal(node.sessions().length, 1);
});

test('a second connection, or one to a session that is not there, is refused', () => {
  const { bench, initiator } = ready();
  const second = new RawInitiator(bench);
  assert.equal(second.login({ tsih: initiator.tsih, cid: 1 })!.word(36) >>> 16, 0x0206);
  const lost = new RawInitiator(bench);
  assert.equal(lost.login({ tsih: 0x7777 })!.word(36) >>> 16, 0x020a);
});

test('a lost connection abandons the tasks and frees what they held', () => {
  const context = ready();
  writing(context, 4096);
  context.initiator.command({ itt: 5, write: 4096, data: bytes(512) });
  context.stream.hangUp('reset');
  assert.equal(context.device.last.isClosed, true);
  assert.equal(context.stream.retained, 0);
  assert.equal(context.node.sessions().length, 0);
  assert.equal(context.node.connections, 0);
});

test('a connection lost at any byte of a command leaves nothing behind', () => {
  const command = rawPdu({
    word0: 0x01a10000,
    words: { 16: 5, 20: 512, 24: 1, 28: 1, 32: 0x2a000000 },
    data: bytes(512),
  });
  for (let cut = 0; cut < command.length; cut += 7) {
    const { stream, device, node } = ready();
    stream.feed(command.subarray(0, cut));
    stream.hangUp();
    assert.equal(device.last.tasks.length, 0);
    assert.equal(stream.retained, 0);
    assert.equal(node.sessions().length, 0);
  }
});

test('a graceful stop asks for logout and ends the sessions that do not', async () => {
  const { initiator, node, clock, stream } = ready();
  const stopped = node.stop(true, 3000);
  const [message] = initiator.responses();
  assert.deepEqual([message!.opcode, message!.itt], [0x32, 0xffffffff]);
  assert.deepEqual([message!.word(36) >>> 24, message!.word(40) & 0xffff, message!.statSN], [1, 3, 1]);
  clock.advance(3000);
  await stopped;
  assert.equal(stream.ended, 'closed');
});

test('a graceful stop is over as soon as everybody has logged out', async () => {
  const { initiator, node } = ready();
  const stopped = node.stop(true, 60_000);
  initiator.responses();
  initiator.request({ opcode: 0x06, flags: 0x80, itt: 7 });
  await stopped;
  assert.equal(node.sessions().length, 0);
});

test('removing a target ends its sessions and refuses new ones', async () => {
  const { bench, node, stream } = ready();
  await node.removeTarget(TARGET);
  assert.equal(stream.ended, 'closed');
  const late = new RawInitiator(bench);
  assert.notEqual(late.login()!.word(36) >>> 16, 0);
});

test('login that takes longer than 15 seconds is over', () => {
  const bench = openBench();
  const idle = new RawInitiator(bench);
  idle.stream.feed(new Uint8Array(20));
  bench.clock.advance(15_000);
  assert.equal(idle.stream.ended, 'aborted');
  assert.equal(bench.node.connections, 0);
});

test('half-open connections of one source are bounded; the oldest goes', () => {
  const bench = openBench();
  const all = Array.from({ length: 130 }, () => new RawInitiator(bench));
  assert.equal(bench.node.connections, 128);
  assert.deepEqual([all[0]!.stream.ended, all[2]!.stream.ended], ['aborted', 'open']);
});

test('discovery sessions of one source are bounded with them, so that they keep nobody out', () => {
  const bench = openBench();
  const normal = new RawInitiator(bench);
  assert.equal(normal.login()?.byte3, 0);
  const all = Array.from({ length: 130 }, (_, isid) => {
    const initiator = new RawInitiator(bench);
    initiator.login({ discovery: true, isid: isid + 2 });
    return initiator;
  });
  assert.equal(bench.node.connections, 1 + 128);
  assert.equal(bench.node.sessions().length, 1 + 128);
  assert.deepEqual(
    [all[0]!, all[2]!, normal].map(({ stream }) => stream.ended),
    ['aborted', 'open', 'open'],
  );
});

test('responses that were sent before the handoff are not sent again, and StatSN goes on behind them', () => {
  const bench = openBench();
  const initiator = new RawInitiator(bench, { answered: 1 });
  const head = { 8: 0x80123456, 12: 1 << 16, 16: 7, 20: 0, 24: 1, 28: 0 };
  initiator.feed({ word0: 0x43440000, words: head, data: text([`InitiatorName=${INITIATOR}`]) });
  assert.equal(initiator.responses().length, 0);
  initiator.feed({ word0: 0x43870000, words: head, data: text([`TargetName=${TARGET}`]) });
  const [response] = initiator.responses();
  assert.deepEqual([response!.flags, response!.word(36) >>> 16, response!.statSN], [0x87, 0, 1]);
});

test('a peer that takes nothing stops being read, and waiting commands run when it takes again', () => {
  const { initiator, stream, device } = ready();
  const data = bytes(2 * 1024 * 1024);
  device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, data);
  stream.stalled = true;
  initiator.command({ itt: 1, read: data.length });
  assert.equal(stream.paused, true);
  initiator.command({ itt: 2, read: 512 });
  assert.equal(device.last.tasks.length, 1, 'nothing is read for a peer that takes nothing');
  stream.stalled = false;
  stream.take();
  assert.equal(stream.paused, false);
  assert.equal(device.last.tasks.length, 2);
  stream.take();
});

test('commands whose data does not fit the session wait for their turn', () => {
  const { initiator, device } = ready();
  const tasks: Task[] = device.last.tasks as Task[];
  for (let itt = 1; itt <= 5; itt++) initiator.command({ itt, read: 20 * 1024 * 1024 });
  assert.equal(tasks.length, 3);
  device.last.finish(tasks[0]!, Status.GOOD);
  assert.deepEqual(
    tasks.map(({ tag }) => tag),
    [1, 2, 3, 4],
  );
  for (const task of [...tasks].slice(1)) device.last.finish(task, Status.GOOD);
  device.last.finish(tasks[4]!, Status.GOOD);
});

test('data that the initiator has not taken yet still counts', () => {
  const { initiator, device, stream } = ready();
  const tasks: Task[] = device.last.tasks as Task[];
  const data = bytes(20 * 1024 * 1024);
  stream.stalled = true;
  for (let itt = 1; itt <= 5; itt++) initiator.command({ itt, read: data.length });
  assert.equal(tasks.length, 3);
  for (const task of tasks.slice(0, 3)) device.last.finish(task, Status.GOOD, data);
  assert.equal(tasks.length, 3, 'nothing more is read for a peer that takes nothing');
  stream.stalled = false;
  stream.take();
  stream.endTurn();
  stream.take();
  assert.equal(tasks.length, 5);
  for (const task of tasks.slice(3)) device.last.finish(task, Status.GOOD);
});

test('immediate commands whose data does not fit the session are rejected', () => {
  const { initiator, device } = ready();
  const tasks = device.last.tasks;
  for (let itt = 1; itt <= 5; itt++) initiator.command({ itt, read: 20 * 1024 * 1024, immediate: true });
  initiator.command({ itt: 6, immediate: true });
  assert.deepEqual(
    tasks.map(({ tag }) => tag),
    [1, 2, 3, 6],
  );
  assert.deepEqual(
    initiator.responses().map(({ opcode, byte2 }) => [opcode, byte2]),
    [
      [0x3f, 6],
      [0x3f, 6],
    ],
  );
  for (const task of tasks) device.last.finish(task, Status.GOOD);
});
