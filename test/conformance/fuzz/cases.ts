/**
 * Fuzz cases: what one hostile or broken peer sends in the life of one connection. Structured cases are nearly right,
 * since what is nearly right gets deepest; a part is mutated afterwards, a part is noise from the first byte.
 */

import type { Prng } from '../../../src/base/prng.ts';
import { INITIATOR, TARGET } from '../../../src/iscsi/testing/raw-initiator.ts';
import { type Digests, rawPdu, type RawRequest, text } from '../../../src/iscsi/testing/raw-pdu.ts';
import { BLOCK_COUNT, CHAP_TARGET } from './bench.ts';

export interface FuzzCase {
  readonly kind: 'login' | 'fullFeature' | 'mutated' | 'noise';
  /** Pieces as the network delivers them. */
  readonly pieces: readonly Uint8Array[];
}

const KEYS = [
  'InitiatorName', 'InitiatorAlias', 'TargetName', 'TargetAlias', 'SessionType', 'AuthMethod', 'CHAP_A', 'CHAP_I', 'CHAP_C',
  'CHAP_N', 'CHAP_R', 'HeaderDigest', 'DataDigest', 'MaxConnections', 'InitialR2T', 'ImmediateData', 'ErrorRecoveryLevel',
  'MaxRecvDataSegmentLength', 'MaxBurstLength', 'FirstBurstLength', 'DefaultTime2Wait', 'DefaultTime2Retain', 'MaxOutstandingR2T',
  'DataPDUInOrder', 'DataSequenceInOrder', 'IFMarker', 'OFMarkInt', 'TaskReporting', 'iSCSIProtocolLevel', 'SendTargets',
  'TargetPortalGroupTag', 'TargetAddress', 'X-com.example.key', '', '=', 'A'.repeat(64),
]; // biome-ignore format: a word list
const VALUES = [
  'Yes', 'No', 'None', 'CHAP', 'CHAP,None', 'CRC32C', 'CRC32C,None', 'Reject', 'Irrelevant', 'NotUnderstood', '0', '1', '2', '5', '7,5',
  '512', '8192', '262144', '16777215', '16777216', '-1', '0x10', '0xzz', '0b', '0bAAAA', `0x${'ab'.repeat(16)}`, `0x${'00'.repeat(600)}`,
  'All', 'Discovery', 'Normal', '', ',', ',,', '1~2', 'x'.repeat(255), 'x'.repeat(300), INITIATOR, TARGET, CHAP_TARGET, 'fuzzer', '\u0001\u00ff',
]; // biome-ignore format: a word list
/** Operation codes the device server knows, and some it does not. */
const OPCODES = [
  0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x16, 0x17, 0x1a, 0x1b, 0x1d, 0x1e, 0x25, 0x28, 0x2a, 0x2e, 0x2f, 0x34, 0x35, 0x37, 0x41, 0x42, 0x48,
  0x4d, 0x55, 0x56, 0x57, 0x5a, 0x5e, 0x5f, 0x7f, 0x83, 0x84, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91, 0x93, 0x9c, 0x9e, 0xa0, 0xa3,
  0xa8, 0xaa, 0xae, 0xaf, 0xc0, 0xff,
]; // biome-ignore format: a word list
const BLOCK_COMMANDS = [
  0x28, 0x2a, 0x2e, 0x2f, 0x34, 0x35, 0x41, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91, 0x93, 0xa8, 0xaa,
  0xae, 0xaf,
];
/** Those that take data-out. */
const TAKES_DATA = new Set([
  0x0a, 0x15, 0x2a, 0x2e, 0x41, 0x42, 0x48, 0x55, 0x5f, 0x83, 0x89, 0x8a, 0x8b, 0x8e, 0x93, 0x9c, 0xaa, 0xae,
]);
/** Requests that take a CmdSN; others are rejected, or are data. */
const NUMBERED = new Set([0x00, 0x01, 0x02, 0x04, 0x06]);
const USUAL_REQUESTS = [0x00, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x02, 0x04, 0x05];
const RARE_REQUESTS = [0x03, 0x06, 0x10, 0x1c, 0x20, 0x3f];
const NO_DATA = new Uint8Array(0);
const NO_DIGESTS: Digests = { header: false, data: false };

export function nextCase(random: Prng): FuzzCase {
  const kind = random.pick([
    'login',
    'login',
    'fullFeature',
    'fullFeature',
    'fullFeature',
    'mutated',
    'noise',
  ] as const);
  switch (kind) {
    case 'login':
      return { kind, pieces: cut(random, loginStorm(random)) };
    case 'fullFeature':
      return { kind, pieces: cut(random, fullFeature(random)) };
    case 'mutated':
      return { kind, pieces: cut(random, mutate(random, fullFeature(random))) };
    case 'noise':
      return { kind, pieces: cut(random, bytes(random, random.integer(1, 4000))) };
  }
}

function loginStorm(random: Prng): Uint8Array {
  const pdus: Uint8Array[] = [];
  for (let i = random.integer(1, 5); i > 0; i--) pdus.push(rawPdu(loginRequest(random, looseText(random))));
  return join(pdus);
}

