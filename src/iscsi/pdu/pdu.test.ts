/**
 * Codecs against the RFC's figures: requests are made word by word, responses are read back word by word; and the bytes
 * of real initiators.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../base/crc32c.ts';
import { Framing, type Pdu } from '../framing.ts';
import { joinSegments } from '../segments.ts';
import { fromText, rawPdu, rawResponses } from '../testing/raw-pdu.ts';
import { decodeAdditionalHeaders } from './ahs.ts';
import { encodeAsyncMessage } from './async-message.ts';
import { cmdSNOf, expStatSNOf, initiatorTaskTagOf, opcodeOf, RequestOpcode } from './bhs.ts';
import {
  bufferOffsetOf,
  dataSNOf,
  encodeDataIn,
  encodeReadyToTransfer,
  targetTransferTagOf,
} from './data-transfer.ts';
import { decodeLoginRequest, encodeLoginResponse } from './login.ts';
import { decodeLogoutRequest, encodeLogoutResponse } from './logout.ts';
import { encodeNopIn } from './nop.ts';
import { encodeReject } from './reject.ts';
import {
  encodeScsiResponse,
  expectedDataTransferLengthOf,
  taskAttributeOf,
  wantsRead,
  wantsWrite,
} from './scsi-command.ts';
import { decodeTaskManagementRequest, encodeTaskManagementResponse } from './task-management.ts';
import { decodeTextRequest, encodeTextResponse } from './text.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u8 = fc.integer({ min: 0, max: 0xff });
const numbering = fc.record({ statSN: u32, expCmdSN: u32, maxCmdSN: u32 });

/** A header at some offset of a larger view. */
function viewOf(bytes: Uint8Array): [view: DataView, at: number] {
  const shifted = new Uint8Array(bytes.length + 13);
  shifted.set(bytes, 13);
  return [new DataView(shifted.buffer), 13];
}

/** Encodes over bytes that are not zero: every byte must be written. */
function encoded(encode: (view: DataView, at: number) => void, dataLength = 0) {
  const bytes = new Uint8Array(48 + dataLength + (-dataLength & 3));
  bytes.fill(0xaa, 0, 48);
  const view = new DataView(bytes.buffer);
  encode(view, 0);
  return rawResponses(bytes)[0]!;
}

test('a SCSI Command gives its fields', () => {
  fc.assert(
    fc.property(u32, u32, u32, u32, u8, (itt, length, cmdSN, expStatSN, flags) => {
      const words = { 16: itt, 20: length, 24: cmdSN, 28: expStatSN };
      const [view, at] = viewOf(rawPdu({ word0: ((0x41 << 24) | (flags << 16)) >>> 0, words }));
      assert.equal(opcodeOf(view, at), 1);
      assert.deepEqual([initiatorTaskTagOf(view, at), expectedDataTransferLengthOf(view, at)], [itt, length]);
      assert.deepEqual([cmdSNOf(view, at), expStatSNOf(view, at)], [cmdSN, expStatSN]);
      assert.deepEqual([wantsRead(view, at), wantsWrite(view, at)], [(flags & 0x40) > 0, (flags & 0x20) > 0]);
      const names = ['simple', 'simple', 'ordered', 'headOfQueue', 'aca'];
      assert.equal(taskAttributeOf(view, at), names[flags & 7]);
    }),
  );
});

test('a Data-Out gives its fields', () => {
  fc.assert(
    fc.property(u32, u32, u32, (ttt, dataSN, offset) => {
      const [view, at] = viewOf(rawPdu({ word0: 0x05000000, words: { 20: ttt, 36: dataSN, 40: offset } }));
      assert.deepEqual(
        [targetTransferTagOf(view, at), dataSNOf(view, at), bufferOffsetOf(view, at)],
        [ttt, dataSN, offset],
      );
    }),
  );
});

test('a Login Request gives its fields', () => {
  fc.assert(
    fc.property(u32, u16, u16, u16, u8, u16, (isidHigh, isidLow, tsih, cid, flags, versions) => {
      const word0 = (0x43000000 | (flags << 16) | versions) >>> 0;
      const words = {
        8: isidHigh,
        12: ((isidLow << 16) | tsih) >>> 0,
        16: 9,
        20: (cid << 16) >>> 0,
        24: 5,
        28: 6,
      };
      const login = decodeLoginRequest(...viewOf(rawPdu({ word0, words })), new Uint8Array(0));
      assert.deepEqual(login, {
        transit: (flags & 0x80) !== 0,
        continued: (flags & 0x40) !== 0,
        currentStage: (flags >> 2) & 3,
        nextStage: flags & 3,
        versionMax: versions >> 8,
        versionMin: versions & 0xff,
        isid: isidHigh.toString(16).padStart(8, '0') + isidLow.toString(16).padStart(4, '0'),
        tsih,
        initiatorTaskTag: 9,
        cid,
        cmdSN: 5,
        expStatSN: 6,
        text: new Uint8Array(0),
      });
    }),
  );
});

