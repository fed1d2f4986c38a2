/** PERSISTENT RESERVE IN parameter data (SPC-4 §6.15.2 to §6.15.5): what the state looks like to an initiator. */

import { setU16, setU32 } from '../fields.ts';
import type { Persistence } from './held.ts';
import { isHolder, type ReservationState } from './state.ts';
import { encodeTransportId } from './transport-id.ts';

const HEADER_LENGTH = 8;

/** READ KEYS. */
export function encodeKeys(state: ReservationState): Uint8Array {
  const bytes = withHeader(state, state.registrations.length * 8);
  state.registrations.forEach(({ key }, index) => setKey(bytes, HEADER_LENGTH + index * 8, key));
  return bytes;
}

/** READ RESERVATION: nothing, or one descriptor; the key of an all-registrants reservation is zero. */
export function encodeReservation(state: ReservationState): Uint8Array {
  if (state.reservation === undefined) return withHeader(state, 0);
  const bytes = withHeader(state, 16);
  const { type, holder } = state.reservation;
  if (holder !== undefined) {
    const registration = state.registrations.find((candidate) => isHolder(state, candidate));
    setKey(bytes, HEADER_LENGTH, registration?.key ?? 0n);
  }
  bytes[HEADER_LENGTH + 13] = type;
  return bytes;
}

/**
 * REPORT CAPABILITIES: RESERVE and RELEASE exceptions as in legacy.ts (CRH), SPEC_I_PT, ALL_TG_PT and APTPL are
 * there, and all six types. PTPL_A is one where registrations always survive, whatever was asked. ALLOW COMMANDS 000b
 * makes no promise about single commands.
 */
export function encodeCapabilities(state: ReservationState, persistence: Persistence): Uint8Array {
  const CRH = 0x10;
  const SIP_C = 0x08;
  const ATP_C = 0x04;
  const TMV = 0x80;
  const PTPL = 0x01;
  const isActive = persistence === 'always' || (persistence === 'whenAsked' && state.aptpl);
  const bytes = new Uint8Array(8);
  setU16(bytes, 0, bytes.length);
  bytes[2] = CRH | SIP_C | ATP_C | (persistence === 'never' ? 0 : PTPL);
  bytes[3] = TMV | (isActive ? PTPL : 0);
  bytes[4] = 0xea; // WR_EX_AR, EX_AC_RO, WR_EX_RO, EX_AC, WR_EX
  bytes[5] = 0x01; // EX_AC_AR
  return bytes;
}

/** READ FULL STATUS: every registration with the names of its nexus. */
export function encodeFullStatus(state: ReservationState): Uint8Array {
  const descriptors = state.registrations.map((registration) => {
    const transportId = encodeTransportId(registration.initiatorPort);
    const bytes = new Uint8Array(24 + transportId.length);
    setKey(bytes, 0, registration.key);
    if (state.reservation !== undefined && isHolder(state, registration)) {
      bytes[12] = 0x01; // R_HOLDER
      bytes[13] = state.reservation.type;
    }
    setU16(bytes, 18, registration.targetPort);
    setU32(bytes, 20, transportId.length);
    bytes.set(transportId, 24);
    return bytes;
  });
  const length = descriptors.reduce((sum, descriptor) => sum + descriptor.length, 0);
  const bytes = withHeader(state, length);
  let at = HEADER_LENGTH;
  for (const descriptor of descriptors) {
    bytes.set(descriptor, at);
    at += descriptor.length;
  }
  return bytes;
}

function withHeader(state: ReservationState, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + length);
  setU32(bytes, 0, state.generation);
  setU32(bytes, 4, length);
  return bytes;
}

function setKey(bytes: Uint8Array, at: number, key: bigint): void {
  setU32(bytes, at, Number(key >> 32n));
  setU32(bytes, at + 4, Number(key & 0xffffffffn));
}