function loginRequest(random: Prng, data: Uint8Array): RawRequest {
  const flags = random.chance(0.7)
    ? random.pick([0x87, 0x81, 0x04, 0x00, 0x83, 0x40, 0x44])
    : random.integer(0, 255);
  const version = random.chance(0.95) ? 0 : random.integer(0, 0xffff);
  return {
    word0: ((random.chance(0.97) ? 0x43 : 0x03) << 24) | (flags << 16) | version,
    words: {
      8: word(random, 0x80123456),
      12: random.chance(0.8) ? 0x10000 : random.integer(0, 0xffffffff),
      16: word(random, 7),
      20: random.integer(0, 1) << 16,
      24: word(random, 1),
      28: word(random, 0),
    },
    data,
  };
}

function looseText(random: Prng): Uint8Array {
  const pairs: string[] = [];
  if (random.chance(0.8)) pairs.push(`InitiatorName=${INITIATOR}${random.integer(0, 3)}`);
  if (random.chance(0.7))
    pairs.push(`TargetName=${random.pick([TARGET, TARGET, CHAP_TARGET, 'iqn.2026-01.none'])}`);
  for (let i = random.integer(0, 8); i > 0; i--) {
    pairs.push(random.chance(0.95) ? `${random.pick(KEYS)}=${random.pick(VALUES)}` : random.pick(VALUES));
  }
  const all = text(pairs);
  return random.chance(0.1) ? all.subarray(0, random.integer(0, all.length)) : all;
}

/** A login that succeeds, then requests that are nearly right. */
function fullFeature(random: Prng): Uint8Array {
  const keys: string[] = [];
  if (random.chance(0.4)) keys.push('InitialR2T=No');
  if (random.chance(0.3)) keys.push('ImmediateData=No');
  if (random.chance(0.3)) keys.push(`MaxRecvDataSegmentLength=${random.pick([512, 4096, 262144])}`);
  if (random.chance(0.2)) keys.push(`FirstBurstLength=${random.pick([512, 4096])}`, 'MaxBurstLength=8192');
  if (random.chance(0.3)) keys.push('MaxOutstandingR2T=4');
  const digests: Digests = { header: random.chance(0.2), data: random.chance(0.2) };
  if (digests.header) keys.push('HeaderDigest=CRC32C');
  if (digests.data) keys.push('DataDigest=CRC32C');
  const discovery = random.chance(0.1);
  const login = rawPdu({
    word0: 0x43870000,
    words: { 8: 0x80123456, 12: random.integer(1, 4) << 16, 16: 7, 20: 0, 24: 1, 28: 0 },
    data: text([
      `InitiatorName=${INITIATOR}${random.integer(0, 3)}`,
      discovery ? 'SessionType=Discovery' : `TargetName=${TARGET}`,
      ...keys,
    ]),
  });
  const pdus = [login];
  const state: Sequence = { cmdSN: 1, tag: 10 };
  for (let i = random.integer(1, 3); i > 0; i--) pdus.push(rawPdu(testUnitReady(random, state), digests));
  for (let i = random.integer(1, 14); i > 0; i--) {
    pdus.push(rawPdu(request(random, state), random.chance(0.995) ? digests : NO_DIGESTS));
  }
  return join(pdus);
}

interface Sequence {
  cmdSN: number;
  tag: number;
}

/** Takes the unit attention of a new nexus out of the way. */
function testUnitReady(random: Prng, state: Sequence): RawRequest {
  return {
    word0: 0x01810000,
    words: { 8: random.integer(0, 1) << 16, 16: state.tag++, 24: state.cmdSN++, 28: 1 },
  };
}

function request(random: Prng, state: Sequence): RawRequest {
  const opcode = random.pick(random.chance(0.95) ? USUAL_REQUESTS : RARE_REQUESTS);
  const immediate = random.chance(0.2);
  const near = random.chance(0.95) ? state.cmdSN : state.cmdSN + random.integer(-3, 300);
  if (!immediate && NUMBERED.has(opcode)) state.cmdSN++;
  const tag = random.chance(opcode === 0x05 ? 0.1 : 0.9)
    ? state.tag++
    : random.chance(0.9)
      ? state.tag - random.integer(0, 3)
      : 0xffffffff;
  const words: Record<number, number> = {
    8: random.chance(0.9) ? random.integer(0, 1) << 16 : random.integer(0, 0xffffffff),
    16: tag >>> 0,
    20: random.chance(0.5) ? 512 * random.integer(0, 16) : word(random, 0xffffffff),
    24: near >>> 0,
    28: random.chance(0.9) ? random.integer(0, 4) : random.integer(0, 0xffffffff),
  };
  let flags = opcode === 0x01 ? scsi(random, words) : requestFlags(random, opcode);
  if (random.chance(0.02)) flags = random.integer(0, 255);
  if (opcode !== 0x01) {
    for (const offset of [32, 36, 40, 44]) words[offset] = word(random, 512 * random.integer(0, 4));
  }
  const data = opcode === 0x04 ? looseText(random) : requestData(random, opcode, flags, words);
  const word0 = (((immediate ? 0x40 : 0) | opcode) << 24) | (flags << 16);
  return { word0: word0 | (random.chance(0.9) ? 0 : random.integer(0, 0xffff)), words, data };
}

