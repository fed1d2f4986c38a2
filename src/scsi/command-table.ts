/**
 * The command table, collected from the files that own the rows. Dispatch is one array look-up by opcode, and a second
 * one by service action where an opcode has them.
 */

import { assert } from '../base/assert.ts';
import { fail } from '../base/result.ts';
import { CACHE_COMMANDS } from './cache.ts';
import { CAPACITY_COMMANDS } from './capacity.ts';
import type { Command } from './command.ts';
import { COPY_COMMANDS } from './copy/commands.ts';
import { TOKEN_COMMANDS } from './copy/token-commands.ts';
import { COMPARE_AND_WRITE_COMMANDS } from './compare-and-write.ts';
import { INQUIRY } from './inquiry.ts';
import { GOOD } from './outcome.ts';
import { MEDIUM_CONTROL_COMMANDS } from './medium-control.ts';
import { MEDIUM_INFO_COMMANDS } from './medium-info.ts';
import { MODE_SELECT_COMMANDS } from './mode-select.ts';
import { MODE_SENSE_COMMANDS } from './mode-sense.ts';
import { READ_WRITE_COMMANDS } from './read-write.ts';
import { REPORT_LUNS } from './report-luns.ts';
import { RESERVATION_COMMANDS } from './reservations/commands.ts';
import {
  REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
  reportSupportedOperationCodes,
} from './report-supported.ts';
import { STATUS_REPORT_COMMANDS } from './status-reports.ts';
import { VERIFY_COMMANDS } from './verify.ts';
import { WRITE_SAME_COMMANDS } from './write-same.ts';
import { SANITIZE_COMMANDS } from './sanitize.ts';
import { type Fault, fault, invalidCdbField } from './sense.ts';
import { TARGET_PORT_GROUP_COMMANDS } from './target-port-groups.ts';

/** Every row; a file of rows is added here. */
export const COMMANDS: readonly Command[] = [
  INQUIRY,
  REPORT_LUNS,
  ...CAPACITY_COMMANDS,
  ...READ_WRITE_COMMANDS,
  ...VERIFY_COMMANDS,
  ...COMPARE_AND_WRITE_COMMANDS,
  ...WRITE_SAME_COMMANDS,
  ...MEDIUM_INFO_COMMANDS,
  ...CACHE_COMMANDS,
  ...MEDIUM_CONTROL_COMMANDS,
  ...MODE_SENSE_COMMANDS,
  ...MODE_SELECT_COMMANDS,
  ...STATUS_REPORT_COMMANDS,
  reportSupportedOperationCodes(() => COMMANDS),
  REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
  ...RESERVATION_COMMANDS,
  ...TARGET_PORT_GROUP_COMMANDS,
  ...SANITIZE_COMMANDS,
  ...COPY_COMMANDS,
  ...TOKEN_COMMANDS,
];

interface Entry {
  /** The row of an opcode without service actions. */
  readonly single: Command | undefined;
  /** By service action. */
  readonly byServiceAction: Map<number, Command>;
}

/** Stands for every CDB that no row is for; ends at its plan. */
function refusal(name: string, cause: Fault): Command {
  return {
    name,
    opcode: -1,
    usage: [],
    access: 'none',
    whileNotReady: true,
    whileSanitizing: true,
    whileUnavailable: true,
    plan: () => fail(cause),
    execute: () => GOOD,
  };
}

const UNKNOWN_OPCODE = refusal('unknown operation code', fault('invalidOpcode'));
const UNKNOWN_SERVICE_ACTION = refusal('unknown service action', invalidCdbField(1, 4));

const SERVICE_ACTION_MASK = 0x1f;

const table: (Entry | undefined)[] = buildTable(COMMANDS);

function buildTable(rows: readonly Command[]): (Entry | undefined)[] {
  const entries: (Entry | undefined)[] = Array.from({ length: 256 }, () => undefined);
  for (const row of rows) {
    assert(row.usage[0] === row.opcode, `${row.name}: usage begins with the opcode`);
    assert([6, 10, 12, 16].includes(row.usage.length), `${row.name}: usage is as long as the CDB`);
    const entry = (entries[row.opcode] ??= {
      single: row.serviceAction === undefined ? row : undefined,
      byServiceAction: new Map(),
    });
    if (row.serviceAction === undefined) {
      assert(entry.single === row, `${row.name}: a second row for the opcode`);
    } else {
      assert(!entry.byServiceAction.has(row.serviceAction), `${row.name}: a second row`);
      entry.byServiceAction.set(row.serviceAction, row);
    }
  }
  return entries;
}

/** The row for a CDB; never undefined: unknown commands have rows that refuse. */
export function commandFor(cdb: Uint8Array): Command {
  const entry = table[cdb[0]!];
  if (entry === undefined) return UNKNOWN_OPCODE;
  if (entry.single !== undefined) return entry.single;
  return entry.byServiceAction.get(cdb[1]! & SERVICE_ACTION_MASK) ?? UNKNOWN_SERVICE_ACTION;
}
