/**
 * Text format: key=value pairs, each ended by a NUL (RFC 7143 §6.1). What a pair means is not known here.
 *
 *   text      = *( key "=" value NUL )
 *   key       = 1..63 bytes of A-Z a-z 0-9 . - + @ _ , beginning with a letter
 *   value     = UTF-8 without NUL; up to 255 bytes unless the key says otherwise
 *
 * A key sent twice in one negotiation is a protocol error (§6.3); only the whole of a negotiation can tell, so
 * `parseText` finds repetitions within its text and the login machine those across PDUs.
 */

import { decodeUtf8, encodeUtf8 } from '../../base/text.ts';
import { fail, ok, type Result } from '../../base/result.ts';

export interface TextPair {
  readonly key: string;
  readonly value: string;
}

export type TextFault =
  | 'textTooLong'
  | 'tooManyKeys'
  | 'notTerminated'
  | 'noEqualSign'
  | 'badKeyName'
  | 'valueTooLong'
  | 'malformedUtf8'
  | 'duplicateKey';

/** All text of one negotiation, over all its PDUs. Real logins stay below 1 KiB. */
export const TEXT_LENGTH_MAX = 65_536;
/** RFC 7143 §13 defines fewer than 40 keys; each unknown one costs us an answer. */
export const KEYS_MAX = 256;
/** RFC 7143 §6.1: standard-label, key-name. */
const KEY_LENGTH_MAX = 63;
/** RFC 7143 §6.1, for simple-value. */
const SIMPLE_VALUE_LENGTH_MAX = 255;
/** A large-binary-value is up to 1024 bytes, which are 2048 digits and the prefix; digits of a hash are fewer. */
const BINARY_VALUE_LENGTH_MAX = 2 + 2 * 1024;

/** Keys with a binary value. */
const LONG_VALUES: ReadonlySet<string> = new Set(['CHAP_C', 'CHAP_R']);
const KEY = /^[A-Za-z][A-Za-z0-9.\-+@_]*$/;

export function parseText(text: Uint8Array): Result<readonly TextPair[], TextFault> {
  if (text.length > TEXT_LENGTH_MAX) return fail('textTooLong');
  const pairs: TextPair[] = [];
  const seen = new Set<string>();
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf(0, start);
    if (end < 0) return fail('notTerminated');
    if (end > start) {
      const pair = parsePair(text.subarray(start, end));
      if (!pair.ok) return pair;
      if (seen.has(pair.value.key)) return fail('duplicateKey');
      if (pairs.length === KEYS_MAX) return fail('tooManyKeys');
      seen.add(pair.value.key);
      pairs.push(pair.value);
    }
    // An empty pair is padding: some initiators count the PDU's pad bytes into the data segment length.
    start = end + 1;
  }
  return ok(pairs);
}

export function encodeText(pairs: readonly TextPair[]): Uint8Array {
  return encodeUtf8(pairs.map((pair) => `${pair.key}=${pair.value}\0`).join(''));
}

function parsePair(bytes: Uint8Array): Result<TextPair, TextFault> {
  const equals = bytes.indexOf(0x3d);
  if (equals < 0) return fail('noEqualSign');
  if (equals === 0 || equals > KEY_LENGTH_MAX) return fail('badKeyName');
  const key = decodeUtf8(bytes.subarray(0, equals));
  if (!key.ok || !KEY.test(key.value)) return fail('badKeyName');
  const valueBytes = bytes.subarray(equals + 1);
  const lengthMax = LONG_VALUES.has(key.value) ? BINARY_VALUE_LENGTH_MAX : SIMPLE_VALUE_LENGTH_MAX;
  if (valueBytes.length > lengthMax) return fail('valueTooLong');
  const value = decodeUtf8(valueBytes);
  if (!value.ok) return value;
  return ok({ key: key.value, value: value.value });
}
