/** Goal: who keeps the data of its writes holds nobody up for ever, and who is only slow keeps its commands. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATA_OUT_CHECK_MS, DATA_OUT_WITHHELD_MS } from './limits.ts';
import { bytes, type Ready, ready, senseOf, writing } from './testing/ready.ts';

/** One period in which the initiator shows that it lives. */
function pass(context: Ready, during?: () => void): void {
  context.clock.advance(DATA_OUT_CHECK_MS / 2);
  during?.();
  context.initiator.request({ opcode: 0x00, itt: 0xffffffff });
  context.clock.advance(DATA_OUT_CHECK_MS / 2);
}

function passFor(context: Ready, ms: number, during?: () => void): void {
  for (let at = 0; at < ms; at += DATA_OUT_CHECK_MS) pass(context, during);
}

test('a write whose data is kept ends with ABORTED COMMAND, INITIATOR RESPONSE TIMEOUT; the session goes on', () => {
  const context = ready();
  const received = writing(context, 1024);
  const { initiator, stream } = context;
  initiator.command({ itt: 5, write: 1024, data: bytes(512) });
  const [r2t] = initiator.responses();
  passFor(context, DATA_OUT_WITHHELD_MS);
  assert.equal(initiator.responses().length, 0, 'not before its time');
  pass(context);
  const [response] = initiator.responses();
  assert.deepEqual([response!.opcode, response!.itt, response!.byte3], [0x21, 5, 2]);
  assert.deepEqual(senseOf(response!), [0x0b, 0x4b, 0x06]);
  assert.equal(stream.retained, 0);
  initiator.dataOut({ itt: 5, ttt: r2t!.word(20), offset: 512, final: true, data: bytes(512) });
  assert.deepEqual([initiator.responses().length, stream.retained], [0, 0], 'late data is discarded');
  initiator.command({ itt: 6, write: 1024, data: bytes(1024) });
  assert.equal(initiator.responses()[0]!.byte3, 0);
  assert.deepEqual(received, [bytes(1024)]);
});

test('unsolicited data that is kept ends its write, too', () => {
  const context = ready({}, ['InitialR2T=No']);
  writing(context, 2048);
  context.initiator.command({ itt: 5, write: 2048, final: false });
  passFor(context, DATA_OUT_WITHHELD_MS + DATA_OUT_CHECK_MS);
  const [response] = context.initiator.responses();
  assert.deepEqual(senseOf(response!), [0x0b, 0x4b, 0x06]);
});

test('a write whose data comes slowly is left in peace', () => {
  const context = ready();
  const received = writing(context, 4096);
  const { initiator } = context;
  initiator.command({ itt: 5, write: 4096 });
  const ttt = initiator.responses()[0]!.word(20);
  for (let i = 0; i < 8; i += 1) {
    passFor(context, DATA_OUT_WITHHELD_MS - DATA_OUT_CHECK_MS);
    const data = bytes(4096).subarray(i * 512, (i + 1) * 512);
    initiator.dataOut({ itt: 5, ttt, dataSN: i, offset: i * 512, final: i === 7, data });
  }
  assert.deepEqual(received, [bytes(4096)]);
  assert.equal(initiator.responses()[0]!.byte3, 0);
});

test('a write waits four times as long while the initiator sends the data of others', () => {
  const context = ready();
  const { initiator, device } = context;
  device.onTask = (task) => task.receiveDataOut(1024 * 1024);
  initiator.command({ itt: 5, write: 1024 });
  initiator.command({ itt: 6, write: 1024 * 1024 });
  const ttt = initiator.responses()[1]!.word(20);
  let sent = 0;
  const other = (): void => {
    initiator.dataOut({
      itt: 6,
      ttt,
      dataSN: sent,
      offset: sent * 512,
      final: false,
      data: bytes(512),
    });
    sent += 1;
  };
  passFor(context, 4 * DATA_OUT_WITHHELD_MS - DATA_OUT_CHECK_MS, other);
  assert.equal(initiator.responses().length, 0);
  passFor(context, 3 * DATA_OUT_CHECK_MS, other);
  assert.deepEqual(
    initiator.responses().map(({ itt }) => itt),
    [5],
  );
});

test('time in which our own sending or reading stands still is not the fault of the initiator', () => {
  const context = ready();
  writing(context, 1024);
  const { initiator, stream } = context;
  initiator.command({ itt: 5, write: 1024 });
  stream.endTurn();
  stream.stalled = true;
  stream.backlog = 48;
  passFor(context, 2 * DATA_OUT_WITHHELD_MS);
  stream.stalled = false;
  stream.take();
  const [r2t, ...rest] = initiator.responses();
  assert.deepEqual([r2t!.opcode, rest.length], [0x31, 0]);
  initiator.dataOut({ itt: 5, ttt: r2t!.word(20), offset: 0, final: true, data: bytes(1024) });
  assert.equal(initiator.responses()[0]!.byte3, 0);
});

test('a write that the device server has not asked for data yet has time', () => {
  const context = ready();
  const { initiator, device } = context;
  device.onTask = undefined;
  initiator.command({ itt: 5, write: 1024 });
  passFor(context, 4 * DATA_OUT_WITHHELD_MS);
  device.last.tasks[0]!.receiveDataOut(1024);
  passFor(context, DATA_OUT_WITHHELD_MS - DATA_OUT_CHECK_MS);
  assert.deepEqual(
    initiator.responses().map(({ opcode }) => opcode),
    [0x31],
  );
});
