/**
 * The security stage (RFC 7143 §6.3.2, §12.1): agree on a method, then prove. The initiator leads; the target answers
 * one step at a time.
 *
 *   undecided ──AuthMethod→None──► proved
 *       │
 *       └─────AuthMethod→CHAP──► chapChosen ──CHAP_A──► challenged ──CHAP_N,R──► proved
 */

import { unreachable } from '../../base/assert.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { Crypto } from '../../ports/crypto.ts';
import type { TextPair } from '../text/pairs.ts';
import { parseList } from '../text/values.ts';
import { type ChapExchange, challengeInitiator, type SecurityKeys, verifyInitiator } from './chap.ts';
import type { AuthenticationPolicy } from './policy.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';

export type SecurityState =
  | { readonly kind: 'undecided' }
  | { readonly kind: 'chapChosen' }
  | { readonly kind: 'challenged'; readonly exchange: ChapExchange }
  /** `chapName` undefined: without authentication, because the policy allows that. */
  | { readonly kind: 'proved'; readonly chapName: string | undefined; readonly mutual: boolean };

export interface SecurityStep {
  readonly state: SecurityState;
  readonly answers: readonly TextPair[];
}

const ANONYMOUS: SecurityState = { kind: 'proved', chapName: undefined, mutual: false };
const EXPECTED: Readonly<Record<SecurityState['kind'], ReadonlySet<string>>> = {
  undecided: new Set(['AuthMethod']),
  chapChosen: new Set(['CHAP_A']),
  challenged: new Set(['CHAP_N', 'CHAP_R', 'CHAP_I', 'CHAP_C']),
  proved: new Set(),
};

/** `keys` are the security keys of one text; `wantsToLeave`: the initiator asks to end the stage with it. */
export function stepSecurity(
  state: SecurityState,
  policy: AuthenticationPolicy,
  keys: SecurityKeys,
  wantsToLeave: boolean,
  crypto: Crypto,
): Result<SecurityStep, Refusal> {
  for (const key of keys.keys()) {
    if (!EXPECTED[state.kind].has(key)) {
      return fail(refusal(LoginStatus.initiatorError, 'security key out of sequence'));
    }
  }
  switch (state.kind) {
    case 'undecided':
      return chooseMethod(policy, keys.get('AuthMethod'), wantsToLeave);
    case 'chapChosen':
    case 'challenged': {
      if (keys.size > 0) return stepChap(state, policy, keys, crypto);
      if (!wantsToLeave) return ok({ state, answers: [] });
      return fail(refusal(LoginStatus.authenticationFailure, 'leaves the security stage without proof'));
    }
    case 'proved':
      return ok({ state, answers: [] });
    default:
      return unreachable(state);
  }
}

/** A login that begins in the operational stage, or leaves without a word of security. */
export function skipSecurity(policy: AuthenticationPolicy): Result<SecurityState, Refusal> {
  if (policy.allowNone) return ok(ANONYMOUS);
  return fail(refusal(LoginStatus.authenticationFailure, 'authentication is required'));
}

function chooseMethod(
  policy: AuthenticationPolicy,
  offered: string | undefined,
  wantsToLeave: boolean,
): Result<SecurityStep, Refusal> {
  if (offered === undefined) {
    if (!wantsToLeave) return ok({ state: { kind: 'undecided' }, answers: [] });
    const skipped = skipSecurity(policy);
    return skipped.ok ? ok({ state: skipped.value, answers: [] }) : skipped;
  }
  const methods = parseList(offered);
  if (methods === undefined) return fail(refusal(LoginStatus.initiatorError, 'malformed AuthMethod'));
  for (const method of methods) {
    if (method === 'CHAP' && policy.chap !== undefined) {
      return ok({ state: { kind: 'chapChosen' }, answers: [{ key: 'AuthMethod', value: 'CHAP' }] });
    }
    if (method === 'None' && policy.allowNone) {
      return ok({ state: ANONYMOUS, answers: [{ key: 'AuthMethod', value: 'None' }] });
    }
  }
  return fail(refusal(LoginStatus.authenticationFailure, 'no common authentication method'));
}

function stepChap(
  state: Extract<SecurityState, { readonly kind: 'chapChosen' | 'challenged' }>,
  { chap }: AuthenticationPolicy,
  keys: SecurityKeys,
  crypto: Crypto,
): Result<SecurityStep, Refusal> {
  // The policy is the one that chose CHAP: it is fixed for a login.
  if (chap === undefined) return fail(refusal(LoginStatus.targetError, 'CHAP is no longer configured'));
  if (state.kind === 'chapChosen') {
    const challenged = challengeInitiator(chap, keys.get('CHAP_A') ?? '', crypto);
    if (!challenged.ok) return challenged;
    const { exchange, answers } = challenged.value;
    return ok({ state: { kind: 'challenged', exchange }, answers });
  }
  const proof = verifyInitiator(chap, state.exchange, keys, crypto);
  if (!proof.ok) return proof;
  const { chapName, mutual, answers } = proof.value;
  return ok({ state: { kind: 'proved', chapName, mutual }, answers });
}
