/** Third-party Copy VPD page (SPC-4 §7.8.17): which copy commands there are and what they accept. */

import {
  CONCURRENT_COPIES_MAX,
  CSCD_DESCRIPTORS_MAX,
  DESCRIPTOR_LIST_LENGTH_MAX,
  DESCRIPTOR_TYPES,
  SEGMENT_DESCRIPTORS_MAX,
  SEGMENT_GRANULARITY_EXPONENT,
  SEGMENT_LENGTH_MAX,
} from './copy/limits.ts';
import { setU16, setU32 } from './fields.ts';

/** SPC-4 table 645. */
const Descriptor = {
  SUPPORTED_COMMANDS: 0x0001,
  PARAMETER_DATA: 0x0004,
  SUPPORTED_DESCRIPTORS: 0x0008,
  SUPPORTED_CSCD_IDS: 0x000c,
  GENERAL_COPY_OPERATIONS: 0x8001,
} as const;

/** Operation code and its service actions. */
const COMMANDS: readonly (readonly [opcode: number, serviceActions: readonly number[]])[] = [
  [0x83, [0x00]], // EXTENDED COPY (LID1)
  [0x84, [0x00, 0x03, 0x04]], // RECEIVE COPY RESULTS: status, operating parameters, failed segment details
];

export function thirdPartyCopy(): Uint8Array {
  const parts = [
    descriptor(Descriptor.SUPPORTED_COMMANDS, supportedCommands()),
    descriptor(Descriptor.PARAMETER_DATA, parameterData()),
    descriptor(Descriptor.SUPPORTED_DESCRIPTORS, Uint8Array.of(DESCRIPTOR_TYPES.length, ...DESCRIPTOR_TYPES)),
    // None beside the descriptors of the list itself.
    descriptor(Descriptor.SUPPORTED_CSCD_IDS, new Uint8Array(2)),
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

function supportedCommands(): Uint8Array {
  const list = COMMANDS.flatMap(([opcode, actions]) => [opcode, actions.length, ...actions]);
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
