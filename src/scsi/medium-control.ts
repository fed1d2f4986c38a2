/**
 * TEST UNIT READY (SPC-4 §6.47), START STOP UNIT (SBC-3 §5.25) and PREVENT ALLOW MEDIUM REMOVAL (SBC-3 §5.14). There is no
 * spindle: START and power conditions change nothing; LOEJ moves the medium of a removable unit.
 */

import { fail, isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import type { Command, Outcome, Request } from './command.ts';
import { absence, type LogicalUnit } from './logical-unit.ts';
import { deviceFault, GOOD, refuse } from './outcome.ts';
import { type Fault, invalidCdbField } from './sense.ts';
import { raiseOnAll } from './unit-attention.ts';

const TEST_UNIT_READY: Command = {
  name: 'TEST UNIT READY',
  opcode: 0x00,
  usage: [0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  access: 'none',
  execute({ unit }) {
    const absent = absence(unit);
    return absent === undefined ? GOOD : fail(absent);
  },
};

const NO_FLUSH = 0x04;
const LOEJ = 0x02;
const START = 0x01;
const POWER_CONDITION_MASK = 0xf0;

const START_STOP_UNIT: Command = {
  name: 'START STOP UNIT',
  opcode: 0x1b,
  usage: [0x1b, 0x01, 0x00, 0x0f, POWER_CONDITION_MASK | NO_FLUSH | LOEJ | START, 0x00],
  access: 'exclusive',
  whileNotReady: true,
  execute(request) {
    const flags = request.cdb[4]!;
    const { unit } = request;
    // With a power condition, START and LOEJ are ignored (SBC-3 table 92).
    if ((flags & POWER_CONDITION_MASK) !== 0) return flushed(request, flags);
    if ((flags & LOEJ) === 0) return (flags & START) === 0 ? flushed(request, flags) : GOOD;
    if (!unit.removable) return fail(invalidCdbField(4, 1));
    if (isRemovalPrevented(unit)) return refuse('mediumRemovalPrevented');
    return (flags & START) === 0 ? eject(request) : load(request);
  },
};

function isRemovalPrevented(unit: LogicalUnit): boolean {
  for (const link of unit.links) if (link.preventsRemoval) return true;
  return false;
}

function flushed(request: Request, flags: number): MaybeAsync<Result<Outcome, Fault>> {
  if ((flags & NO_FLUSH) !== 0 || request.unit.medium === 'ejected') return GOOD;
  return afterFlush(request, () => GOOD);
}

/** Ejecting flushes whatever NO_FLUSH says: afterwards nobody could. */
function eject(request: Request): MaybeAsync<Result<Outcome, Fault>> {
  if (request.unit.medium === 'ejected') return GOOD;
  return afterFlush(request, () => {
    // Somebody may have taken hold of the medium meanwhile.
    if (isRemovalPrevented(request.unit)) return refuse('mediumRemovalPrevented');
    request.unit.medium = 'ejected';
    return GOOD;
  });
}

function load(request: Request): Result<Outcome, Fault> {
  const { unit, nexus } = request;
  if (unit.medium === 'loaded') return GOOD;
  unit.medium = 'loaded';
  raiseOnAll(unit, 'mediumMayHaveChanged', nexus);
  return GOOD;
}

function afterFlush(
  request: Request,
  next: () => Result<Outcome, Fault>,
): MaybeAsync<Result<Outcome, Fault>> {
  const settle = (result: Result<void, DeviceFault>): Result<Outcome, Fault> => {
    if (!result.ok) return deviceFault(result.fault);
    return request.aborted ? GOOD : next();
  };
  const result = request.unit.device.flush(request);
  return isAsync(result) ? result.then(settle) : settle(result);
}

/** PREVENT: 00b allows, 01b prevents; the others are obsolete. */
const PREVENT_MASK = 0x01;

const PREVENT_ALLOW_MEDIUM_REMOVAL: Command = {
  name: 'PREVENT ALLOW MEDIUM REMOVAL',
  opcode: 0x1e,
  usage: [0x1e, 0x00, 0x00, 0x00, PREVENT_MASK, 0x00],
  access: 'exclusive',
  whileNotReady: true,
  isSupportedBy: (unit) => unit.removable,
  execute({ cdb, link }) {
    link.preventsRemoval = (cdb[4]! & PREVENT_MASK) !== 0;
    return GOOD;
  },
};

export const MEDIUM_CONTROL_COMMANDS: readonly Command[] = [
  TEST_UNIT_READY,
  START_STOP_UNIT,
  PREVENT_ALLOW_MEDIUM_REMOVAL,
];
