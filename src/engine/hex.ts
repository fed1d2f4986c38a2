/** Bytes as hexadecimal text. */

import { assert } from '../base/assert.ts';

export function hexBytes(text: string): Uint8Array {
  assert(text.length % 2 === 0, 'hex: whole bytes');
  return Uint8Array.from({ length: text.length / 2 }, (_, at) =>
    Number.parseInt(text.slice(2 * at, 2 * at + 2), 16),
  );
}

export function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