test('Text, Logout and Task Management Requests give their fields', () => {
  fc.assert(
    fc.property(u32, u32, u16, u8, (tag, other, cid, flags) => {
      const words = { 8: tag, 12: other, 16: tag, 20: other, 24: 3, 28: 4, 32: 5 };
      const of = (opcode: number, extra = {}) =>
        viewOf(rawPdu({ word0: ((opcode << 24) | (flags << 16)) >>> 0, words: { ...words, ...extra } }));
      const text = decodeTextRequest(...of(0x04));
      assert.deepEqual(text, {
        final: (flags & 0x80) !== 0,
        continued: (flags & 0x40) !== 0,
        lunHigh: tag,
        lunLow: other,
        initiatorTaskTag: tag,
        targetTransferTag: other,
      });
      const logout = decodeLogoutRequest(...of(0x06, { 20: (cid << 16) >>> 0 }));
      assert.deepEqual(logout, { reason: flags & 0x7f, initiatorTaskTag: tag, cid });
      assert.deepEqual(decodeTaskManagementRequest(...of(0x42)), {
        function: flags & 0x7f,
        immediate: true,
        lunHigh: tag,
        lunLow: other,
        initiatorTaskTag: tag,
        referencedTaskTag: other,
        cmdSN: 3,
        refCmdSN: 5,
      });
    }),
  );
});

test('every response carries its tag and its numbers, and leaves no byte unwritten', () => {
  fc.assert(
    fc.property(u32, u32, numbering, (itt, ttt, numbers) => {
      const common = { initiatorTaskTag: itt, targetTransferTag: ttt, lunHigh: 1, lunLow: 2, dataLength: 0 };
      const of = { ...common, numbering: numbers };
      const all = [
        encoded((view, at) => encodeNopIn(view, at, of)),
        encoded((view, at) => encodeTextResponse(view, at, { ...of, final: true, continued: false })),
        encoded((view, at) =>
          encodeLogoutResponse(view, at, { ...of, response: 1, time2Wait: 2, time2Retain: 3 }),
        ),
        encoded((view, at) => encodeTaskManagementResponse(view, at, { ...of, response: 5 })),
        encoded((view, at) =>
          encodeReadyToTransfer(view, at, { ...of, r2tSN: 7, bufferOffset: 8, desiredLength: 9 }),
        ),
        encoded((view, at) =>
          encodeScsiResponse(view, at, {
            ...of,
            response: 0,
            status: 2,
            residualFlags: 4,
            residual: 10,
            bidirectionalResidual: 0,
            expDataSN: 11,
          }),
        ),
      ];
      const words = [20, 36, 40, 44];
      for (const pdu of all) {
        assert.equal(pdu.itt, itt);
        assert.deepEqual(
          { statSN: pdu.statSN, expCmdSN: pdu.expCmdSN, maxCmdSN: pdu.maxCmdSN },
          { ...numbers },
        );
      }
      assert.deepEqual(
        all.map((pdu) => [pdu.opcode, pdu.flags, pdu.byte2, pdu.byte3, ...words.map((at) => pdu.word(at))]),
        [
          [0x20, 0x80, 0, 0, ttt, 0, 0, 0],
          [0x24, 0x80, 0, 0, ttt, 0, 0, 0],
          [0x26, 0x80, 1, 0, 0, 0, (2 << 16) | 3, 0],
          [0x22, 0x80, 5, 0, 0, 0, 0, 0],
          [0x31, 0x80, 0, 0, ttt, 7, 8, 9],
          [0x21, 0x84, 0, 2, 0, 11, 0, 10],
        ],
      );
    }),
  );
});

test('a Data-In without status reserves StatSN, status and residual', () => {
  const numbers = { statSN: 5, expCmdSN: 6, maxCmdSN: 7 };
  const base = {
    initiatorTaskTag: 1,
    residualFlags: 2,
    residual: 99,
    dataSN: 3,
    bufferOffset: 4,
    dataLength: 0,
  };
  const bare = encoded((view, at) =>
    encodeDataIn(view, at, { ...base, final: false, status: undefined, numbering: numbers }),
  );
  assert.deepEqual([bare.flags, bare.byte3, bare.statSN, bare.word(44), bare.expCmdSN], [0, 0, 0, 0, 6]);
  const last = encoded((view, at) =>
    encodeDataIn(view, at, { ...base, final: true, status: 0, numbering: numbers }),
  );
  assert.deepEqual([last.flags, last.statSN, last.word(44)], [0x83, 5, 99]);
});

