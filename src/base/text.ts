/**
 * ASCII and UTF-8 without the platform's encoders, for the core. Malformed UTF-8 (RFC 3629: overlong forms,
 * surrogates, above U+10FFFF) is a fault, never a replacement character: a name that was changed on the way is
 * another name.
 */

import { fail, ok, type Result } from './result.ts';

/** Surrogate halves that stand alone become U+FFFD, as everywhere on the web. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    appendPoint(bytes, point >= 0xd800 && point <= 0xdfff ? 0xfffd : point);
  }
  return Uint8Array.from(bytes);
}

export function decodeUtf8(bytes: Uint8Array): Result<string, 'malformedUtf8'> {
  const parts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at] ?? 0;
    if (lead < 0x80) {
      parts.push(String.fromCharCode(lead));
      at += 1;
      continue;
    }
    const length = sequenceLength(lead);
    if (length === 0 || at + length > bytes.length) return fail('malformedUtf8');
    let point = lead & (0x7f >>> length);
    for (let next = at + 1; next < at + length; next++) {
      const byte = bytes[next] ?? 0;
      if ((byte & 0xc0) !== 0x80) return fail('malformedUtf8');
      point = (point << 6) | (byte & 0x3f);
    }
    if (!isShortestForm(point, length)) return fail('malformedUtf8');
    parts.push(String.fromCodePoint(point));
    at += length;
  }
  return ok(parts.join(''));
}

export function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    length += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return length;
}

function appendPoint(bytes: number[], point: number): void {
  if (point < 0x80) {
    bytes.push(point);
  } else if (point < 0x800) {
    bytes.push(0xc0 | (point >>> 6), 0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    bytes.push(0xe0 | (point >>> 12), 0x80 | ((point >>> 6) & 0x3f), 0x80 | (point & 0x3f));
  } else {
    bytes.push(
      0xf0 | (point >>> 18),
      0x80 | ((point >>> 12) & 0x3f),
      0x80 | ((point >>> 6) & 0x3f),
      0x80 | (point & 0x3f),
    );
  }
}

/** 0: no lead byte. */
function sequenceLength(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

function isShortestForm(point: number, length: number): boolean {
  if (length === 3) return point >= 0x800 && !(point >= 0xd800 && point <= 0xdfff);
  if (length === 4) return point >= 0x10000 && point <= 0x10ffff;
  return true;
}
