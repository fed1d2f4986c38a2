/**
 * CHAP, one-way and mutual (RFC 1994, RFC 7143 §12.1.3). Pure: challenge and answer are plain values, hashes and
 * randomness come from the port. Never traces, returns or compares a secret in variable time.
 *
 *   initiator                                  target
 *   CHAP_A=<list>                      ──────►
 *                                      ◄────── CHAP_A, CHAP_I, CHAP_C
 *   CHAP_N, CHAP_R [, CHAP_I, CHAP_C]  ──────►
 *                                      ◄────── [CHAP_N, CHAP_R]
 *
 *   response = hash(identifier, secret, challenge)
 *
 * 1. A challenge is used once: the exchange ends with the first answer, right or wrong.
 * 2. An unknown name takes the same path, the same hash and gives the same refusal as a wrong secret.
 * 3. A challenge of ours that comes back, or an answer equal to the one we are about to give, closes the connection.
 */

import { fail, ok, type Result } from '../../base/result.ts';
import { encodeUtf8 } from '../../base/text.ts';
import type { Crypto, DigestAlgorithm } from '../../ports/crypto.ts';
import type { TextPair } from '../text/pairs.ts';
import { decodeBinary, encodeHex, parseList, parseNumber } from '../text/values.ts';
import type { ChapCredential, ChapPolicy } from './policy.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';

/** The numbers IANA keeps for CHAP: MD5, SHA-1, SHA-256, SHA3-256. */
export const CHAP_ALGORITHMS = [5, 6, 7, 8] as const;
export type ChapAlgorithm = (typeof CHAP_ALGORITHMS)[number];

/** RFC 7143 §12.1.3: CHAP_C is a large-binary-value of at most 1024 bytes. */
const CHALLENGE_LENGTH_MAX = 1024;

interface Hash {
  readonly digest: DigestAlgorithm;
  /** Length of the response, and of our challenge (RFC 1994 §2.2 wants it no shorter than the hash): 16 to 32. */
  readonly length: number;
}

const HASHES: Readonly<Record<ChapAlgorithm, Hash>> = {
  5: { digest: 'md5', length: 16 },
  6: { digest: 'sha1', length: 20 },
  7: { digest: 'sha256', length: 32 },
  8: { digest: 'sha3-256', length: 32 },
};

/** A challenge that waits for its answer. */
export interface ChapExchange {
  readonly algorithm: ChapAlgorithm;
  readonly identifier: number;
  readonly challenge: Uint8Array;
}

export interface ChapProof {
  readonly chapName: string;
  /** The target has proved itself too. */
  readonly mutual: boolean;
  readonly answers: readonly TextPair[];
}

/** The keys of the security stage, by name. */
export type SecurityKeys = ReadonlyMap<string, string>;

/** The initiator's first choice among what is allowed; its order of preference decides (RFC 7143 §6.2.1). */
export function challengeInitiator(
  policy: ChapPolicy,
  offered: string,
  crypto: Crypto,
): Result<{ readonly exchange: ChapExchange; readonly answers: readonly TextPair[] }, Refusal> {
  const list = parseList(offered)?.map(parseNumber);
  if (list === undefined || list.includes(undefined)) {
    return fail(refusal(LoginStatus.initiatorError, 'malformed CHAP_A'));
  }
  const chosen = list.find((number) => policy.algorithms.some((allowed) => allowed === number));
  const algorithm = CHAP_ALGORITHMS.find((known) => known === chosen);
  if (algorithm === undefined) {
    return fail(refusal(LoginStatus.authenticationFailure, 'no common CHAP algorithm'));
  }
  const identifier = crypto.randomBytes(1)[0] ?? 0;
  const challenge = crypto.randomBytes(HASHES[algorithm].length);
  return ok({
    exchange: { algorithm, identifier, challenge },
    answers: [
      { key: 'CHAP_A', value: String(algorithm) },
      { key: 'CHAP_I', value: String(identifier) },
      { key: 'CHAP_C', value: encodeHex(challenge) },
    ],
  });
}

