/**
 * CRC32C for digests: own tables for headers and small data, native code (SSE 4.2) for payloads. The crossover was
 * measured at about 200 bytes, where the call into native code costs as much as the tables.
 */

import { crc32c as native } from '@node-rs/crc32';
import { crc32c as sliced } from '../base/crc32c.ts';
import type { Crc32c } from '../ports/crypto.ts';

const NATIVE_FROM_BYTES = 256;

export const crc32c: Crc32c = (bytes, seed) =>
  bytes.length < NATIVE_FROM_BYTES ? sliced(bytes, seed) : native(bytes, seed) >>> 0;
