/** Third-party Copy VPD page (SPC-4 §7.8.17): which copy commands there are and what they accept. */

import {
  CONCURRENT_COPIES_MAX,
  CSCD_DESCRIPTORS_MAX,
  DESCRIPTOR_LIST_LENGTH_MAX,
  DESCRIPTOR_TYPES,
  INACTIVITY_SECONDS_DEFAULT,
  INACTIVITY_SECONDS_MAX,
  RANGE_DESCRIPTORS_MAX,
  SEGMENT_DESCRIPTORS_MAX,
  SEGMENT_GRANULARITY_EXPONENT,
  SEGMENT_LENGTH_MAX,
  TOKEN_BYTES_MAX,
  TOKEN_BYTES_OPTIMAL,
} from './copy/limits.ts';
import { RodType } from './copy/token-format.ts';
import { setU16, setU32, setU64 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';

/** SPC-4 table 645. */
const Descriptor = {
  BLOCK_DEVICE_ROD_TOKEN_LIMITS: 0x0000,
  SUPPORTED_COMMANDS: 0x0001,
  PARAMETER_DATA: 0x0004,
  SUPPORTED_DESCRIPTORS: 0x0008,
  SUPPORTED_CSCD_IDS: 0x000c,
  ROD_TOKEN_FEATURES: 0x0106,
  SUPPORTED_ROD_TYPES: 0x0108,
  GENERAL_COPY_OPERATIONS: 0x8001,
} as const;

type Commands = readonly (readonly [opcode: number, serviceActions: readonly number[]])[];

/** Operation code and its service actions: EXTENDED COPY (LID1); RECEIVE COPY RESULTS: status, operating parameters,
 *  failed segment details. */
const COMMANDS: Commands = [
  [0x83, [0x00]],
  [0x84, [0x00, 0x03, 0x04]],
];
/** Those, and POPULATE TOKEN, WRITE USING TOKEN; RECEIVE ROD TOKEN INFORMATION. */
const COMMANDS_WITH_TOKENS: Commands = [
  [0x83, [0x00, 0x10, 0x11]],
  [0x84, [0x00, 0x03, 0x04, 0x07]],
];

export function thirdPartyCopy(unit: LogicalUnit): Uint8Array {
  const parts = [
    ...(unit.tokens === undefined
      ? []
      : [descriptor(Descriptor.BLOCK_DEVICE_ROD_TOKEN_LIMITS, tokenLimits(unit))]),
    descriptor(
      Descriptor.SUPPORTED_COMMANDS,
      supportedCommands(unit.tokens === undefined ? COMMANDS : COMMANDS_WITH_TOKENS),
    ),
    descriptor(Descriptor.PARAMETER_DATA, parameterData()),
    descriptor(Descriptor.SUPPORTED_DESCRIPTORS, Uint8Array.of(DESCRIPTOR_TYPES.length, ...DESCRIPTOR_TYPES)),
    // None beside the descriptors of the list itself.
    descriptor(Descriptor.SUPPORTED_CSCD_IDS, new Uint8Array(2)),
    ...(unit.tokens === undefined
      ? []
      : [
          descriptor(Descriptor.ROD_TOKEN_FEATURES, tokenFeatures()),
          descriptor(Descriptor.SUPPORTED_ROD_TYPES, rodTypes()),
        ]),
    descriptor(Descriptor.GENERAL_COPY_OPERATIONS, generalCopyOperations()),
  ];
  const page = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    page.set(part, at);
    at += part.length;
  }
  return page;
}

/** Type, length, content; a multiple of four bytes in all. */
function descriptor(type: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + content.length + 3) & ~3);
  setU16(bytes, 0, type);
  setU16(bytes, 2, bytes.length - 4);
  bytes.set(content, 4);
  return bytes;
}

function supportedCommands(commands: Commands): Uint8Array {
  const list = commands.flatMap(([opcode, actions]) => [opcode, actions.length, ...actions]);
  return Uint8Array.of(list.length, ...list);
}

function parameterData(): Uint8Array {
  const bytes = new Uint8Array(28);
  setU16(bytes, 4, CSCD_DESCRIPTORS_MAX);
  setU16(bytes, 6, SEGMENT_DESCRIPTORS_MAX);
  setU32(bytes, 8, DESCRIPTOR_LIST_LENGTH_MAX);
  return bytes;
}

function generalCopyOperations(): Uint8Array {
  const bytes = new Uint8Array(32);
  setU32(bytes, 0, CONCURRENT_COPIES_MAX);
  setU32(bytes, 4, CONCURRENT_COPIES_MAX);
  setU32(bytes, 8, SEGMENT_LENGTH_MAX);
  bytes[12] = SEGMENT_GRANULARITY_EXPONENT;
  return bytes;
}

/** SBC-3: 6 ranges (2), 8 longest inactivity timeout, 12 default one, 16 blocks of a token (8), 24 optimum (8). */
function tokenLimits({ device }: LogicalUnit): Uint8Array {
  const { blockLength } = device.geometry;
  const bytes = new Uint8Array(32);
  setU16(bytes, 6, RANGE_DESCRIPTORS_MAX);
  setU32(bytes, 8, INACTIVITY_SECONDS_MAX);
  setU32(bytes, 12, INACTIVITY_SECONDS_DEFAULT);
  setU64(bytes, 16, TOKEN_BYTES_MAX / blockLength);
  setU64(bytes, 24, TOKEN_BYTES_OPTIMAL / blockLength);
  return bytes;
}

/** No remote tokens; a token may last for ever, and may end at once. One features descriptor, of block devices. */
function tokenFeatures(): Uint8Array {
  const bytes = new Uint8Array(44 + 48);
  setU32(bytes, 16, 0xffff_ffff);
  setU32(bytes, 20, INACTIVITY_SECONDS_MAX);
  setU16(bytes, 42, 48);
  setU16(bytes, 44 + 2, 44);
  setU64(bytes, 44 + 8, TOKEN_BYTES_MAX);
  setU64(bytes, 44 + 16, TOKEN_BYTES_OPTIMAL);
  setU64(bytes, 44 + 24, TOKEN_BYTES_OPTIMAL);
  setU64(bytes, 44 + 32, TOKEN_BYTES_OPTIMAL);
  return bytes;
}

const TOKEN_IN = 0x02;
const TOKEN_OUT = 0x01;

/** 64 bytes for each type: 0 ROD TYPE (4), 4 what tokens of it are for, 6 preference (2). */
function rodTypes(): Uint8Array {
  const types = [
    [RodType.CHANGE_VULNERABLE, TOKEN_IN | TOKEN_OUT],
    [RodType.ANY_POINT_IN_TIME, TOKEN_OUT],
    [RodType.BLOCK_ZERO, TOKEN_IN],
  ] as const;
  const bytes = new Uint8Array(4 + types.length * 64);
  setU16(bytes, 2, types.length * 64);
  for (const [index, [type, uses]] of types.entries()) {
    setU32(bytes, 4 + index * 64, type);
    bytes[4 + index * 64 + 4] = uses;
  }
  return bytes;
}