test('Login Response, Reject and Asynchronous Message stand where the RFC says', () => {
  const numbers = { statSN: 5, expCmdSN: 6, maxCmdSN: 7 };
  const login = encoded((view, at) =>
    encodeLoginResponse(
      view,
      at,
      {
        transit: true,
        continued: false,
        currentStage: 1,
        nextStage: 3,
        isid: '801234567abc',
        tsih: 0xdef0,
        initiatorTaskTag: 9,
        statusClass: 2,
        statusDetail: 7,
        text: new Uint8Array(0),
      },
      numbers,
    ),
  );
  assert.deepEqual(
    [login.opcode, login.flags, login.byte2, login.byte3, login.word(8), login.word(12), login.word(36)],
    [0x23, 0x87, 0, 0, 0x80123456, 0x7abcdef0, 0x02070000],
  );
  const reject = encoded((view, at) =>
    encodeReject(view, at, { reason: 9, dataLength: 0, numbering: numbers }),
  );
  assert.deepEqual([reject.opcode, reject.byte2, reject.itt, reject.word(36)], [0x3f, 9, 0xffffffff, 0]);
  const async = encoded((view, at) =>
    encodeAsyncMessage(view, at, {
      event: 3,
      lunHigh: 1,
      lunLow: 2,
      parameter1: 0x1111,
      parameter2: 0x2222,
      parameter3: 0x3333,
      dataLength: 0,
      numbering: numbers,
    }),
  );
  assert.deepEqual(
    [async.opcode, async.itt, async.word(36), async.word(40)],
    [0x32, 0xffffffff, 0x03001111, 0x22223333],
  );
});

test('additional headers of any content never read beyond their end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (content) => {
      const length = content.length & ~3;
      const view = new DataView(content.slice(0, length).buffer);
      const decoded = decodeAdditionalHeaders(view, 0, length);
      if (!decoded.ok) return;
      assert.ok(decoded.value.cdbOffset + decoded.value.cdbLength <= length);
    }),
  );
});

interface GoldenPdu {
  readonly opcode: number;
  readonly cmdSN: number;
  readonly flags: number;
  readonly data: Uint8Array;
}

function golden(name: string): Uint8Array {
  return Uint8Array.from(readFileSync(new URL(`../../../test/golden/iscsi/${name}`, import.meta.url)));
}

function frames(bytes: Uint8Array, headerDigest: boolean): GoldenPdu[] {
  const found: GoldenPdu[] = [];
  const framing = new Framing(
    {
      dataLengthMax: () => 1 << 18,
      onPdu: ({ view, at, segments }: Pdu) => {
        const opcode = opcodeOf(view, at);
        found.push({
          opcode,
          cmdSN: cmdSNOf(view, at),
          flags: view.getUint8(at + 1),
          data: joinSegments(segments),
        });
        if (opcode === RequestOpcode.login) framing.headerDigest = headerDigest;
        return true;
      },
    },
    crc32c,
  );
  const view = new DataView(bytes.buffer);
  const nothing = () => undefined;
  const fault = framing.push({
    buffer: bytes,
    view,
    start: 0,
    end: bytes.length,
    retain: nothing,
    release: nothing,
  });
  assert.equal(fault, undefined);
  return found;
}

test('discovery by libiscsi is a login, SendTargets and a logout', () => {
  const pdus = frames(golden('libiscsi-discovery.initiator'), false);
  assert.deepEqual(
    pdus.map(({ opcode }) => opcode),
    [RequestOpcode.login, RequestOpcode.text, RequestOpcode.logout],
  );
  assert.ok(fromText(pdus[0]!.data).includes('SessionType=Discovery'));
  assert.deepEqual(fromText(pdus[1]!.data), ['SendTargets=All']);
});

test('QEMU with header digests is framed whole, its CmdSNs without a gap', () => {
  const pdus = frames(golden('qemu-write-read.initiator'), true);
  assert.ok(fromText(pdus[0]!.data).includes('HeaderDigest=CRC32C'));
  const numbered = pdus.slice(1);
  numbered.forEach(({ cmdSN }, index) => assert.equal(cmdSN, (pdus[0]!.cmdSN + index) >>> 0));
  const writes = numbered.filter(({ opcode, flags }) => opcode === RequestOpcode.scsiCommand && flags & 0x20);
  assert.equal(writes.length, 1);
  assert.deepEqual(writes[0]!.data, new Uint8Array(4096).fill(0x5a));
  assert.equal(numbered.at(-1)!.opcode, RequestOpcode.logout);
});
