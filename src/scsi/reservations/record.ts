/**
 * The durable record of registrations made with APTPL (layout: docs/FORMATS.md, 'Persistent reservations'). Whole or
 * not at all is the record file's business; here only what the bytes mean. PRGENERATION begins anew after a power
 * cycle (SPC-4 §6.15.2) and is not kept.
 */

import { crc32c } from '../../base/crc32c.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/text.ts';
import { setU16, setU32, u16, u32 } from '../fields.ts';
import {
  isAllRegistrants,
  isReservationType,
  isSameNexus,
  NOTHING_RESERVED,
  type Registration,
  type Reservation,
  REGISTRATIONS_MAX,
  type ReservationState,
} from './state.ts';

const MAGIC = 0x4c535052; // 'LSPR'
const VERSION = 1;
const HEADER_LENGTH = 16;
const ENTRY_HEADER_LENGTH = 12;
const CHECKSUM_LENGTH = 4;
const NO_HOLDER = 0xffff;
const FLAG_APTPL = 0x01;

/** What must be there after a restart: nothing, unless the last registration asked for it. */
export function encodeRecord(state: ReservationState): Uint8Array {
  const kept = state.aptpl ? state : NOTHING_RESERVED;
  const names = kept.registrations.map((registration) => encodeUtf8(registration.initiatorPort));
  const length = names.reduce((sum, name) => sum + ENTRY_HEADER_LENGTH + name.length, HEADER_LENGTH);
  const bytes = new Uint8Array(length + CHECKSUM_LENGTH);
  setU32(bytes, 0, MAGIC);
  setU16(bytes, 4, VERSION);
  bytes[6] = kept.aptpl ? FLAG_APTPL : 0;
  bytes[7] = kept.reservation?.type ?? 0;
  setU16(bytes, 8, holderIndex(kept));
  setU16(bytes, 10, kept.registrations.length);
  let at = HEADER_LENGTH;
  kept.registrations.forEach(({ key, targetPort }, index) => {
    setU32(bytes, at, Number(key >> 32n));
    setU32(bytes, at + 4, Number(key & 0xffffffffn));
    setU16(bytes, at + 8, targetPort);
    setU16(bytes, at + 10, names[index]!.length);
    bytes.set(names[index]!, at + ENTRY_HEADER_LENGTH);
    at += ENTRY_HEADER_LENGTH + names[index]!.length;
  });
  setU32(bytes, length, crc32c(bytes.subarray(0, length), 0));
  return bytes;
}

function holderIndex(state: ReservationState): number {
  const holder = state.reservation?.holder;
  if (holder === undefined) return NO_HOLDER;
  return state.registrations.findIndex((registration) => isSameNexus(registration, holder));
}

/** The state after a restart, or why the record cannot be one of ours. */
export function decodeRecord(record: Uint8Array): Result<ReservationState, string> {
  if (record.length < HEADER_LENGTH + CHECKSUM_LENGTH || u32(record, 0) !== MAGIC) {
    return fail('not a reservation record');
  }
  if (u16(record, 4) !== VERSION) return fail(`made by a later program: record version ${u16(record, 4)}`);
  const bytes = record.subarray(0, record.length - CHECKSUM_LENGTH);
  if (crc32c(bytes, 0) !== u32(record, bytes.length)) return fail('checksum does not match');
  const registrations = decodeEntries(bytes, u16(bytes, 10));
  if (registrations === undefined) return fail('registrations are malformed');
  const aptpl = (bytes[6]! & FLAG_APTPL) !== 0;
  if (bytes[7] === 0) return ok({ ...NOTHING_RESERVED, aptpl, registrations });
  const reservation = decodeReservation(bytes[7]!, u16(bytes, 8), registrations);
  if (reservation === undefined) return fail('the reservation has no holder or no known type');
  return ok({ ...NOTHING_RESERVED, aptpl, registrations, reservation });
}

function decodeEntries(bytes: Uint8Array, count: number): Registration[] | undefined {
  if (count > REGISTRATIONS_MAX) return undefined;
  const registrations: Registration[] = [];
  let at = HEADER_LENGTH;
  for (let i = 0; i < count; i += 1) {
    if (at + ENTRY_HEADER_LENGTH > bytes.length) return undefined;
    const key = (BigInt(u32(bytes, at)) << 32n) | BigInt(u32(bytes, at + 4));
    const end = at + ENTRY_HEADER_LENGTH + u16(bytes, at + 10);
    if (end > bytes.length || key === 0n) return undefined;
    const name = decodeUtf8(bytes.subarray(at + ENTRY_HEADER_LENGTH, end));
    if (!name.ok) return undefined;
    registrations.push({ initiatorPort: name.value, targetPort: u16(bytes, at + 8), key });
    at = end;
  }
  return at === bytes.length ? registrations : undefined;
}

function decodeReservation(
  type: number,
  holder: number,
  registrations: readonly Registration[],
): Reservation | undefined {
  if (!isReservationType(type) || registrations.length === 0) return undefined;
  if (isAllRegistrants(type)) return holder === NO_HOLDER ? { type, holder: undefined } : undefined;
  const registration = registrations[holder];
  if (registration === undefined) return undefined;
  const { initiatorPort, targetPort } = registration;
  return { type, holder: { initiatorPort, targetPort } };
}
