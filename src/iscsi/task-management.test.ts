/** Task management at the wire (RFC 7143 §4.2.3, §11.5, §11.6). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { Status } from '../ports/scsi-target.ts';
import { answering, bytes, ready, tmf, writing } from './testing/ready.ts';
import { RawInitiator } from './testing/raw-initiator.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('ABORT TASK ends the task without a response and says complete', () => {
  const { initiator, device } = ready();
  initiator.command({ itt: 5 });
  tmf(initiator, 1, { 20: 5, 32: 1 });
  const responses = initiator.responses();
  assert.deepEqual(
    responses.map((response) => [response.opcode, response.byte2, response.itt]),
    [[0x22, 0, 900]],
  );
  assert.equal(device.last.managed[0]!.kind, 'abortTask');
});

test('ABORT TASK reaches a task that waits for data; data that still comes is discarded', () => {
  const context = ready();
  const received = writing(context, 1024);
  const { initiator } = context;
  initiator.command({ itt: 5, write: 1024, data: bytes(512) });
  const [r2t] = initiator.responses();
  tmf(initiator, 1, { 20: 5, 32: 1 });
  assert.equal(initiator.responses()[0]!.byte2, 0);
  initiator.dataOut({ itt: 5, ttt: r2t!.word(20), offset: 512, final: true, data: bytes(512) });
  assert.equal(initiator.responses().length, 0);
  assert.equal(received.length, 0);
  assert.equal(context.stream.retained, 0);
});

test('ABORT TASK of a command that has not arrived counts it as received', () => {
  const { initiator, device } = answering(ready());
  initiator.cmdSN = 2;
  tmf(initiator, 1, { 20: 5, 32: 1 });
  const [response] = initiator.responses();
  assert.deepEqual([response!.byte2, response!.expCmdSN], [0, 2]);
  initiator.command({ itt: 5, cmdSN: 1 });
  assert.equal(initiator.responses().length, 0);
  initiator.command({ itt: 6, cmdSN: 2 });
  assert.deepEqual(
    device.last.tasks.map(({ tag }) => tag),
    [6],
  );
});

test('ABORT TASK of a task that never was says so', () => {
  const { initiator } = answering(ready());
  initiator.command({ itt: 5 });
  initiator.responses();
  tmf(initiator, 1, { 20: 5, 32: 1 });
  assert.equal(initiator.responses()[0]!.byte2, 1);
});

test('ABORT TASK of a command held for its turn drops it and lets those behind it run', () => {
  const { initiator, device } = answering(ready());
  initiator.command({ itt: 2, cmdSN: 2 });
  initiator.command({ itt: 3, cmdSN: 3 });
  initiator.cmdSN = 4;
  tmf(initiator, 1, { 20: 2, 32: 2 });
  assert.equal(initiator.responses()[0]!.byte2, 0);
  initiator.command({ itt: 1, cmdSN: 1 });
  assert.deepEqual(
    device.last.tasks.map(({ tag }) => tag),
    [1, 3],
  );
});

test('functions on many tasks reach the device server by their names', () => {
  const { initiator, device } = ready();
  const codes = [
    [2, 'abortTaskSet'],
    [3, 'clearAca'],
    [4, 'clearTaskSet'],
    [5, 'logicalUnitReset'],
    [6, 'targetWarmReset'],
    [7, 'targetColdReset'],
  ] as const;
  for (const [code] of codes) tmf(initiator, code, { 8: 0x30000, 20: 0xffffffff });
  assert.deepEqual(
    device.last.managed.map(({ kind }) => kind),
    codes.map(([, kind]) => kind),
  );
  assert.ok(initiator.responses().every((response) => response.opcode === 0x22 && response.byte2 === 0));
});

test('ABORT TASK SET also drops earlier commands that still wait for their turn, and no later ones', () => {
  const { initiator, device } = ready();
  initiator.command({ itt: 2, cmdSN: 2 });
  initiator.command({ itt: 7, cmdSN: 7 });
  initiator.cmdSN = 5;
  tmf(initiator, 2, { 20: 0xffffffff });
  assert.equal(initiator.responses()[0]!.byte2, 0);
  for (const cmdSN of [1, 3, 4, 5, 6]) initiator.command({ itt: cmdSN, cmdSN });
  assert.deepEqual(
    device.last.tasks.map(({ tag }) => tag),
    [1, 3, 4, 5, 6, 7],
  );
  for (const task of device.last.tasks) device.last.finish(task, Status.GOOD);
});

test('TASK REASSIGN and unknown functions are refused by their own response codes', () => {
  const { initiator } = ready();
  tmf(initiator, 8);
  tmf(initiator, 9);
  assert.deepEqual(
    initiator.responses().map(({ byte2 }) => byte2),
    [4, 5],
  );
});

test('the response to a function waits for the device server', async () => {
  const { initiator, device } = ready();
  const { promise, resolve } = Promise.withResolvers<'complete'>();
  device.manage = () => promise;
  tmf(initiator, 5);
  assert.equal(initiator.responses().length, 0);
  resolve('complete');
  await promise;
  await Promise.resolve();
  assert.equal(initiator.responses()[0]!.opcode, 0x22);
});

test('TARGET COLD RESET ends every session, the asking one after its response', () => {
  const { bench, initiator, device } = ready();
  const other = new RawInitiator(bench);
  other.login({ isid: 2 });
  device.manage = () => {
    for (const nexus of device.nexuses) nexus.events.targetReset();
    return 'complete';
  };
  tmf(initiator, 7);
  assert.deepEqual(
    initiator.responses().map(({ opcode }) => opcode),
    [0x22],
  );
  assert.deepEqual([initiator.stream.ended, other.stream.ended], ['closed', 'closed']);
});

test('functions beyond the limit are rejected while the others wait', () => {
  const { initiator, device } = ready();
  device.manage = () => new Promise(() => undefined);
  for (let count = 0; count < 33; count++) tmf(initiator, 5);
  assert.deepEqual(
    initiator.responses().map(({ byte2 }) => byte2),
    [255],
  );
});
