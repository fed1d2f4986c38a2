/**
 * iSCSI TransportID (SPC-4 §7.6.4.7): an initiator port by name, as PERSISTENT RESERVE parameter data carries it.
 *
 *   byte 0    FORMAT CODE (bits 7-6), PROTOCOL IDENTIFIER 5 (bits 3-0)
 *   bytes 2-3 additional length: a multiple of four, at least 20
 *   bytes 4.. UTF-8, null-terminated, null-padded: format 0 '<iSCSI name>', format 1 '<iSCSI name>,i,0x<ISID>'
 *
 * Names compare in lower case, as iSCSI names and hexadecimal digits do.
 */

import { fail, ok, type Result } from '../../base/result.ts';
import { decodeUtf8, encodeUtf8 } from '../../base/text.ts';
import { setU16, u16 } from '../fields.ts';

const PROTOCOL_ISCSI = 0x5;
const FORMAT_DEVICE = 0;
const FORMAT_PORT = 1;
const HEADER_LENGTH = 4;
const ADDITIONAL_LENGTH_MIN = 20;
/** 223 bytes of name, `,i,0x`, twelve digits and the terminator, padded (RFC 7143 §4.2.7). */
const ADDITIONAL_LENGTH_MAX = 244;
const PORT_NAME = /^.+,i,0x[0-9a-f]{1,12}$/;

export interface TransportId {
  /** 'device': an iSCSI name that stands for all ports that the target knows of it. */
  readonly kind: 'port' | 'device';
  readonly name: string;
  /** Bytes of the whole TransportID. */
  readonly length: number;
}

/** Offset, from the TransportID's first byte, of what is wrong with it. */
export type TransportIdFault = number;

export function decodeTransportId(bytes: Uint8Array, at: number): Result<TransportId, TransportIdFault> {
  if (at + HEADER_LENGTH > bytes.length) return fail(0);
  const format = bytes[at]! >>> 6;
  if ((bytes[at]! & 0x0f) !== PROTOCOL_ISCSI || format > FORMAT_PORT) return fail(0);
  const additional = u16(bytes, at + 2);
  if (additional < ADDITIONAL_LENGTH_MIN || additional > ADDITIONAL_LENGTH_MAX || additional % 4 !== 0)
    return fail(2);
  const start = at + HEADER_LENGTH;
  const end = start + additional;
  if (end > bytes.length) return fail(2);
  const terminator = bytes.indexOf(0, start);
  if (terminator === -1 || terminator >= end) return fail(HEADER_LENGTH);
  const text = decodeUtf8(bytes.subarray(start, terminator));
  if (!text.ok || text.value === '') return fail(HEADER_LENGTH);
  const name = text.value.toLowerCase();
  const length = HEADER_LENGTH + additional;
  if (format === FORMAT_DEVICE) return ok({ kind: 'device', name, length });
  const separator = name.indexOf(',i,0x');
  if (!PORT_NAME.test(name)) return fail(HEADER_LENGTH);
  const isid = name.slice(separator + 5).padStart(12, '0');
  return ok({ kind: 'port', name: `${name.slice(0, separator)},i,0x${isid}`, length });
}

/** TransportID of an initiator port, format 1. */
export function encodeTransportId(initiatorPort: string): Uint8Array {
  const text = encodeUtf8(initiatorPort);
  const additional = Math.max(ADDITIONAL_LENGTH_MIN, Math.ceil((text.length + 1) / 4) * 4);
  const bytes = new Uint8Array(HEADER_LENGTH + additional);
  bytes[0] = (FORMAT_PORT << 6) | PROTOCOL_ISCSI;
  setU16(bytes, 2, additional);
  bytes.set(text, HEADER_LENGTH);
  return bytes;
}
