// Goal: every algorithm of the port exists and digests the parts as one message. Method: published test vectors ("abc").

import assert from 'node:assert/strict';
import test from 'node:test';
import type { DigestAlgorithm } from '../ports/crypto.ts';
import { platformCrypto } from './crypto.ts';

const VECTORS: readonly (readonly [DigestAlgorithm, string])[] = [
  ['md5', '900150983cd24fb0d6963f7d28e17f72'], // RFC 1321 §A.5
  ['sha1', 'a9993e364706816aba3e25717850c26c9cd0d89d'], // RFC 3174 §7.3
  ['sha256', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'], // FIPS 180-4
  ['sha3-256', '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532'], // FIPS 202
];

test('a digest of parts is the digest of their concatenation', () => {
  const parts = [new Uint8Array([0x61]), new Uint8Array(0), new Uint8Array([0x62, 0x63])];
  for (const [algorithm, expected] of VECTORS) {
    assert.equal(Buffer.from(platformCrypto.digest(algorithm, parts)).toString('hex'), expected, algorithm);
  }
});

test('equality holds for equal bytes only', () => {
  assert.equal(platformCrypto.equal(new Uint8Array([1, 2]), new Uint8Array([1, 2])), true);
  assert.equal(platformCrypto.equal(new Uint8Array([1, 2]), new Uint8Array([1, 3])), false);
  assert.equal(platformCrypto.equal(new Uint8Array([1, 2]), new Uint8Array([1])), false);
});

test('random bytes have the length asked for and differ', () => {
  const first = platformCrypto.randomBytes(16);
  assert.equal(first.length, 16);
  assert.equal(platformCrypto.equal(first, platformCrypto.randomBytes(16)), false);
});
