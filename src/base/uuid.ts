/** Unique ids of 128 bits as 32 hexadecimal digits, lower case: comparable by `===`, and 16 bytes in a record. */

import { assert } from './assert.ts';

export type Uuid = string;

const UUID_BYTES = 16;

/** Two digits of each byte: heartbeats have ids, and many are read. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The id nobody has; in a record it stands for "none". */
export const NO_UUID: Uuid = '0'.repeat(2 * UUID_BYTES);

export function putUuid(view: DataView, offset: number, uuid: Uuid): void {
  assert(/^[0-9a-f]{32}$/.test(uuid), 'an id is 32 hexadecimal digits in lower case');
  for (let at = 0; at < UUID_BYTES; at++)
    view.setUint8(offset + at, 16 * digitOf(uuid.charCodeAt(2 * at)) + digitOf(uuid.charCodeAt(2 * at + 1)));
}

export function getUuid(view: DataView, offset: number): Uuid {
  let text = '';
  for (let at = 0; at < UUID_BYTES; at++) text += HEX[view.getUint8(offset + at)]!;
  return text;
}

function digitOf(code: number): number {
  return code < 0x40 ? code - 0x30 : code - 0x57;
}
