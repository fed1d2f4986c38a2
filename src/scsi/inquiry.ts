/** INQUIRY (SPC-4 §6.6): standard data here, vital product data in vpd.ts. Answers whatever the unit's state is. */

import { fail } from '../base/result.ts';
import type { Command, Request } from './command.ts';
import { setAscii, setU16, u16 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { goodWith } from './outcome.ts';
import { invalidCdbField } from './sense.ts';
import { vitalProductData } from './vpd.ts';

const STANDARD_LENGTH = 96;

/** PERIPHERAL QUALIFIER and DEVICE TYPE (SPC-4 tables 141 and 142). */
const DIRECT_ACCESS = 0x00;
const WELL_KNOWN = 0x1e;
const NOT_CAPABLE = 0x7f;

/** SPC-4 table 143: SAM-5, iSCSI, SPC-4, SBC-3, no version claimed of each. */
const VERSION_DESCRIPTORS = [0x00a0, 0x0960, 0x0460, 0x04c0] as const;

export const INQUIRY: Command = {
  name: 'INQUIRY',
  opcode: 0x12,
  usage: [0x12, 0x01, 0xff, 0xff, 0xff, 0x00],
  access: 'none',
  beforeUnitAttention: true,
  whileNotReady: true,
  whileSanitizing: true,
  whileUnavailable: true,
  execute(request: Request) {
    const { cdb, unit } = request;
    const pageCode = cdb[2]!;
    const allocationLength = u16(cdb, 3);
    if ((cdb[1]! & 1) === 0) {
      if (pageCode !== 0) return fail(invalidCdbField(2));
      return goodWith(unitInquiry(unit), allocationLength);
    }
    const page = vitalProductData(pageCode, unit, request.nexus.port);
    return page === undefined ? fail(invalidCdbField(2)) : goodWith(page, allocationLength);
  },
};

function unitInquiry(unit: LogicalUnit): Uint8Array {
  const { vendor, product, revision } = unit.identity;
  const bytes = standardInquiry(DIRECT_ACCESS);
  if (unit.removable) bytes[1] = 0x80; // RMB
  bytes[5] = 0x10 | 0x08; // TPGS 01b: implicit asymmetric access only; 3PC
  if (unit.portGroups(unit).groups.length > 1 || unit.ports.size > 1) bytes[6] = 0x10; // MULTIP
  setAscii(bytes, 8, 8, vendor);
  setAscii(bytes, 16, 16, product);
  setAscii(bytes, 32, 4, revision);
  return bytes;
}

/** For a LUN behind which there is nothing (SPC-4 §6.6.2): qualifier 011b, type 1Fh. */
export function absentInquiry(): Uint8Array {
  return standardInquiry(NOT_CAPABLE);
}

/** For the REPORT LUNS well-known logical unit. */
export function wellKnownInquiry(): Uint8Array {
  return standardInquiry(WELL_KNOWN);
}

function standardInquiry(peripheral: number): Uint8Array {
  const bytes = new Uint8Array(STANDARD_LENGTH);
  bytes[0] = peripheral;
  bytes[2] = 0x06; // VERSION: SPC-4
  bytes[3] = 0x10 | 0x02; // HISUP, RESPONSE DATA FORMAT
  bytes[4] = STANDARD_LENGTH - 5;
  bytes[7] = 0x02; // CMDQUE
  setAscii(bytes, 8, 8, 'LOCKSTEP');
  setAscii(bytes, 16, 20, '');
  VERSION_DESCRIPTORS.forEach((version, i) => setU16(bytes, 58 + 2 * i, version));
  return bytes;
}
