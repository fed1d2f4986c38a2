/**
 * REPORT TARGET PORT GROUPS (SPC-4 §6.37) with both parameter data formats. Where the states come from is replaceable:
 * on one node all ports of a unit are active/optimized. Transitions are implicit only, so SET TARGET PORT GROUPS is not
 * a command here (INVALID COMMAND OPERATION CODE).
 *
 *   length only     0 RETURN DATA LENGTH (4)
 *   extended        0 RETURN DATA LENGTH (4), 4 format type (bits 6-4) 001b, 5 IMPLICIT TRANSITION TIME, seconds
 *   then each group 0 PREF (bit 7), ASYMMETRIC ACCESS STATE, 1 supported states, 2 TARGET PORT GROUP (2),
 *                   5 STATUS CODE, 7 TARGET PORT COUNT, 8 each port: 2 RELATIVE TARGET PORT IDENTIFIER (2)
 */

import type { Command } from './command.ts';
import { setU16, setU32, u32 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { goodWith } from './outcome.ts';
import { invalidCdbField } from './sense.ts';
import { fail } from '../base/result.ts';

/** SPC-4 table 274. */
export const AccessState = {
  ACTIVE_OPTIMIZED: 0x0,
  ACTIVE_NON_OPTIMIZED: 0x1,
  STANDBY: 0x2,
  UNAVAILABLE: 0x3,
  TRANSITIONING: 0xf,
} as const;
export type AccessState = (typeof AccessState)[keyof typeof AccessState];

/** SPC-4 table 276: why a group is in its state. */
export const GroupStatus = {
  NONE: 0,
  BY_COMMAND: 1,
  BY_IMPLICIT_TRANSITION: 2,
} as const;
export type GroupStatus = (typeof GroupStatus)[keyof typeof GroupStatus];

export interface TargetPortGroup {
  /** TARGET PORT GROUP, 16 bits. */
  readonly group: number;
  readonly state: AccessState;
  readonly preferred: boolean;
  readonly status: GroupStatus;
  /** Relative target port identifiers, at most 255. */
  readonly ports: readonly number[];
}

/** What a unit says of its ports; the same through every port and, once replicated, through every node. */
export interface TargetPortGroups {
  readonly groups: readonly TargetPortGroup[];
  /** Seconds that an implicit transition may take; 0: does not say. */
  readonly implicitTransitionSeconds: number;
}

export type TargetPortGroupProvider = (unit: LogicalUnit) => TargetPortGroups;

/** One node: every port there is, by the group it was given, active/optimized. */
export function allPortsOptimized(unit: LogicalUnit): TargetPortGroups {
  const portsOf = new Map<number, number[]>();
  for (const { targetPortGroup, relativeTargetPort } of unit.ports) {
    const ports = portsOf.get(targetPortGroup);
    if (ports === undefined) portsOf.set(targetPortGroup, [relativeTargetPort]);
    else ports.push(relativeTargetPort);
  }
  const groups = [...portsOf].map(([group, ports]) => ({
    group,
    state: AccessState.ACTIVE_OPTIMIZED,
    preferred: false,
    status: GroupStatus.NONE,
    ports: ports.toSorted((a, b) => a - b),
  }));
  return { groups: groups.toSorted((a, b) => a.group - b.group), implicitTransitionSeconds: 0 };
}

/** T_SUP, U_SUP, S_SUP, AN_SUP, AO_SUP. */
const SUPPORTED_STATES = 0x8f;
const PREF = 0x80;
const EXTENDED_FORMAT = 1;

function encodeTargetPortGroups(
  { groups, implicitTransitionSeconds }: TargetPortGroups,
  format: 'lengthOnly' | 'extended',
): Uint8Array {
  const headerLength = format === 'extended' ? 8 : 4;
  const length = groups.reduce((sum, { ports }) => sum + 8 + 4 * ports.length, headerLength);
  const bytes = new Uint8Array(length);
  setU32(bytes, 0, length - 4);
  if (format === 'extended') {
    bytes[4] = EXTENDED_FORMAT << 4;
    bytes[5] = implicitTransitionSeconds;
  }
  let at = headerLength;
  for (const { group, state, preferred, status, ports } of groups) {
    bytes[at] = (preferred ? PREF : 0) | state;
    bytes[at + 1] = SUPPORTED_STATES;
    setU16(bytes, at + 2, group);
    bytes[at + 5] = status;
    bytes[at + 7] = ports.length;
    ports.forEach((port, index) => setU16(bytes, at + 10 + 4 * index, port));
    at += 8 + 4 * ports.length;
  }
  return bytes;
}

const MAINTENANCE_IN = 0xa3;
const REPORT_TARGET_PORT_GROUPS = 0x0a;

export const TARGET_PORT_GROUP_COMMANDS: readonly Command[] = [
  {
    name: 'REPORT TARGET PORT GROUPS',
    opcode: MAINTENANCE_IN,
    serviceAction: REPORT_TARGET_PORT_GROUPS,
    usage: [MAINTENANCE_IN, 0xe0 | REPORT_TARGET_PORT_GROUPS, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
    access: 'none',
    whileNotReady: true,
    whileSanitizing: true,
    whileUnavailable: true,
    execute: ({ unit, cdb }) => {
      const format = cdb[1]! >>> 5;
      if (format > EXTENDED_FORMAT) return fail(invalidCdbField(1, 7));
      const kind = format === EXTENDED_FORMAT ? 'extended' : 'lengthOnly';
      return goodWith(encodeTargetPortGroups(unit.portGroups(unit), kind), u32(cdb, 6));
    },
  },
];
