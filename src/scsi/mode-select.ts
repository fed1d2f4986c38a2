/**
 * MODE SELECT (6), (10) (SPC-4 §6.11, §6.12): everything is checked before anything changes, and the other nexuses hear
 * of a change by a unit attention.
 */

import { fail, type MaybeAsync, ok, type Result, then } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import type { Command, Outcome, Request } from './command.ts';
import { joined, u16, u24, u32, u64 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { MODE_PAGES, type ModePage } from './mode-pages.ts';
import { deviceFault, GOOD, refuse } from './outcome.ts';
import { type Fault, invalidCdbField, invalidParameter } from './sense.ts';
import { raiseOnAll } from './unit-attention.ts';

const PF = 0x10;

function modeSelect(opcode: number, length: 6 | 10): Command {
  return {
    name: `MODE SELECT (${length})`,
    opcode,
    usage:
      length === 6
        ? [opcode, PF, 0x00, 0x00, 0xff, 0x00]
        : [opcode, PF, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00],
    access: 'exclusive',
    whileNotReady: true,
    plan({ cdb }) {
      const listLength = length === 6 ? cdb[4]! : u16(cdb, 7);
      if (listLength === 0) return ok(0);
      if ((cdb[1]! & PF) === 0) return fail(invalidCdbField(1, 4)); // no vendor specific format
      return listLength < (length === 6 ? 4 : 8) ? refuse('parameterListLengthError') : ok(listLength);
    },
    execute(request) {
      if (request.dataOut.length === 0) return GOOD;
      const changes = changesIn(joined(request.dataOut), request.unit, length);
      return changes.ok ? applyAll(request, changes.value, 0) : changes;
    },
  };
}

interface Change {
  readonly page: ModePage;
  readonly values: Uint8Array;
}

/** The pages of a parameter list that differ from what is in force. */
function changesIn(list: Uint8Array, unit: LogicalUnit, length: 6 | 10): Result<readonly Change[], Fault> {
  const headerLength = length === 6 ? 4 : 8;
  const mediumTypeByte = length === 6 ? 1 : 2;
  if (list[mediumTypeByte] !== 0) return fail(invalidParameter(mediumTypeByte));
  const descriptorLength = length === 6 ? list[3]! : u16(list, 6);
  const long = length === 10 && (list[4]! & 0x01) !== 0;
  const wrong = descriptorFault(list, { at: headerLength, length: descriptorLength, long }, unit);
  if (wrong !== undefined) return fail(wrong);
  const changes: Change[] = [];
  for (let at = headerLength + descriptorLength; at < list.length; ) {
    const page = pageAt(list, at);
    if (!page.ok) return page;
    const values = list.subarray(at, at + page.value.current(unit).length);
    const fault = pageFault(page.value, values, unit, at);
    if (fault !== undefined) return fail(fault);
    changes.push({ page: page.value, values });
    at += values.length;
  }
  return ok(changes.filter(({ page, values }) => differs(values, page.current(unit))));
}

function differs(a: Uint8Array, b: Uint8Array): boolean {
  return a.some((byte, i) => byte !== b[i]);
}

interface DescriptorPlace {
  readonly at: number;
  readonly length: number;
  readonly long: boolean;
}

/** A block descriptor may only say what is so already; number of blocks zero or all ones mean "as it is". */
function descriptorFault(list: Uint8Array, place: DescriptorPlace, unit: LogicalUnit): Fault | undefined {
  const { at, length, long } = place;
  if (length === 0) return undefined;
  if (length !== (long ? 16 : 8)) return invalidParameter(at === 4 ? 3 : 6);
  if (at + length > list.length) return { reason: 'parameterListLengthError' };
  const { blockCount, blockLength } = unit.device.geometry;
  const blocks = long ? u64(list, at) : u32(list, at);
  const asItIs = blocks === 0 || blocks === blockCount || (!long && blocks === 0xffff_ffff);
  if (!asItIs) return invalidParameter(at);
  const bytes = long ? u32(list, at + 12) : u24(list, at + 5);
  return bytes === 0 || bytes === blockLength ? undefined : invalidParameter(at + (long ? 12 : 5));
}

function pageAt(list: Uint8Array, at: number): Result<ModePage, Fault> {
  const hasSubpage = (list[at]! & 0x40) !== 0;
  if (at + (hasSubpage ? 4 : 2) > list.length) return refuse('parameterListLengthError');
  const code = list[at]! & 0x3f;
  const subpage = hasSubpage ? list[at + 1]! : 0;
  const page = MODE_PAGES.find((candidate) => candidate.code === code && candidate.subpage === subpage);
  return page === undefined ? fail(invalidParameter(at, 5)) : ok(page);
}

/** PS, the page length and everything that is not changeable must be as they are. */
function pageFault(page: ModePage, values: Uint8Array, unit: LogicalUnit, at: number): Fault | undefined {
  const current = page.current(unit);
  const changeable = page.changeable?.(unit);
  const lengthEnd = page.subpage === 0 ? 2 : 4;
  for (let i = 0; i < lengthEnd; i += 1) if (values[i] !== current[i]) return invalidParameter(at + i);
  if (values.length < current.length) return { reason: 'parameterListLengthError' };
  for (let i = lengthEnd; i < current.length; i += 1) {
    const fixed = (values[i]! ^ current[i]!) & ~(changeable?.[i] ?? 0);
    if (fixed !== 0) return invalidParameter(at + i, 31 - Math.clz32(fixed));
  }
  return undefined;
}

/** One after the other; the first that the device refuses ends it, and so does an abort. */
function applyAll(
  request: Request,
  changes: readonly Change[],
  from: number,
): MaybeAsync<Result<Outcome, Fault>> {
  const change = changes[from];
  if (change === undefined || request.aborted) return ended(request, from, GOOD);
  const settle = (done: Result<void, DeviceFault>): MaybeAsync<Result<Outcome, Fault>> =>
    done.ok ? applyAll(request, changes, from + 1) : ended(request, from, deviceFault(done.fault));
  return then(change.page.apply!(request.unit, change.values), settle);
}

/** The others hear of what has changed, however the command ends. */
function ended(
  { unit, nexus }: Request,
  applied: number,
  result: Result<Outcome, Fault>,
): Result<Outcome, Fault> {
  if (applied > 0) raiseOnAll(unit, 'modeParametersChanged', nexus);
  return result;
}

export const MODE_SELECT_COMMANDS: readonly Command[] = [modeSelect(0x15, 6), modeSelect(0x55, 10)];
