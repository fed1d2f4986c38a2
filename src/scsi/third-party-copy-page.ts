/** Third-party Copy VPD page (SPC-4 §7.8.17): which copy commands there are. Limits stand in RECEIVE COPY RESULTS. */

import { setU16 } from './fields.ts';

const SUPPORTED_COMMANDS = 0x0001;

/** Operation code and its service actions. */
const COMMANDS: readonly (readonly [opcode: number, serviceActions: readonly number[]])[] = [
  [0x83, [0x00]], // EXTENDED COPY (LID1)
  [0x84, [0x00, 0x03]], // RECEIVE COPY STATUS (LID1), RECEIVE COPY OPERATING PARAMETERS
];

export function thirdPartyCopy(): Uint8Array {
  const list = COMMANDS.flatMap(([opcode, actions]) => [opcode, actions.length, ...actions]);
  // Descriptor: type, length, list length, list; a multiple of four bytes.
  const bytes = new Uint8Array((5 + list.length + 3) & ~3);
  setU16(bytes, 0, SUPPORTED_COMMANDS);
  setU16(bytes, 2, bytes.length - 4);
  bytes[4] = list.length;
  bytes.set(list, 5);
  return bytes;
}
