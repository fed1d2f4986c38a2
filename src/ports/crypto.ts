/** Hashes and randomness that the core may not take from the platform itself. */

export type DigestAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha3-256';

export interface Crypto {
  /** Digest of the parts one after the other. */
  digest(algorithm: DigestAlgorithm, parts: readonly Uint8Array[]): Uint8Array;
  /** Cryptographically strong random bytes. */
  randomBytes(length: number): Uint8Array;
  /** Equality in a time that does not depend on where the bytes differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** CRC32C (Castagnoli) of `bytes`, continuing from `seed` (0 to begin); unsigned 32 bits (RFC 7143 §13.1). */
export type Crc32c = (bytes: Uint8Array, seed: number) => number;
