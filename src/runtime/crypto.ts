/** Hashes and randomness of the platform (OpenSSL through node:crypto) for the `Crypto` port. */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Crypto, DigestAlgorithm } from '../ports/crypto.ts';

export const platformCrypto: Crypto = {
  digest,
  randomBytes: (length) => new Uint8Array(randomBytes(length)),
  equal,
};

function digest(algorithm: DigestAlgorithm, parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

/** Only the lengths may be learnt from the time this takes. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
