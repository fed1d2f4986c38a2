/**
 * PERSISTENT RESERVE IN (SPC-4 §6.15) and OUT (§6.16), RESERVE and RELEASE (6) and (10) (SPC-2 §7.16 ff.): rows of the
 * command table. A unit without reservations does not know these commands.
 */

import { fail, ok, type MaybeAsync, type Result } from '../../base/result.ts';
import type { Command, Outcome, Request } from '../command.ts';
import { joined, u16, u32 } from '../fields.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { goodWith, refuse } from '../outcome.ts';
import { type Fault, invalidCdbField } from '../sense.ts';
import { encodeCapabilities, encodeFullStatus, encodeKeys, encodeReservation } from './parameter-data.ts';
import {
  checkBasicList,
  decodeKeys,
  decodeMove,
  decodeRegister,
  PARAMETER_LIST_LENGTH,
  PARAMETER_LIST_LENGTH_MAX,
} from './parameter-list.ts';
import { nameOf, type Persistence, reservationsOf, surroundingsOf } from './held.ts';
import { isReservationType, type NexusName, type ReservationState, type ReservationType } from './state.ts';
import type { ReservationRequest } from './step.ts';

const RESERVE_IN = 0x5e;
const RESERVE_OUT = 0x5f;
/** Nothing is asked of the medium, so neither a stopped unit nor a sanitize operation matters. */
const ALWAYS = {
  access: 'none',
  whileNotReady: true,
  isSupportedBy: (unit: LogicalUnit): boolean => reservationsOf(unit) !== undefined,
} as const;

type Encoder = (state: ReservationState, persistence: Persistence) => Uint8Array;

function reserveIn(action: string, serviceAction: number, encode: Encoder): Command {
  return {
    name: `PERSISTENT RESERVE IN, ${action}`,
    opcode: RESERVE_IN,
    serviceAction,
    usage: [RESERVE_IN, serviceAction, 0, 0, 0, 0, 0, 0xff, 0xff, 0],
    ...ALWAYS,
    execute: (request) => {
      const reservations = reservationsOf(request.unit);
      if (reservations === undefined) return refuse('invalidOpcode');
      return reservations.look(request, (state) =>
        // SPC-2 §5.5.1: whoever holds the SPC-2 reservation.
        state.legacyHolder === undefined
          ? goodWith(encode(state, reservations.persistence), u16(request.cdb, 7))
          : refuse('reservationConflict'),
      );
    },
  };
}

/** What the whole of a PERSISTENT RESERVE OUT asks for. */
type Decoder = (
  request: Request,
  list: Uint8Array,
  around: { readonly state: ReservationState; readonly persistence: Persistence },
) => Result<ReservationRequest, Fault>;

function reserveOut(action: string, serviceAction: number, decode: Decoder): Command {
  return {
    name: `PERSISTENT RESERVE OUT, ${action}`,
    opcode: RESERVE_OUT,
    serviceAction,
    usage: [RESERVE_OUT, serviceAction, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff, 0],
    ...ALWAYS,
    plan: ({ unit, cdb }) => {
      if (reservationsOf(unit) === undefined) return refuse('invalidOpcode');
      const length = u32(cdb, 5);
      const fits = length >= PARAMETER_LIST_LENGTH && length <= PARAMETER_LIST_LENGTH_MAX;
      return fits ? ok(length) : refuse('parameterListLengthError');
    },
    execute: (request) => {
      const reservations = reservationsOf(request.unit);
      if (reservations === undefined) return refuse('invalidOpcode');
      const list = joined(request.dataOut);
      const { persistence } = reservations;
      return reservations.perform(request, (state) => decode(request, list, { state, persistence }));
    },
  };
}

function registering(ignoreExistingKey: boolean): Decoder {
  return ({ nexus, unit }, list, { state, persistence }) => {
    const around = surroundingsOf(unit, state);
    const decoded = decodeRegister(list, nameOf(nexus), ignoreExistingKey, around);
    if (!decoded.ok || persistence !== 'never' || !decoded.value.aptpl) return decoded;
    return fail({ reason: 'invalidFieldInParameterList', field: { in: 'parameterList', byte: 20, bit: 0 } });
  };
}

