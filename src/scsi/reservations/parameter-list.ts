/**
 * PERSISTENT RESERVE OUT parameter lists (SPC-4 §6.16.3 and, for REGISTER AND MOVE, §6.16.4): bytes in, the request
 * of the reservation machine out.
 *
 *   basic  0 RESERVATION KEY (8), 8 SERVICE ACTION RESERVATION KEY (8), 20 SPEC_I_PT (bit 3), ALL_TG_PT (2), APTPL (0),
 *          24 with SPEC_I_PT: TransportID parameter data length (4) and that many bytes of TransportIDs
 *   move   0 and 8 as above, 17 UNREG (bit 1), APTPL (0), 18 RELATIVE TARGET PORT IDENTIFIER (2),
 *          20 TransportID length (4), 24 the TransportID
 */

import { fail, ok, type Result } from '../../base/result.ts';
import { u16, u32 } from '../fields.ts';
import { type Fault, fault, invalidParameter } from '../sense.ts';
import type { MoveRequest, RegisterRequest } from './register.ts';
import type { NexusName } from './state.ts';
import { decodeTransportId } from './transport-id.ts';

export const PARAMETER_LIST_LENGTH = 24;
/** Room for some 128 TransportIDs; longer lists: PARAMETER LIST LENGTH ERROR. */
export const PARAMETER_LIST_LENGTH_MAX = 32768;

/** What the logical unit knows that names in a parameter list are resolved with. */
export interface Surroundings {
  /** Relative target port identifiers of every port of the unit. */
  readonly targetPorts: readonly number[];
  /** Initiator ports that have a nexus with the unit, for an iSCSI name. */
  initiatorPortsOf(initiatorName: string): readonly string[];
}

export interface Keys {
  readonly key: bigint;
  readonly serviceActionKey: bigint;
}

export function decodeKeys(list: Uint8Array): Keys {
  return { key: keyAt(list, 0), serviceActionKey: keyAt(list, 8) };
}

function keyAt(list: Uint8Array, at: number): bigint {
  return (BigInt(u32(list, at)) << 32n) | BigInt(u32(list, at + 4));
}

const SPEC_I_PT = 0x08;
const ALL_TG_PT = 0x04;
const APTPL = 0x01;

/** For every service action but REGISTER AND MOVE: the length fits, and only REGISTER names other ports. */
export function checkBasicList(list: Uint8Array, mayNamePorts: boolean): Fault | undefined {
  if ((list[20]! & SPEC_I_PT) !== 0) return mayNamePorts ? undefined : invalidParameter(20, 3);
  return list.length === PARAMETER_LIST_LENGTH ? undefined : fault('parameterListLengthError');
}

export function decodeRegister(
  list: Uint8Array,
  nexus: NexusName,
  ignoreExistingKey: boolean,
  around: Surroundings,
): Result<RegisterRequest, Fault> {
  const wrong = checkBasicList(list, !ignoreExistingKey);
  if (wrong !== undefined) return fail(wrong);
  const { key, serviceActionKey } = decodeKeys(list);
  const flags = list[20]!;
  let initiatorPorts: readonly string[] | undefined;
  if ((flags & SPEC_I_PT) !== 0) {
    const decoded = decodeInitiatorPorts(list, around);
    if (!decoded.ok) return decoded;
    initiatorPorts = decoded.value;
  }
  return ok({
    kind: 'register',
    nexus,
    key,
    newKey: serviceActionKey,
    ignoreExistingKey,
    aptpl: (flags & APTPL) !== 0,
    targetPorts: (flags & ALL_TG_PT) !== 0 ? around.targetPorts : [nexus.targetPort],
    initiatorPorts,
  });
}

function decodeInitiatorPorts(list: Uint8Array, around: Surroundings): Result<string[], Fault> {
  const start = PARAMETER_LIST_LENGTH + 4;
  if (list.length < start) return fail(fault('parameterListLengthError'));
  if (start + u32(list, PARAMETER_LIST_LENGTH) !== list.length)
    return fail(fault('parameterListLengthError'));
  const ports: string[] = [];
  let at = start;
  while (at < list.length) {
    const id = decodeTransportId(list, at);
    if (!id.ok) return fail(invalidParameter(at + id.fault));
    const named = id.value.kind === 'port' ? [id.value.name] : around.initiatorPortsOf(id.value.name);
    // An iSCSI name of which no port is known registers nobody, which is not what was asked for.
    if (named.length === 0) return fail(invalidParameter(at));
    ports.push(...named);
    at += id.value.length;
  }
  return ok(ports);
}

export function decodeMove(
  list: Uint8Array,
  nexus: NexusName,
  around: Surroundings,
): Result<MoveRequest, Fault> {
  const { key, serviceActionKey } = decodeKeys(list);
  if (PARAMETER_LIST_LENGTH + u32(list, 20) !== list.length) return fail(fault('parameterListLengthError'));
  const targetPort = u16(list, 18);
  if (!around.targetPorts.includes(targetPort)) return fail(invalidParameter(18));
  const id = decodeTransportId(list, PARAMETER_LIST_LENGTH);
  if (!id.ok) return fail(invalidParameter(PARAMETER_LIST_LENGTH + id.fault));
  if (id.value.kind !== 'port') return fail(invalidParameter(PARAMETER_LIST_LENGTH));
  if (id.value.length !== list.length - PARAMETER_LIST_LENGTH) return fail(invalidParameter(20));
  return ok({
    kind: 'registerAndMove',
    nexus,
    key,
    newKey: serviceActionKey,
    aptpl: (list[17]! & APTPL) !== 0,
    unregister: (list[17]! & 0x02) !== 0,
    to: { initiatorPort: id.value.name, targetPort },
  });
}
