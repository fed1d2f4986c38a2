/** The forms of a value (RFC 7143 §6.1): numbers, numeric ranges, lists and binary values. `undefined`: not of the form. */

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;
const HEX = /^0[xX][0-9a-fA-F]{1,13}$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const BASE64_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const HEX_DIGITS = '0123456789abcdef';
/** RFC 7143 §6.1: list-of-values have no limit of their own; 64 is more than any key defines. */
const LIST_LENGTH_MAX = 64;

/** decimal-constant or hex-constant. */
export function parseNumber(value: string): number | undefined {
  if (!DECIMAL.test(value) && !HEX.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

export function parseList(value: string): readonly string[] | undefined {
  const items = value.split(',');
  if (items.length > LIST_LENGTH_MAX || items.some((item) => item === '')) return undefined;
  return items;
}

/** hex-constant ("0x") or base64-constant ("0b"), as bytes. */
export function decodeBinary(value: string): Uint8Array | undefined {
  const digits = value.slice(2);
  switch (value.slice(0, 2)) {
    case '0x':
    case '0X':
      return decodeHex(digits);
    case '0b':
    case '0B':
      return decodeBase64(digits);
    default:
      return undefined;
  }
}

export function encodeHex(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits += (HEX_DIGITS[byte >>> 4] ?? '') + (HEX_DIGITS[byte & 15] ?? '');
  return `0x${digits}`;
}

function decodeHex(digits: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  // An odd number of digits: the first byte's upper digit is a zero that was left out.
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  const bytes = new Uint8Array(even.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(even.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** RFC 4648 §4 with padding; the bits that the padding leaves over must be zero, so each value has one form. */
function decodeBase64(digits: string): Uint8Array | undefined {
  if (digits === '' || digits.length % 4 !== 0 || !BASE64.test(digits)) return undefined;
  const padding = digits.endsWith('==') ? 2 : digits.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((digits.length / 4) * 3 - padding);
  let at = 0;
  let bits = 0;
  let bitCount = 0;
  for (let i = 0; i < digits.length - padding; i++) {
    bits = ((bits << 6) | BASE64_DIGITS.indexOf(digits[i] ?? '')) & 0xffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[at] = (bits >>> bitCount) & 0xff;
      at += 1;
    }
  }
  return (bits & ((1 << bitCount) - 1)) === 0 ? bytes : undefined;
}
