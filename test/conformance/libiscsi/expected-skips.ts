/**
 * Tests of libiscsi's suite that skip on every LUN of the matrix, with the reason. The list is checked both ways: a
 * skip that is not here fails, and so does an entry whose test has begun to pass.
 */
export const EXPECTED_SKIPS: Readonly<Record<string, string>> = {
  'Sanitize.CryptoErase': 'no cryptographic erase: nothing is encrypted',
  'Sanitize.Readonly': 'its part on cryptographic erase, which we do not have; the rest passes',
  'Sanitize.Reservations': 'its part on cryptographic erase, which we do not have; the rest passes',
};
