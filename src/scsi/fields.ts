/** Big-endian fields of CDBs and parameter data, straight from the bytes (a DataView per CDB costs more than the CDB). */

import { copyTo, lengthOf } from '../base/segments.ts';

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Exact below 2^53; above that rounded, which is beyond the end of every device all the same. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * 0x1_0000_0000 + u32(bytes, at + 4);
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function setU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16;
  setU16(bytes, at + 1, value);
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 16);
  setU16(bytes, at + 2, value);
}

export function setU64(bytes: Uint8Array, at: number, value: number): void {
  setU32(bytes, at, Math.floor(value / 0x1_0000_0000));
  setU32(bytes, at + 4, value);
}

/** Left-aligned ASCII, padded with spaces (SPC-4 §4.3.1). */
export function setAscii(bytes: Uint8Array, at: number, length: number, text: string): void {
  for (let i = 0; i < length; i += 1) bytes[at + i] = i < text.length ? text.charCodeAt(i) : 0x20;
}

/** UTF-8 of a name, which iSCSI keeps to ASCII here; without terminator. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  setAscii(bytes, 0, text.length, text);
  return bytes;
}

/** The segments as one piece; only for parameter lists, never for blocks. */
export function joined(segments: readonly Uint8Array[]): Uint8Array {
  if (segments.length === 1) return segments[0]!;
  const whole = new Uint8Array(lengthOf(segments));
  copyTo(segments, whole, 0);
  return whole;
}
