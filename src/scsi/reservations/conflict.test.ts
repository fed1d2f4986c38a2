/**
 * Goal: the conflict rules equal the standard's table. Method: the rows of SPC-4 table 66 and SBC-3 table 13 written
 * here by command, as the standard prints them, for all types and all relations to the reservation.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Access } from '../command.ts';
import { accessOf, conflicts } from './conflict.ts';
import { type NexusName, NOTHING_RESERVED, type ReservationState, ReservationType } from './state.ts';

const HOLDER: NexusName = { initiatorPort: 'holder', targetPort: 1 };
const REGISTERED: NexusName = { initiatorPort: 'registered', targetPort: 1 };
const STRANGER: NexusName = { initiatorPort: 'stranger', targetPort: 1 };
const TYPES = Object.values(ReservationType);

function reservedAs(type: ReservationType): ReservationState {
  const registrations = [HOLDER, REGISTERED].map((nexus) => ({ ...nexus, key: 1n }));
  return { ...NOTHING_RESERVED, registrations, reservation: { type, holder: type > 6 ? undefined : HOLDER } };
}

/** Columns: WE held by another, EA held by another, registered (RO and AR types), WE for registrants and EA for
 *  registrants from a nexus that is not registered. a: allowed, c: conflict. */
const TABLE: readonly [name: string, opcode: number, access: Access, cdb4: number, columns: string][] = [
  ['INQUIRY', 0x12, 'none', 0, 'aaaaa'],
  ['TEST UNIT READY', 0x00, 'none', 0, 'aaaaa'],
  ['REPORT LUNS', 0xa0, 'none', 0, 'aaaaa'],
  ['READ CAPACITY (10)', 0x25, 'none', 0, 'aaaaa'],
  ['PERSISTENT RESERVE IN', 0x5e, 'none', 0, 'aaaaa'],
  ['MODE SENSE (6)', 0x1a, 'exclusive', 0, 'ccacc'],
  ['MODE SELECT (6)', 0x15, 'exclusive', 0, 'ccacc'],
  ['READ (10)', 0x28, 'read', 0, 'acaac'],
  ['VERIFY (10)', 0x2f, 'read', 0, 'acaac'],
  ['WRITE (10)', 0x2a, 'write', 0, 'ccacc'],
  ['UNMAP', 0x42, 'write', 0, 'ccacc'],
  ['PREVENT ALLOW, prevent', 0x1e, 'exclusive', 1, 'ccacc'],
  ['PREVENT ALLOW, allow', 0x1e, 'exclusive', 0, 'aaaaa'],
  ['START STOP UNIT, start', 0x1b, 'exclusive', 1, 'aaaaa'],
  ['START STOP UNIT, stop', 0x1b, 'exclusive', 0, 'ccacc'],
  ['START STOP UNIT, eject', 0x1b, 'exclusive', 2, 'ccacc'],
];

test('every command is let through exactly as the table of reservations says', () => {
  for (const [name, opcode, access, cdb4, columns] of TABLE) {
    const cdb = Uint8Array.of(opcode, 0, 0, 0, cdb4, 0);
    const command = { opcode, access: accessOf(opcode, access, cdb) };
    for (const type of TYPES) {
      const state = reservedAs(type);
      const asked = (nexus: NexusName): string => (conflicts(state, nexus, command) ? 'c' : 'a');
      assert.equal(asked(HOLDER), 'a', `${name}, holder, type ${type}`);
      const exclusive = type === 1 || type === 3;
      const registered = exclusive ? columns[type === 1 ? 0 : 1] : columns[2];
      assert.equal(asked(REGISTERED), registered, `${name}, registered, type ${type}`);
      const stranger = { 1: 0, 3: 1, 5: 3, 7: 3, 6: 4, 8: 4 }[type];
      assert.equal(asked(STRANGER), columns[stranger], `${name}, not registered, type ${type}`);
    }
  }
});

test('an SPC-2 reservation leaves others only what asks for nothing of the unit', () => {
  const state = { ...NOTHING_RESERVED, legacyHolder: HOLDER };
  const asked = (opcode: number, access: Access): boolean => conflicts(state, STRANGER, { opcode, access });
  assert.equal(asked(0x12, 'none'), false);
  assert.equal(asked(0xa0, 'none'), false);
  assert.equal(asked(0x17, 'none'), false);
  assert.equal(asked(0x00, 'none'), true);
  assert.equal(asked(0x1a, 'exclusive'), true);
  assert.equal(asked(0x28, 'read'), true);
  assert.equal(conflicts(state, HOLDER, { opcode: 0x2a, access: 'write' }), false);
});

test('without a reservation nothing conflicts, registered or not', () => {
  const registrations = [{ ...HOLDER, key: 1n }];
  const state = { ...NOTHING_RESERVED, registrations };
  assert.equal(conflicts(state, STRANGER, { opcode: 0x2a, access: 'write' }), false);
});
