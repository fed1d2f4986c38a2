/**
 * Who may do what while a reservation stands: SPC-4 tables 66 to 69 and SBC-3 table 13, folded into what a command
 * touches (`Command.access`). Asked before every command, so the answer without any reservation is immediate.
 */

import type { Access } from '../command.ts';
import {
  isForRegistrants,
  isHolder,
  isSameNexus,
  type NexusName,
  registrationOf,
  type ReservationState,
  ReservationType,
} from './state.ts';

const {
  WRITE_EXCLUSIVE,
  EXCLUSIVE_ACCESS,
  WRITE_EXCLUSIVE_REGISTRANTS_ONLY,
  EXCLUSIVE_ACCESS_REGISTRANTS_ONLY,
  WRITE_EXCLUSIVE_ALL_REGISTRANTS,
  EXCLUSIVE_ACCESS_ALL_REGISTRANTS,
} = ReservationType;

/** What a reservation of this type leaves to nexuses that it excludes. */
const LEFT_TO_OTHERS: Readonly<Record<ReservationType, readonly Access[]>> = {
  [WRITE_EXCLUSIVE]: ['none', 'read'],
  [EXCLUSIVE_ACCESS]: ['none'],
  [WRITE_EXCLUSIVE_REGISTRANTS_ONLY]: ['none', 'read'],
  [EXCLUSIVE_ACCESS_REGISTRANTS_ONLY]: ['none'],
  [WRITE_EXCLUSIVE_ALL_REGISTRANTS]: ['none', 'read'],
  [EXCLUSIVE_ACCESS_ALL_REGISTRANTS]: ['none'],
};

/** Opcodes of access 'none' that an SPC-2 reservation shuts out all the same (SPC-2 table 9): TEST UNIT READY. */
const LEGACY_EXCLUDED: readonly number[] = [0x00];

const PREVENT_ALLOW_MEDIUM_REMOVAL = 0x1e;
const START_STOP_UNIT = 0x1b;

/**
 * What this very CDB touches: allowing removal (SPC-4 table 66), and starting the unit without naming a power condition
 * (SBC-3 table 13) are left to everyone.
 */
export function accessOf(opcode: number, access: Access, cdb: Uint8Array): Access {
  if (opcode === PREVENT_ALLOW_MEDIUM_REMOVAL && (cdb[4]! & 0x03) === 0) return 'none';
  if (opcode === START_STOP_UNIT && (cdb[4]! & 0xf1) === 0x01) return 'none';
  return access;
}

/** Exported for tests: whether a command ends with RESERVATION CONFLICT. RESERVE, RELEASE and PERSISTENT RESERVE (access 'none') have their
 *  own rules, in their steps. */
export function conflicts(
  state: ReservationState,
  nexus: NexusName,
  command: { readonly opcode: number; readonly access: Access },
): boolean {
  return isExcluded(state, nexus) && !isLeftToOthers(state, command);
}

/** Whether what is reserved is reserved for others than `nexus`. */
export function isExcluded(state: ReservationState, nexus: NexusName): boolean {
  const { reservation, legacyHolder } = state;
  if (legacyHolder !== undefined) return !isSameNexus(legacyHolder, nexus);
  if (reservation === undefined) return false;
  return isForRegistrants(reservation.type)
    ? registrationOf(state, nexus) === undefined
    : !isHolder(state, nexus);
}

/** Whether even those who are excluded may send this command. */
export function isLeftToOthers(
  state: ReservationState,
  command: { readonly opcode: number; readonly access: Access },
): boolean {
  if (state.legacyHolder !== undefined) {
    return command.access === 'none' && !LEGACY_EXCLUDED.includes(command.opcode);
  }
  return state.reservation === undefined || LEFT_TO_OTHERS[state.reservation.type].includes(command.access);
}