const moving: Decoder = ({ nexus, unit }, list, { state, persistence }) => {
  const decoded = decodeMove(list, nameOf(nexus), surroundingsOf(unit, state));
  if (!decoded.ok || persistence !== 'never' || !decoded.value.aptpl) return decoded;
  return fail({ reason: 'invalidFieldInParameterList', field: { in: 'parameterList', byte: 17, bit: 0 } });
};

/** Scope must be the logical unit (SPC-4 table 184), and the type one of the six. */
function typeOf(cdb: Uint8Array): Result<ReservationType, Fault> {
  const type = cdb[2]! & 0x0f;
  if (cdb[2]! >>> 4 !== 0) return fail(invalidCdbField(2, 7));
  return isReservationType(type) ? ok(type) : fail(invalidCdbField(2, 3));
}

function reserving(kind: 'reserve' | 'release'): Decoder {
  return ({ nexus, cdb }, list) => {
    const wrong = checkBasicList(list, false);
    if (wrong !== undefined) return fail(wrong);
    const type = typeOf(cdb);
    if (!type.ok) return type;
    return ok({ kind, nexus: nameOf(nexus), key: decodeKeys(list).key, type: type.value });
  };
}

const clearing: Decoder = ({ nexus }, list) => {
  const wrong = checkBasicList(list, false);
  if (wrong !== undefined) return fail(wrong);
  return ok({ kind: 'clear', nexus: nameOf(nexus), key: decodeKeys(list).key });
};

function preempting(abort: boolean): Decoder {
  return ({ nexus, cdb }, list, { state }) => {
    const wrong = checkBasicList(list, false);
    if (wrong !== undefined) return fail(wrong);
    const { key, serviceActionKey: victimKey } = decodeKeys(list);
    // Without a reservation to take over, scope and type have no meaning (SPC-4 §5.13.11.4.4).
    const type = typeOf(cdb);
    if (!type.ok && state.reservation !== undefined) return type;
    const wanted = type.ok ? type.value : 1;
    return ok({ kind: 'preempt', nexus: nameOf(nexus), key, victimKey, type: wanted, abort });
  };
}

function legacy(
  name: string,
  opcode: number,
  kind: 'legacyReserve' | 'legacyRelease',
  length: number,
): Command {
  const perform = (request: Request): MaybeAsync<Result<Outcome, Fault>> => {
    const reservations = reservationsOf(request.unit);
    if (reservations === undefined) return refuse('invalidOpcode');
    const nexus: NexusName = nameOf(request.nexus);
    return reservations.perform(request, () => ok({ kind, nexus }));
  };
  // Third-party reservations and extents are not there: their bits are reserved.
  const usage = [opcode, ...Array.from({ length: length - 1 }, () => 0)];
  return { name, opcode, usage, ...ALWAYS, execute: perform };
}

export const RESERVATION_COMMANDS: readonly Command[] = [
  reserveIn('READ KEYS', 0, encodeKeys),
  reserveIn('READ RESERVATION', 1, encodeReservation),
  reserveIn('REPORT CAPABILITIES', 2, encodeCapabilities),
  reserveIn('READ FULL STATUS', 3, encodeFullStatus),
  reserveOut('REGISTER', 0, registering(false)),
  reserveOut('RESERVE', 1, reserving('reserve')),
  reserveOut('RELEASE', 2, reserving('release')),
  reserveOut('CLEAR', 3, clearing),
  reserveOut('PREEMPT', 4, preempting(false)),
  reserveOut('PREEMPT AND ABORT', 5, preempting(true)),
  reserveOut('REGISTER AND IGNORE EXISTING KEY', 6, registering(true)),
  reserveOut('REGISTER AND MOVE', 7, moving),
  legacy('RESERVE (6)', 0x16, 'legacyReserve', 6),
  legacy('RELEASE (6)', 0x17, 'legacyRelease', 6),
  legacy('RESERVE (10)', 0x56, 'legacyReserve', 10),
  legacy('RELEASE (10)', 0x57, 'legacyRelease', 10),
];
