/**
 * Additional header segments (RFC 7143 §11.2.2): word-aligned, each `AHSLength (2), AHSType (1), specific (1), …`,
 * where AHSLength counts what follows the type byte, without padding.
 */

import { fail, ok, type Result } from '../../base/result.ts';

const TYPE_EXTENDED_CDB = 1;
const TYPE_BIDIRECTIONAL_READ_LENGTH = 2;
const BIDIRECTIONAL_LENGTH = 5;
/** Before the first byte of content: length, type and the reserved byte that AHSLength counts. */
const AHS_HEADER_LENGTH = 4;
const CDB_IN_BHS_LENGTH = 16;

export interface AdditionalHeaders {
  /** What the CDB has beyond its first 16 bytes; offset and length in the view. */
  readonly cdbOffset: number;
  readonly cdbLength: number;
  /** Expected bidirectional read data length, if given. */
  readonly readLength: number | undefined;
}

export const NO_ADDITIONAL_HEADERS: AdditionalHeaders = { cdbOffset: 0, cdbLength: 0, readLength: undefined };

/** SPC-4 §4.2.3: a variable-length CDB has at most 260 bytes. */
const CDB_LENGTH_MAX = 260;

/** `at` is where the first segment begins, `length` the bytes of all of them. */
export function decodeAdditionalHeaders(
  view: DataView,
  at: number,
  length: number,
): Result<AdditionalHeaders, 'malformed'> {
  const end = at + length;
  let found: AdditionalHeaders = NO_ADDITIONAL_HEADERS;
  while (at < end) {
    const contentLength = view.getUint16(at);
    const type = view.getUint8(at + 2);
    const next = at + ((3 + contentLength + 3) & ~3);
    if (contentLength < 1 || next > end) return fail('malformed');
    if (type === TYPE_EXTENDED_CDB) {
      const cdbLength = contentLength - 1;
      if (found.cdbLength > 0 || cdbLength > CDB_LENGTH_MAX - CDB_IN_BHS_LENGTH) return fail('malformed');
      found = { ...found, cdbOffset: at + AHS_HEADER_LENGTH, cdbLength };
    } else if (type === TYPE_BIDIRECTIONAL_READ_LENGTH) {
      if (contentLength !== BIDIRECTIONAL_LENGTH) return fail('malformed');
      found = { ...found, readLength: view.getUint32(at + AHS_HEADER_LENGTH) };
    }
    at = next;
  }
  return ok(found);
}
