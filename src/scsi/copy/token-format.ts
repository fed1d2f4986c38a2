/**
 * The ROD token (SPC-4, SBC-3): 512 bytes that stand for blocks as they were at one moment.
 *
 *   0 ROD TYPE (4), 6 ROD TOKEN LENGTH (2), 8 copy manager ROD token identifier (8), 16 creator logical unit descriptor
 *   (32), 48 bytes represented (16), 96 device type specific data (32), 128 target device descriptor (128), 256 the rest
 *
 * What follows 256 here is a secret: knowing a token is what gives the right to use it.
 */

import type { Crypto } from '../../ports/crypto.ts';
import { unitDesignators } from '../device-identification.ts';
import { setU16, setU24, setU32, setU64, u16, u32 } from '../fields.ts';
import type { LogicalUnit } from '../logical-unit.ts';

export const TOKEN_LENGTH = 512;
/** Counted from behind the field. */
const LENGTH_FIELD = TOKEN_LENGTH - 8;
const IDENTIFIER = { at: 8, length: 8 } as const;
const CREATOR = 16;
const CREATOR_DESIGNATOR = { at: CREATOR + 4, length: 28 } as const;
const SECRET = { at: 256, length: 64 } as const;

export const RodType = {
  /** The copy manager invalidates the token when the data changes. */
  CHANGE_VULNERABLE: 0x0080_0001,
  /** Any kind of point in time copy; only asked for, never made. */
  ANY_POINT_IN_TIME: 0x0080_ffff,
  /** Zeros, without end; nobody makes it. */
  BLOCK_ZERO: 0xffff_0001,
} as const;

export function encodeToken(unit: LogicalUnit, blocks: number, crypto: Crypto): Uint8Array {
  const { blockLength, physicalBlockExponent, thin } = unit.device.geometry;
  const bytes = new Uint8Array(TOKEN_LENGTH);
  setU32(bytes, 0, RodType.CHANGE_VULNERABLE);
  setU16(bytes, 6, LENGTH_FIELD);
  bytes.set(crypto.randomBytes(IDENTIFIER.length), IDENTIFIER.at);
  bytes[CREATOR] = 0xe4; // identification descriptor
  bytes.set(unitDesignators(unit)[0]!, CREATOR_DESIGNATOR.at);
  setU24(bytes, CREATOR + 29, blockLength);
  setU64(bytes, 56, blocks * blockLength);
  setU32(bytes, 96, blockLength);
  bytes[101] = physicalBlockExponent;
  if (thin) bytes[102] = 0x80 | 0x40; // LBPME, LBPRZ
  bytes.set(crypto.randomBytes(SECRET.length), SECRET.at);
  return bytes;
}

export function rodTypeOf(token: Uint8Array): number {
  return u32(token, 0);
}

export function hasTokenLength(token: Uint8Array): boolean {
  return u16(token, 6) === LENGTH_FIELD;
}

/** What tokens are known by. */
export function identifierOf(token: Uint8Array): string {
  return token.subarray(IDENTIFIER.at, IDENTIFIER.at + IDENTIFIER.length).join();
}

/** Designation descriptor of the unit that made the token. */
export function creatorOf(token: Uint8Array): Uint8Array {
  return token.subarray(CREATOR_DESIGNATOR.at, CREATOR_DESIGNATOR.at + CREATOR_DESIGNATOR.length);
}
