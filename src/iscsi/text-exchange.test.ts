/** Text requests and discovery sessions at the wire (RFC 7143 §4.3, §11.10, §11.11). */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { bytes, ready, tmf } from './testing/ready.ts';
import { openBench, RawInitiator, TARGET } from './testing/raw-initiator.ts';
import { fromText, text } from './testing/raw-pdu.ts';
import { outstandingLoans } from './testing/scripted-device.ts';

afterEach(() => assert.equal(outstandingLoans.count, 0, 'every loan was given back'));

test('discovery takes text and logout, and rejects SCSI', () => {
  const bench = openBench();
  const initiator = new RawInitiator(bench);
  initiator.login({ discovery: true });
  initiator.request({ opcode: 0x04, itt: 5, words: { 20: 0xffffffff }, data: text(['SendTargets=All']) });
  const [answer] = initiator.responses();
  assert.deepEqual([answer!.opcode, answer!.flags, answer!.word(20)], [0x24, 0x80, 0xffffffff]);
  assert.deepEqual(fromText(answer!.data), [`TargetName=${TARGET}`, 'TargetAddress=127.0.0.1:3260,1']);
  initiator.command({ itt: 6 });
  tmf(initiator, 5);
  assert.deepEqual(
    initiator.responses().map(({ opcode, byte2 }) => [opcode, byte2]),
    [
      [0x3f, 4],
      [0x3f, 4],
    ],
  );
  initiator.request({ opcode: 0x06, flags: 0x80, itt: 7 });
  assert.equal(initiator.responses()[0]!.opcode, 0x26);
});

test('a long text response goes on over several PDUs with one tag each', () => {
  const bench = openBench();
  const initiator = new RawInitiator(bench);
  initiator.login({ discovery: true, keys: ['MaxRecvDataSegmentLength=512'] });
  const found: number[] = [];
  for (let index = 0; index < 20; index++) {
    bench.node.addTarget({
      name: `iqn.2026-01.test.lockstep:disk${index}`,
      alias: undefined,
      portals: [{ address: '127.0.0.1:3260', portalGroupTag: 1 }],
      availability: 'available',
      redirection: undefined,
      authentication: { allowNone: true, chap: undefined },
      initiators: 'any',
      limits: {} as never,
      scsi: undefined,
    });
  }
  initiator.request({ opcode: 0x04, itt: 5, words: { 20: 0xffffffff }, data: text(['SendTargets=All']) });
  for (;;) {
    const [part] = initiator.responses();
    found.push(...part!.data);
    if (part!.flags === 0x80) break;
    assert.equal(part!.flags, 0x40);
    assert.equal(part!.data.length, 512);
    initiator.request({ opcode: 0x04, itt: 5, words: { 20: part!.word(20) } });
  }
  assert.equal(fromText(Uint8Array.from(found)).length, 42);
});

test('a text request in pieces is answered as one', () => {
  const bench = openBench();
  const initiator = new RawInitiator(bench);
  initiator.login({ discovery: true });
  const whole = text(['SendTargets=All']);
  const part = { 20: 0xffffffff };
  initiator.request({ opcode: 0x04, flags: 0x40, itt: 5, words: part, data: whole.subarray(0, 6) });
  const [go] = initiator.responses();
  assert.deepEqual([go!.flags, go!.data.length], [0, 0]);
  initiator.request({ opcode: 0x04, itt: 5, words: { 20: go!.word(20) }, data: whole.subarray(6) });
  assert.equal(fromText(initiator.responses()[0]!.data)[0], `TargetName=${TARGET}`);
});

test('text with C and F, or with a tag nobody gave out, is rejected', () => {
  const { initiator } = ready();
  initiator.request({ opcode: 0x04, flags: 0xc0, itt: 5, words: { 20: 0xffffffff } });
  initiator.request({ opcode: 0x04, itt: 6, words: { 20: 1234 } });
  assert.deepEqual(
    initiator.responses().map(({ opcode, byte2 }) => [opcode, byte2]),
    [
      [0x3f, 4],
      [0x3f, 9],
    ],
  );
});

test('text beyond 64 KiB is refused for lack of resources', () => {
  const { initiator } = ready();
  let tag = 0xffffffff;
  let reason: number | undefined;
  for (let part = 0; part < 20 && reason === undefined; part++) {
    initiator.request({ opcode: 0x04, flags: 0x40, itt: 5, words: { 20: tag }, data: bytes(8192) });
    const [response] = initiator.responses();
    if (response!.opcode === 0x3f) reason = response!.byte2;
    else tag = response!.word(20);
  }
  assert.equal(reason, 0x0a);
});
