/** MODE SENSE (6), (10) (SPC-4 §6.13, §6.14): header, block descriptor, pages. */

import { fail, type Result } from '../base/result.ts';
import type { Command, Outcome, Request } from './command.ts';
import { setU16, setU24, setU32, setU64, u16 } from './fields.ts';
import { type LogicalUnit, writeProtection } from './logical-unit.ts';
import { type ModePage, modePagesFor } from './mode-pages.ts';
import { goodWith, refuse } from './outcome.ts';
import { type Fault, invalidCdbField } from './sense.ts';

const DBD = 0x08;
const LLBAA = 0x10;

/** PAGE CONTROL. */
const PageControl = { CURRENT: 0, CHANGEABLE: 1, DEFAULT: 2, SAVED: 3 } as const;

/** Medium write-protected, DPO and FUA supported (SBC-3 §6.5.1). */
const WP = 0x80;
const DPOFUA = 0x10;

function modeSense(opcode: number, length: 6 | 10): Command {
  return {
    name: `MODE SENSE (${length})`,
    opcode,
    usage:
      length === 6
        ? [opcode, DBD, 0xff, 0xff, 0xff, 0x00]
        : [opcode, LLBAA | DBD, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00],
    access: 'exclusive',
    whileNotReady: true,
    whileSanitizing: true,
    execute: (request) => senseMode(request, length),
  };
}

function senseMode({ cdb, unit }: Request, length: 6 | 10): Result<Outcome, Fault> {
  const control = cdb[2]! >>> 6;
  if (control === PageControl.SAVED) return refuse('savingParametersNotSupported');
  const pages = modePagesFor(cdb[2]! & 0x3f, cdb[3]!);
  if (pages.length === 0) return fail(invalidCdbField(2, 5));
  const descriptor =
    (cdb[1]! & DBD) === 0 ? blockDescriptor(unit, (cdb[1]! & LLBAA) !== 0) : new Uint8Array(0);
  const parts = pages.map((page) => valuesOf(page, unit, control));
  const headerLength = length === 6 ? 4 : 8;
  const total = parts.reduce((sum, part) => sum + part.length, headerLength + descriptor.length);
  const bytes = new Uint8Array(total);
  const specific = DPOFUA | (writeProtection(unit) === undefined ? 0 : WP);
  if (length === 6) {
    bytes[0] = total - 1;
    bytes[2] = specific;
    bytes[3] = descriptor.length;
  } else {
    setU16(bytes, 0, total - 2);
    bytes[3] = specific;
    bytes[4] = descriptor.length === 16 ? 0x01 : 0x00; // LONGLBA
    setU16(bytes, 6, descriptor.length);
  }
  bytes.set(descriptor, headerLength);
  let at = headerLength + descriptor.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return goodWith(bytes, length === 6 ? cdb[4]! : u16(cdb, 7));
}

function valuesOf(page: ModePage, unit: LogicalUnit, control: number): Uint8Array {
  if (control === PageControl.CURRENT) return page.current(unit);
  const values = page.defaults(unit);
  if (control === PageControl.DEFAULT) return values;
  const headerLength = page.subpage === 0 ? 2 : 4;
  values.fill(0, headerLength);
  const changeable = page.changeable?.(unit);
  if (changeable !== undefined) values.set(changeable.subarray(headerLength), headerLength);
  return values;
}

/** SBC-3 §6.5.2: short or long LBA mode parameter block descriptor. */
function blockDescriptor(unit: LogicalUnit, long: boolean): Uint8Array {
  const { blockCount, blockLength } = unit.device.geometry;
  const blocks = unit.medium === 'loaded' ? blockCount : 0;
  const bytes = new Uint8Array(long ? 16 : 8);
  if (long) {
    setU64(bytes, 0, blocks);
    setU32(bytes, 12, blockLength);
  } else {
    setU32(bytes, 0, Math.min(blocks, 0xffff_ffff));
    setU24(bytes, 5, blockLength);
  }
  return bytes;
}

export const MODE_SENSE_COMMANDS: readonly Command[] = [modeSense(0x1a, 6), modeSense(0x5a, 10)];