export function verifyInitiator(
  policy: ChapPolicy,
  exchange: ChapExchange,
  keys: SecurityKeys,
  crypto: Crypto,
): Result<ChapProof, Refusal> {
  const name = keys.get('CHAP_N');
  const response = keys.get('CHAP_R');
  if (name === undefined || response === undefined) {
    return fail(refusal(LoginStatus.missingParameter, 'CHAP_N or CHAP_R is missing'));
  }
  const hash = HASHES[exchange.algorithm];
  const user = policy.users.find((credential) => credential.name === name);
  // Something to hash for a name that nobody has.
  const secret = user?.secret ?? crypto.randomBytes(hash.length);
  const expected = respond(exchange, secret, crypto);
  const received = decodeBinary(response);
  const matches = received?.length === hash.length && crypto.equal(received, expected);
  if (!matches || user === undefined || received === undefined) {
    return fail(refusal(LoginStatus.authenticationFailure, 'unknown CHAP name or wrong secret'));
  }
  const mutual = answerInitiator(policy, { exchange, user, received, keys }, crypto);
  if (!mutual.ok) return mutual;
  return ok({ chapName: name, mutual: mutual.value.length > 0, answers: mutual.value });
}

interface ProvedInitiator {
  readonly exchange: ChapExchange;
  readonly user: ChapCredential;
  readonly received: Uint8Array;
  readonly keys: SecurityKeys;
}

/** The other direction; no pairs when the initiator does not ask for it. */
function answerInitiator(
  policy: ChapPolicy,
  proved: ProvedInitiator,
  crypto: Crypto,
): Result<readonly TextPair[], Refusal> {
  const { exchange, user, received, keys } = proved;
  const identifierText = keys.get('CHAP_I');
  const challengeText = keys.get('CHAP_C');
  if (identifierText === undefined && challengeText === undefined) {
    if (!policy.requireMutual) return ok([]);
    return fail(refusal(LoginStatus.authenticationFailure, 'mutual CHAP is required'));
  }
  if (identifierText === undefined || challengeText === undefined) {
    return fail(refusal(LoginStatus.missingParameter, 'CHAP_I or CHAP_C is missing'));
  }
  const identifier = parseNumber(identifierText);
  const challenge = decodeBinary(challengeText);
  if (identifier === undefined || identifier > 255) {
    return fail(refusal(LoginStatus.initiatorError, 'malformed CHAP_I'));
  }
  if (challenge === undefined || challenge.length > CHALLENGE_LENGTH_MAX) {
    return fail(refusal(LoginStatus.initiatorError, 'malformed CHAP_C'));
  }
  if (crypto.equal(challenge, exchange.challenge)) return fail(reflected());
  const target = policy.target;
  if (target === undefined) {
    return fail(refusal(LoginStatus.authenticationFailure, 'mutual CHAP is not configured'));
  }
  if (crypto.equal(target.secret, user.secret)) {
    return fail(refusal(LoginStatus.authenticationFailure, 'one CHAP secret for both directions'));
  }
  const response = respond({ algorithm: exchange.algorithm, identifier, challenge }, target.secret, crypto);
  if (crypto.equal(response, received)) return fail(reflected());
  return ok([
    { key: 'CHAP_N', value: target.name },
    { key: 'CHAP_R', value: encodeHex(response) },
  ]);
}

/** RFC 7143 §12.1.3: the connection is closed. */
function reflected(): Refusal {
  return { status: undefined, reason: 'reflected CHAP challenge', answers: [] };
}

function respond(exchange: ChapExchange, secret: Uint8Array, crypto: Crypto): Uint8Array {
  const parts = [Uint8Array.of(exchange.identifier), secret, exchange.challenge];
  return crypto.digest(HASHES[exchange.algorithm].digest, parts);
}

/** A secret as people type it. */
export function chapCredential(name: string, secret: string): ChapCredential {
  return { name, secret: encodeUtf8(secret) };
}
