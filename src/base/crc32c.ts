/**
 * CRC32C (Castagnoli, reflected polynomial 82F63B78h; RFC 7143 §13.1) by eight tables: about 2 GB/s, faster than a
 * call into native code below a few hundred bytes. Large payloads use the injected `Crc32c` of ports/crypto.
 */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

const tables = makeTables();

/** CRC of `bytes`, continuing from `seed` (0 to begin); unsigned 32 bits. */
export function crc32c(bytes: Uint8Array, seed: number): number {
  let crc = ~seed;
  let at = 0;
  const sliced = bytes.length & ~7;
  for (; at < sliced; at += SLICES) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      tables[1792 + (low & 0xff)]! ^
      tables[1536 + ((low >>> 8) & 0xff)]! ^
      tables[1280 + ((low >>> 16) & 0xff)]! ^
      tables[1024 + (low >>> 24)]! ^
      tables[768 + bytes[at + 4]!]! ^
      tables[512 + bytes[at + 5]!]! ^
      tables[256 + bytes[at + 6]!]! ^
      tables[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ tables[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
}

/** Table k at 256 × k: the CRC of a byte followed by k zero bytes. */
function makeTables(): Int32Array {
  const all = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    all[byte] = crc;
  }
  for (let at = 256; at < all.length; at++) {
    const previous = all[at - 256]!;
    all[at] = (previous >>> 8) ^ all[previous & 0xff]!;
  }
  return all;
}
