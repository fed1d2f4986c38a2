/** Command numbering, rejects and pings at the wire (RFC 7143 §4.2.2, §11.17–11.19). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { COMMANDS_MAX } from './limits.ts';
import { answering, bytes, ready } from './testing/ready.ts';
import { openBench, RawInitiator } from './testing/raw-initiator.ts';
import { rawPdu } from './testing/raw-pdu.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('commands in the window run in order and move ExpCmdSN and StatSN by one', () => {
  const { initiator, device } = answering(ready());
  for (let itt = 1; itt <= 3; itt++) initiator.command({ itt });
  const responses = initiator.responses();
  assert.deepEqual(
    responses.map(({ itt }) => itt),
    [1, 2, 3],
  );
  assert.deepEqual(
    responses.map(({ expCmdSN }) => expCmdSN),
    [2, 3, 4],
  );
  assert.deepEqual(
    responses.map(({ statSN }) => statSN),
    [1, 2, 3],
  );
  assert.equal(responses[2]!.maxCmdSN, 3 + COMMANDS_MAX);
  assert.equal(device.last.tasks.length, 3);
});

test('commands outside the window are dropped without a word', () => {
  const { initiator, device } = answering(ready({}, [], 100));
  initiator.command({ itt: 1, cmdSN: 99 });
  initiator.command({ itt: 2, cmdSN: 100 + COMMANDS_MAX });
  initiator.command({ itt: 3, cmdSN: (100 + 0x80000000) >>> 0 });
  assert.equal(initiator.responses().length, 0);
  assert.equal(device.last.tasks.length, 0);
  initiator.command({ itt: 4, cmdSN: 100 });
  assert.equal(initiator.responses()[0]!.expCmdSN, 101);
});

test('a duplicate CmdSN is dropped', () => {
  const { initiator, device } = answering(ready());
  initiator.command({ itt: 1, cmdSN: 1 });
  initiator.command({ itt: 2, cmdSN: 1 });
  initiator.command({ itt: 3, cmdSN: 3 });
  initiator.command({ itt: 4, cmdSN: 3 });
  assert.deepEqual(
    initiator.responses().map(({ itt }) => itt),
    [1],
  );
  assert.equal(device.last.tasks.length, 1);
});

test('commands out of order are held and run in the order of CmdSN', () => {
  const { initiator } = answering(ready());
  initiator.command({ itt: 3, cmdSN: 3 });
  initiator.command({ itt: 2, cmdSN: 2 });
  assert.equal(initiator.responses().length, 0);
  initiator.command({ itt: 1, cmdSN: 1 });
  const responses = initiator.responses();
  assert.deepEqual(
    responses.map(({ itt }) => itt),
    [1, 2, 3],
  );
  assert.equal(responses[2]!.expCmdSN, 4);
});

test('CmdSN wraps around', () => {
  const { initiator } = answering(ready({}, [], 0xfffffffe));
  for (let itt = 1; itt <= 4; itt++) initiator.command({ itt });
  assert.deepEqual(
    initiator.responses().map(({ expCmdSN }) => expCmdSN),
    [0xffffffff, 0, 1, 2],
  );
});

test('the window closes with as many commands outstanding as it allows, and opens when they end', () => {
  const context = ready();
  const { initiator, device } = context;
  for (let itt = 1; itt <= COMMANDS_MAX + 5; itt++) initiator.command({ itt });
  assert.equal(device.last.tasks.length, COMMANDS_MAX);
  device.last.finish(device.last.tasks[0]!, Status.GOOD);
  const response = initiator.responses()[0]!;
  assert.equal(response.expCmdSN, COMMANDS_MAX + 1);
  assert.equal(response.maxCmdSN, COMMANDS_MAX + 1);
});

test('an immediate command runs at once and moves no CmdSN', () => {
  const { initiator } = answering(ready());
  initiator.command({ itt: 2, cmdSN: 2 });
  initiator.command({ itt: 9, immediate: true, cmdSN: 1 });
  const responses = initiator.responses();
  assert.deepEqual(
    responses.map(({ itt, expCmdSN }) => [itt, expCmdSN]),
    [[9, 1]],
  );
});

test('too many immediate commands are rejected with reason 06h', () => {
  const { initiator, device } = ready();
  for (let itt = 1; itt <= 65; itt++) initiator.command({ itt, immediate: true });
  const [reject] = initiator.responses();
  assert.equal(device.last.tasks.length, 64);
  assert.deepEqual([reject!.opcode, reject!.byte2], [0x3f, 0x06]);
});

test('a malformed additional header is rejected as an invalid field and leaves the CmdSN open', () => {
  const { initiator, device } = answering(ready());
  initiator.command({ itt: 5, cmdSN: 1, ahs: Uint8Array.of(0, 200, 1, 0) });
  const [reject] = initiator.responses();
  assert.deepEqual([reject!.opcode, reject!.byte2, reject!.expCmdSN], [0x3f, 0x09, 1]);
  assert.equal(device.last.tasks.length, 0);
});

test('a Reject returns the header that was refused and advances StatSN', () => {
  const { initiator } = answering(ready());
  const unknown = { word0: 0x5c800000, words: { 16: 77, 24: 1, 28: 1 } };
  initiator.feed(unknown);
  initiator.command({ itt: 6 });
  const [reject, response] = initiator.responses();
  assert.deepEqual([reject!.opcode, reject!.byte2, reject!.itt, reject!.statSN], [0x3f, 0x05, 0xffffffff, 1]);
  assert.deepEqual(reject!.data, rawPdu(unknown));
  assert.equal(response!.statSN, 2);
});

test('SNACK is rejected: there is no recovery within a connection', () => {
  const { initiator } = ready();
  initiator.request({ opcode: 0x10, itt: 5 });
  assert.deepEqual(
    initiator.responses().map((reject) => [reject.opcode, reject.byte2]),
    [[0x3f, 0x03]],
  );
});

test('a Login Request in the full feature phase is a protocol error', () => {
  const { initiator } = ready();
  initiator.request({ opcode: 0x03, itt: 5 });
  assert.equal(initiator.responses()[0]!.byte2, 0x04);
});

test('NOP-Out is echoed with its data, up to what the initiator takes', () => {
  const { initiator } = ready({}, ['MaxRecvDataSegmentLength=512']);
  initiator.request({ opcode: 0x00, itt: 5, words: { 8: 0x10000, 20: 0xffffffff }, data: bytes(700) });
  const [nop] = initiator.responses();
  assert.deepEqual([nop!.opcode, nop!.flags, nop!.itt, nop!.word(20)], [0x20, 0x80, 5, 0xffffffff]);
  assert.deepEqual(
    nop!.data,
    bytes(512).map((_, index) => bytes(700)[index]!),
  );
  assert.equal(nop!.statSN, 1);
});

test('NOP-Out without a tag gets no answer; a numbered one takes its CmdSN', () => {
  const { initiator } = answering(ready());
  initiator.request({ opcode: 0x00, itt: 0xffffffff, words: { 20: 0xffffffff } });
  assert.equal(initiator.responses().length, 0);
  initiator.request({ opcode: 0x00, itt: 6, words: { 20: 0xffffffff }, immediate: false });
  assert.equal(initiator.responses()[0]!.expCmdSN, 2);
});

test('a silent initiator is pinged without advancing StatSN, and lives when it answers', () => {
  const { initiator, clock } = answering(ready());
  clock.advance(10_000);
  const [ping] = initiator.responses();
  assert.deepEqual([ping!.opcode, ping!.itt, ping!.statSN], [0x20, 0xffffffff, 1]);
  assert.notEqual(ping!.word(20), 0xffffffff);
  clock.advance(14_000);
  initiator.request({ opcode: 0x00, itt: 0xffffffff, words: { 20: ping!.word(20) } });
  assert.equal(initiator.responses().length, 0);
  clock.advance(5_000);
  assert.equal(initiator.stream.ended, 'open');
  initiator.command({ itt: 7 });
  assert.equal(initiator.responses()[0]!.statSN, 1);
});

test('a discovery session is not pinged, and ends when it stays silent', () => {
  const bench = openBench();
  const initiator = new RawInitiator(bench);
  initiator.login({ discovery: true });
  bench.clock.advance(24_000);
  assert.equal(initiator.responses().length, 0);
  assert.equal(initiator.stream.ended, 'open');
  bench.clock.advance(1_000);
  assert.equal(initiator.stream.ended, 'aborted');
});

test('an initiator that does not answer a ping is given up, its tasks before its connection', () => {
  const { initiator, clock, device, stream } = ready();
  initiator.command({ itt: 5 });
  let openWhenAbandoned: string | undefined;
  const task = device.last.tasks[0]!;
  const abandoned = task.abandoned.bind(task);
  (task as { abandoned: () => void }).abandoned = () => {
    openWhenAbandoned = stream.ended;
    abandoned();
  };
  clock.advance(10_000);
  assert.equal(initiator.responses().length, 1);
  clock.advance(15_000);
  assert.equal(stream.ended, 'aborted');
  assert.equal(openWhenAbandoned, 'open');
  assert.equal(device.last.isClosed, true);
});

test('a unit attention is reported in an asynchronous message where that is wanted', () => {
  const bench = openBench({}, { reportsUnitAttentions: true });
  const initiator = new RawInitiator(bench);
  initiator.login();
  bench.device.last.events.unitAttention(0x30000, 0, bytes(18));
  const [message] = initiator.responses();
  assert.deepEqual([message!.opcode, message!.word(36) >>> 24, message!.word(8)], [0x32, 0, 0x30000]);
  assert.deepEqual([...message!.data], [0, 18, ...bytes(18)]);
});
