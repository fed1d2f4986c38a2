/**
 * REPORT SUPPORTED OPERATION CODES and REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-4 §6.35, §6.36). The first reads
 * the command table itself, so it cannot promise what dispatch does not have.
 */

import { fail, type Result } from '../base/result.ts';
import type { Command, Outcome, Request } from './command.ts';
import { setU16, setU32, u16, u32 } from './fields.ts';
import { goodWith } from './outcome.ts';
import { type Fault, invalidCdbField } from './sense.ts';

const RCTD = 0x80;

/** REPORTING OPTIONS. */
const Options = { ALL: 0, OPCODE: 1, SERVICE_ACTION: 2, EITHER: 3 } as const;

const TIMEOUTS_LENGTH = 12;

/** `commands` is asked when the command runs: the table holds this very row. */
export function reportSupportedOperationCodes(commands: () => readonly Command[]): Command {
  return {
    name: 'REPORT SUPPORTED OPERATION CODES',
    opcode: 0xa3,
    serviceAction: 0x0c,
    usage: [0xa3, 0x0c, RCTD | 0x07, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
    access: 'none',
    whileNotReady: true,
    execute(request) {
      const { cdb, unit } = request;
      const rows = commands().filter((row) => row.isSupportedBy === undefined || row.isSupportedBy(unit));
      const options = cdb[2]! & 0x07;
      if (options === Options.ALL) return goodWith(allCommands(rows, hasTimeouts(cdb)), u32(cdb, 6));
      return options > Options.EITHER ? fail(invalidCdbField(2, 2)) : oneCommand(request, rows, options);
    },
  };
}

function hasTimeouts(cdb: Uint8Array): boolean {
  return (cdb[2]! & RCTD) !== 0;
}

function allCommands(rows: readonly Command[], timeouts: boolean): Uint8Array {
  const descriptorLength = 8 + (timeouts ? TIMEOUTS_LENGTH : 0);
  const sorted = rows.toSorted(
    (a, b) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0),
  );
  const bytes = new Uint8Array(4 + descriptorLength * sorted.length);
  setU32(bytes, 0, bytes.length - 4);
  sorted.forEach((row, i) => {
    const at = 4 + descriptorLength * i;
    bytes[at] = row.opcode;
    setU16(bytes, at + 2, row.serviceAction ?? 0);
    bytes[at + 5] = (timeouts ? 0x02 : 0) | (row.serviceAction === undefined ? 0 : 0x01); // CTDP, SERVACTV
    setU16(bytes, at + 6, row.usage.length);
    if (timeouts) writeTimeouts(bytes, at + 8);
  });
  return bytes;
}

/** SPC-4 §6.35.4. Zero: no timeout is indicated. */
function writeTimeouts(bytes: Uint8Array, at: number): void {
  setU16(bytes, at, TIMEOUTS_LENGTH - 2);
}

function oneCommand(request: Request, rows: readonly Command[], options: number): Result<Outcome, Fault> {
  const { cdb } = request;
  const opcode = cdb[3]!;
  const serviceAction = u16(cdb, 4);
  const ofOpcode = rows.filter((row) => row.opcode === opcode);
  const hasActions = ofOpcode.some((row) => row.serviceAction !== undefined);
  if (options === Options.OPCODE && hasActions) return fail(invalidCdbField(2, 2));
  if (options === Options.SERVICE_ACTION && ofOpcode.length > 0 && !hasActions)
    return fail(invalidCdbField(2, 2));
  const found = hasActions
    ? ofOpcode.find((row) => row.serviceAction === serviceAction)
    : ofOpcode.find(() => options === Options.OPCODE || serviceAction === 0);
  if (found === undefined) return goodWith(Uint8Array.of(0, 0x01, 0, 0), u32(cdb, 6)); // SUPPORT 001b: it is not
  const timeouts = hasTimeouts(cdb);
  const usageEnd = 4 + found.usage.length;
  const bytes = new Uint8Array(usageEnd + (timeouts ? TIMEOUTS_LENGTH : 0));
  bytes[1] = (timeouts ? 0x80 : 0) | 0x03; // CTDP, SUPPORT 011b: as the standard says
  setU16(bytes, 2, found.usage.length);
  bytes.set(found.usage, 4);
  if (timeouts) writeTimeouts(bytes, usageEnd);
  return goodWith(bytes, u32(cdb, 6));
}

const REPD = 0x80;

export const REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS: Command = {
  name: 'REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS',
  opcode: 0xa3,
  serviceAction: 0x0d,
  usage: [0xa3, 0x0d, REPD, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
  access: 'none',
  whileNotReady: true,
  execute({ cdb }) {
    const extended = (cdb[2]! & REPD) !== 0;
    const bytes = new Uint8Array(extended ? 16 : 4);
    bytes[0] = 0x80 | 0x40 | 0x10 | 0x08 | 0x02; // ATS, ATSS, CTSS, LURS, TRS
    if (extended) bytes[3] = bytes.length - 4;
    return goodWith(bytes, u32(cdb, 6));
  },
};
