/**
 * The reservations of a mirrored unit as its nodes share them (layout: docs/FORMATS.md, 'Shared reservations'): the state,
 * and what the last change of it was, from which each node knows what its own nexuses have to hear.
 */

import { crc32c } from '../../base/crc32c.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/text.ts';
import { setU16, setU32, setU64, u16, u32, u64 } from '../fields.ts';
import type { Effect, SharedState } from './effect.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import type { NexusName } from './state.ts';

const MAGIC = 0x4c535253; // 'LSRS'
const VERSION = 1;
const HEADER_LENGTH = 32;
const CHECKSUM_LENGTH = 4;
const FLAG_APTPL = 0x01;

const Removed = { registrationsPreempted: 0x01, reservationsPreempted: 0x02 } as const;
const RELEASES = 0x04;
const ABORTS = 0x08;
const Reset = { unit: 0x10, target: 0x20 } as const;

export function encodeShared({ number, resets, state, effect }: SharedState): Uint8Array {
  const by = nameBytes(effect.by);
  const holder = nameBytes(state.legacyHolder);
  // Whatever the initiators said, it survives: another node has it.
  const record = encodeRecord({ ...state, aptpl: true });
  const length = HEADER_LENGTH + by.length + holder.length + record.length;
  const bytes = new Uint8Array(length + CHECKSUM_LENGTH);
  setU32(bytes, 0, MAGIC);
  setU16(bytes, 4, VERSION);
  bytes[6] = state.aptpl ? FLAG_APTPL : 0;
  bytes[7] = effectBits(effect);
  setU64(bytes, 8, number);
  setU32(bytes, 16, state.generation);
  setU32(bytes, 20, resets);
  setU16(bytes, 24, effect.by?.targetPort ?? 0);
  setU16(bytes, 26, by.length);
  setU16(bytes, 28, state.legacyHolder?.targetPort ?? 0);
  setU16(bytes, 30, holder.length);
  bytes.set(by, HEADER_LENGTH);
  bytes.set(holder, HEADER_LENGTH + by.length);
  bytes.set(record, HEADER_LENGTH + by.length + holder.length);
  setU32(bytes, length, crc32c(bytes.subarray(0, length), 0));
  return bytes;
}

function nameBytes(name: NexusName | undefined): Uint8Array {
  return encodeUtf8(name?.initiatorPort ?? '');
}

function effectBits({ removed, releases, aborts, reset }: Effect): number {
  return (
    (removed === undefined ? 0 : Removed[removed]) |
    (releases ? RELEASES : 0) |
    (aborts ? ABORTS : 0) |
    (reset === undefined ? 0 : Reset[reset])
  );
}

/** What was shared, or why the bytes cannot be that. */
export function decodeShared(bytes: Uint8Array): Result<SharedState, string> {
  if (bytes.length < HEADER_LENGTH + CHECKSUM_LENGTH || u32(bytes, 0) !== MAGIC)
    return fail('no shared reservations');
  if (u16(bytes, 4) !== VERSION) return fail(`made by a later program: version ${u16(bytes, 4)}`);
  const end = bytes.length - CHECKSUM_LENGTH;
  if (crc32c(bytes.subarray(0, end), 0) !== u32(bytes, end)) return fail('checksum does not match');
  const holderAt = HEADER_LENGTH + u16(bytes, 26);
  const recordAt = holderAt + u16(bytes, 30);
  if (recordAt > end) return fail('names are malformed');
  const by = nameOf(bytes.subarray(HEADER_LENGTH, holderAt), u16(bytes, 24));
  const legacyHolder = nameOf(bytes.subarray(holderAt, recordAt), u16(bytes, 28));
  if (!by.ok || !legacyHolder.ok) return fail('names are malformed');
  const record = decodeRecord(bytes.subarray(recordAt, end));
  if (!record.ok) return record;
  const effect = effectOf(bytes[7]!, by.value);
  if (effect === undefined) return fail('an unknown effect');
  const aptpl = (bytes[6]! & FLAG_APTPL) !== 0;
  const state = { ...record.value, aptpl, generation: u32(bytes, 16), legacyHolder: legacyHolder.value };
  if (legacyHolder.value !== undefined && state.registrations.length > 0)
    return fail('reserved in two ways at once');
  return ok({ number: u64(bytes, 8), resets: u32(bytes, 20), state, effect });
}

function nameOf(bytes: Uint8Array, targetPort: number): Result<NexusName | undefined, unknown> {
  if (bytes.length === 0) return ok(undefined);
  const name = decodeUtf8(bytes);
  return name.ok ? ok({ initiatorPort: name.value, targetPort }) : name;
}

function effectOf(bits: number, by: NexusName | undefined): Effect | undefined {
  const reset = nameIn(Reset, bits & 0x30);
  const removed = nameIn(Removed, bits & 0x03);
  if (bits > 0x3f || reset === null || removed === null) return undefined;
  return { by, removed, releases: (bits & RELEASES) !== 0, aborts: (bits & ABORTS) !== 0, reset };
}

/** Null: no such value. */
function nameIn<K extends string>(table: Readonly<Record<K, number>>, bits: number): K | undefined | null {
  if (bits === 0) return undefined;
  return (Object.keys(table) as K[]).find((name) => table[name] === bits) ?? null;
}
