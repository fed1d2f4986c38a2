/** REQUEST SENSE (SPC-4 §6.39) and LOG SENSE (SPC-4 §6.8): what there is to say about the unit. */

import { fail } from '../base/result.ts';
import type { Command, Request } from './command.ts';
import { setU16, u16 } from './fields.ts';
import { absence } from './logical-unit.ts';
import { goodWith } from './outcome.ts';
import { encodeSense, type Fault, fault, invalidCdbField } from './sense.ts';

const DESC = 0x01;

const REQUEST_SENSE: Command = {
  name: 'REQUEST SENSE',
  opcode: 0x03,
  usage: [0x03, DESC, 0x00, 0x00, 0xff, 0x00],
  access: 'none',
  beforeUnitAttention: true,
  whileNotReady: true,
  whileSanitizing: true,
  whileUnavailable: true,
  execute(request) {
    const { cdb } = request;
    const format = (cdb[1]! & DESC) === 0 ? 'fixed' : 'descriptor';
    return goodWith(encodeSense(state(request), format)!, cdb[4]!);
  },
};

/** A unit attention that is reported here is over (SAM-5 §5.14). */
function state({ link, unit }: Request): Fault {
  const attention = link.attentions.shift();
  if (attention !== undefined) return fault(attention);
  const absent = absence(unit);
  if (absent !== undefined) return absent;
  if (unit.sanitizing !== undefined) return unit.sanitizing;
  return fault(unit.medium === 'ejected' ? 'mediumNotPresent' : 'noSense');
}

/** Informational Exceptions log page (SPC-4 §7.3.9): parameter 0000h, no exception. */
const INFORMATIONAL_EXCEPTIONS = Uint8Array.of(0x00, 0x00, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00);

const SUPPORTED_PAGES = 0x00;
const ALL_SUBPAGES = 0xff;
const LOG_PAGES: readonly number[] = [SUPPORTED_PAGES, 0x2f];

/** Only what is so: there is no temperature, no spindle and no error counter here. */
const LOG_SENSE: Command = {
  name: 'LOG SENSE',
  opcode: 0x4d,
  usage: [0x4d, 0x00, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00],
  access: 'none',
  whileNotReady: true,
  whileSanitizing: true,
  execute({ cdb }) {
    const code = cdb[2]! & 0x3f;
    const subpage = cdb[3]!;
    const pointer = u16(cdb, 5);
    const payload = logPage(code, subpage);
    if (payload === undefined) return fail(invalidCdbField(2, 5));
    // The parameters of each page here have code 0 or none.
    if (pointer !== 0) return fail(invalidCdbField(5));
    const page = new Uint8Array(4 + payload.length);
    page[0] = code | (subpage === 0 ? 0 : 0x40); // SPF
    page[1] = subpage;
    setU16(page, 2, payload.length);
    page.set(payload, 4);
    return goodWith(page, u16(cdb, 7));
  },
};

function logPage(code: number, subpage: number): Uint8Array | undefined {
  if (code === SUPPORTED_PAGES && subpage === 0) return Uint8Array.from(LOG_PAGES);
  if (code === SUPPORTED_PAGES && subpage === ALL_SUBPAGES) {
    return Uint8Array.of(SUPPORTED_PAGES, 0x00, SUPPORTED_PAGES, ALL_SUBPAGES, 0x2f, 0x00);
  }
  return code === 0x2f && subpage === 0 ? INFORMATIONAL_EXCEPTIONS : undefined;
}

export const STATUS_REPORT_COMMANDS: readonly Command[] = [REQUEST_SENSE, LOG_SENSE];