/** Mostly what may be there: an unexpected length ends the connection at once, and with it the case. */
function requestData(random: Prng, opcode: number, flags: number, words: Record<number, number>): Uint8Array {
  const mayCarry = opcode === 0x00 || opcode === 0x05 || (opcode === 0x01 && (flags & 0x20) !== 0);
  if (!mayCarry && random.chance(0.99)) return NO_DATA;
  if (random.chance(0.3)) return NO_DATA;
  const expected = opcode === 0x01 ? Math.min(words[20]!, 8192) : random.pick([512, 1024, 4096]);
  return bytes(random, random.chance(0.6) ? expected : random.pick([1, 3, 16, 24, random.integer(0, 9000)]));
}

function requestFlags(random: Prng, opcode: number): number {
  if (opcode === 0x02) return 0x80 | random.integer(0, 9);
  if (opcode === 0x06) return 0x80 | random.integer(0, 3);
  return random.pick([0x80, 0x80, 0x00, 0x40]);
}

/** A SCSI Command: operation code, then fields that fit a small disk more often than not. Returns byte 1 of the PDU. */
function scsi(random: Prng, words: Record<number, number>): number {
  const opcode = random.pick(random.chance(0.6) ? BLOCK_COMMANDS : OPCODES);
  const lba = random.chance(0.95) ? random.integer(0, BLOCK_COUNT - 20) : random.integer(0, 0xffffffff);
  const blocks = random.chance(0.95) ? random.integer(0, 16) : random.integer(0, 0xffff);
  const second = random.chance(0.9)
    ? random.pick([0, 0, 0, 0, 0x08, 0x10, 0x12, 0x02, random.integer(0, 31)])
    : random.integer(0, 255);
  // SPC-4 §4.2.2: 16-byte CDBs from 80h, 12-byte ones from A0h, else the layout of 10 bytes.
  const length = opcode < 0x80 ? 10 : opcode < 0xa0 ? 16 : 12;
  words[32] = ((opcode << 24) | (second << 16) | (length === 16 ? 0 : lba >>> 16)) >>> 0;
  const low = ((lba & 0xffff) << 16) >>> 0;
  words[36] = length === 16 ? lba >>> 16 : length === 12 ? low : (low | (blocks >>> 8)) >>> 0;
  words[40] = length === 16 ? low : (length === 12 ? blocks << 16 : (blocks & 0xff) << 24) >>> 0;
  words[44] = length === 16 ? (blocks << 16) >>> 0 : 0;
  if (!BLOCK_COMMANDS.includes(opcode) && random.chance(0.8)) {
    // An allocation or parameter list length where that CDB has it, and nothing else.
    words[32] = ((opcode << 24) | (random.integer(0, 31) << 16)) >>> 0;
    words[36] = opcode < 0x20 ? 0xff000000 : length === 10 ? 0x01 : 0;
    words[40] = length === 12 ? 0x02000000 : 0;
    words[44] = length === 16 ? 0x02000000 : 0;
  }
  if (random.chance(0.05)) words[random.pick([32, 36, 40, 44])] = random.integer(0, 0xffffffff);
  if (random.chance(0.8)) words[20] = 512 * Math.min(blocks, 64);
  const writes = TAKES_DATA.has(opcode) ? 0x20 : 0x40;
  const direction = random.chance(0.95) ? writes : random.pick([0x00, 0x20, 0x40, 0x60]);
  return (
    (writes === 0x40 || random.chance(0.8) ? 0x80 : 0) | direction | random.pick([1, 1, 1, 1, 0, 2, 3, 4])
  );
}

/** Flips, cuts, doubles and swaps. */
function mutate(random: Prng, original: Uint8Array): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let i = random.integer(1, 6); i > 0 && bytes.length > 1; i--) {
    const at = random.integer(0, bytes.length - 1);
    switch (random.integer(0, 4)) {
      case 0:
      case 1:
        bytes[at] = bytes[at]! ^ (1 << random.integer(0, 7));
        break;
      case 2:
        bytes[at] = random.integer(0, 255);
        break;
      case 3:
        bytes = join([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - random.integer(0, 60)))]);
        break;
      default:
        bytes = join([
          bytes.subarray(0, at),
          bytes.subarray(Math.min(bytes.length, at + random.integer(1, 60))),
        ]);
    }
  }
  return bytes;
}

/** Delivered whole, in a few pieces, or now and then byte by byte. */
function cut(random: Prng, all: Uint8Array): Uint8Array[] {
  if (random.chance(0.5)) return [all];
  const longest = random.chance(0.1) ? 1 : random.integer(1, all.length);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < all.length; ) {
    const length = random.integer(1, longest);
    pieces.push(all.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

function word(random: Prng, usual: number): number {
  return random.chance(0.85) ? usual : random.integer(0, 0xffffffff);
}

function bytes(random: Prng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(0, 255));
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
