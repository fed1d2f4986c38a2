/** Data-In, residuals, sense, extended CDBs and digests at the wire (RFC 7143 §11.4, §11.7, §13.1). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { bytes, ready, writing } from './testing/ready.ts';
import { rawPdu } from './testing/raw-pdu.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('a read travels in one Data-In with F, S and GOOD status', () => {
  const { initiator, device } = ready();
  const data = bytes(512);
  device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, data);
  initiator.command({ itt: 5, read: 512 });
  const [dataIn, ...rest] = initiator.responses();
  assert.equal(rest.length, 0);
  assert.deepEqual([dataIn!.opcode, dataIn!.flags, dataIn!.byte3], [0x25, 0x81, 0]);
  assert.deepEqual([dataIn!.word(20), dataIn!.word(36), dataIn!.word(40)], [0xffffffff, 0, 0]);
  assert.deepEqual(dataIn!.data, data);
});

test('a read is cut at MaxRecvDataSegmentLength and ends a sequence at MaxBurstLength', () => {
  const { initiator, device } = ready({}, ['MaxRecvDataSegmentLength=1024', 'MaxBurstLength=2048']);
  const data = bytes(5000);
  device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, data);
  initiator.command({ itt: 5, read: 5000 });
  const pdus = initiator.responses();
  assert.deepEqual(
    pdus.map((pdu) => [pdu.flags, pdu.word(36), pdu.word(40), pdu.data.length]),
    [
      [0x00, 0, 0, 1024],
      [0x80, 1, 1024, 1024],
      [0x00, 2, 2048, 1024],
      [0x80, 3, 3072, 1024],
      [0x81, 4, 4096, 904],
    ],
  );
  assert.deepEqual(Uint8Array.from(pdus.flatMap((pdu) => [...pdu.data])), data);
  assert.equal(pdus[4]!.statSN, 1);
});

test('residuals tell what a read lacked or had too much', () => {
  for (const [expected, available, flags, residual, length] of [
    [512, 100, 0x83, 412, 100],
    [100, 512, 0x85, 412, 100],
    [0, 512, 0x84, 512, 0],
    [512, 0, 0x82, 512, 0],
  ] as const) {
    const { initiator, device } = ready();
    device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, bytes(available));
    initiator.command({ itt: 5, read: expected });
    const [response] = initiator.responses();
    assert.deepEqual([response!.flags, response!.word(44), response!.data.length], [flags, residual, length]);
  }
});

test('residuals tell what a write lacked or had too much', () => {
  for (const [expected, wanted, flags, residual] of [
    [1024, 512, 0x82, 512],
    [512, 1024, 0x84, 512],
    [512, 512, 0x80, 0],
  ] as const) {
    const context = ready();
    const received = writing(context, wanted);
    context.initiator.command({ itt: 5, write: expected, data: bytes(expected) });
    const [response] = context.initiator.responses();
    assert.deepEqual([response!.opcode, response!.flags, response!.word(44)], [0x21, flags, residual]);
    assert.deepEqual(received[0], bytes(expected).subarray(0, Math.min(expected, wanted)));
  }
});

test('a command in both directions has a residual for each', () => {
  const { initiator, device } = ready();
  device.onTask = (task) => task.receiveDataOut(100);
  device.onData = (task) => device.last.finish(task, Status.GOOD, bytes(10));
  const ahs = Uint8Array.of(0, 5, 2, 0, 0, 0, 0, 64);
  initiator.command({ itt: 5, write: 512, read: 0, data: bytes(512), ahs });
  const [dataIn, response] = initiator.responses();
  assert.deepEqual([dataIn!.flags, dataIn!.data.length], [0x80, 10]);
  assert.deepEqual([response!.flags, response!.word(44), response!.word(40)], [0x80 | 0x08 | 0x02, 412, 54]);
  assert.equal(response!.word(36), 1, 'ExpDataSN counts the Data-In');
});

test('a read that turns out to want data has the residual of a write, and none for a second direction', () => {
  const { initiator, device } = ready();
  device.onTask = (task) => task.receiveDataOut(512);
  device.onData = (task) => device.last.finish(task, Status.GOOD);
  initiator.command({ itt: 5, read: 512 });
  const [response] = initiator.responses();
  assert.deepEqual([response!.flags, response!.word(44), response!.word(40)], [0x84, 512, 0]);
});

test('sense travels in the SCSI Response behind its length', () => {
  const { initiator, device } = ready();
  const sense = bytes(18);
  device.onTask = (task, nexus) => nexus.finish(task, Status.CHECK_CONDITION, undefined, sense);
  initiator.command({ itt: 5, read: 512 });
  const [response] = initiator.responses();
  assert.deepEqual([response!.opcode, response!.byte2, response!.byte3], [0x21, 0, 2]);
  assert.deepEqual([...response!.data], [0, 18, ...sense]);
});

test('an extended CDB in an additional header reaches the device server whole', () => {
  const { initiator, device } = ready();
  const rest = bytes(16, 9);
  initiator.command({ itt: 5, cdb: [0x7f, 0, 0, 0, 0, 0, 0, 24], ahs: Uint8Array.of(0, 17, 1, 0, ...rest) });
  assert.deepEqual(device.last.tasks[0]!.cdb.subarray(16), rest);
  for (const task of device.last.tasks) device.last.finish(task, Status.GOOD);
});

test('digests are checked and sent from the first PDU after login', () => {
  const context = ready({}, ['HeaderDigest=CRC32C', 'DataDigest=CRC32C']);
  const received = writing(context, 510);
  context.initiator.command({ itt: 5, write: 510, data: bytes(510) });
  assert.equal(context.initiator.responses()[0]!.byte3, 0);
  assert.deepEqual(received, [bytes(510)]);
  context.device.onTask = (task, nexus) => nexus.finish(task, Status.GOOD, bytes(333));
  context.initiator.command({ itt: 6, read: 333 });
  assert.deepEqual(context.initiator.responses()[0]!.data, bytes(333));
});

test('a wrong header digest ends the connection', () => {
  const { initiator, stream, device } = ready({}, ['HeaderDigest=CRC32C']);
  const pdu = rawPdu({ word0: 0x01810000, words: { 16: 5, 24: 1 } }, { header: true, data: false });
  pdu[20]! ^= 1;
  stream.feed(pdu);
  assert.equal(stream.ended, 'aborted');
  assert.equal(device.last.tasks.length, 0);
  assert.equal(initiator.responses().length, 0);
});

test('a wrong data digest of a command is rejected and its CmdSN stays open for the retry', () => {
  const context = ready({}, ['DataDigest=CRC32C']);
  const received = writing(context, 512);
  const header = { word0: 0x01a10000, words: { 16: 5, 20: 512, 24: 1, 28: 1 } };
  const good = rawPdu({ ...header, data: bytes(512) }, context.initiator.digests);
  const bad = good.slice();
  bad[100]! ^= 1;
  context.stream.feed(bad);
  const [reject] = context.initiator.responses();
  assert.deepEqual([reject!.opcode, reject!.byte2, reject!.expCmdSN], [0x3f, 0x02, 1]);
  context.stream.feed(good);
  assert.equal(context.initiator.responses()[0]!.opcode, 0x21);
  assert.deepEqual(received, [bytes(512)]);
});

test('a data segment longer than declared ends the connection before it is read', () => {
  const { stream } = ready();
  const pdu = rawPdu({ word0: 0x01a10000, words: { 16: 5, 20: 512, 24: 1 } });
  new DataView(pdu.buffer).setUint32(4, 262_144 + 4);
  stream.feed(pdu);
  assert.equal(stream.ended, 'aborted');
});
