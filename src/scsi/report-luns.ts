/** REPORT LUNS (SPC-4 §6.33): what stands behind the target port. */

import { encodeLun } from '../base/lun.ts';
import { fail, type Result } from '../base/result.ts';
import type { Command, Outcome } from './command.ts';
import { setU32, u32 } from './fields.ts';
import type { NexusState } from './nexus.ts';
import { goodWith } from './outcome.ts';
import { type Fault, invalidCdbField } from './sense.ts';

const WELL_KNOWN_HIGH = 0xc101_0000;
const ALLOCATION_LENGTH_MIN = 16;

/** SELECT REPORT. */
const Select = { ORDINARY: 0x00, WELL_KNOWN: 0x01, ALL: 0x02 } as const;

export const REPORT_LUNS: Command = {
  name: 'REPORT LUNS',
  opcode: 0xa0,
  usage: [0xa0, 0x00, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
  access: 'none',
  beforeUnitAttention: true,
  whileNotReady: true,
  whileSanitizing: true,
  whileUnavailable: true,
  execute: (request) => reportLuns(request.nexus, request.cdb),
};

export function reportLuns(nexus: NexusState, cdb: Uint8Array): Result<Outcome, Fault> {
  const select = cdb[2]!;
  const allocationLength = u32(cdb, 6);
  if (select > Select.ALL) return fail(invalidCdbField(2));
  if (allocationLength < ALLOCATION_LENGTH_MIN) return fail(invalidCdbField(6));
  const highs: number[] = [];
  if (select !== Select.WELL_KNOWN) {
    const luns = [...nexus.port.units.keys()].toSorted((a, b) => a - b);
    for (const lun of luns) highs.push(encodeLun(lun));
  }
  if (select !== Select.ORDINARY) highs.push(WELL_KNOWN_HIGH);
  const bytes = new Uint8Array(8 + 8 * highs.length);
  setU32(bytes, 0, 8 * highs.length);
  highs.forEach((high, i) => setU32(bytes, 8 + 8 * i, high));
  // The change has been seen (SPC-4 §6.33.1).
  for (const { attentions } of nexus.links.values()) {
    const at = attentions.indexOf('reportedLunsChanged');
    if (at >= 0) attentions.splice(at, 1);
  }
  return goodWith(bytes, allocationLength);
}
