/**
 * Tests of libiscsi's suite that skip on every LUN of the matrix, with the reason. The list is checked both ways: a
 * skip that is not here fails, and so does an entry whose test has begun to pass.
 */
export const EXPECTED_SKIPS: Readonly<Record<string, string>> = {};
