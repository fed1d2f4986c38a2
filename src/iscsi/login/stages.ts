/**
 * What a complete text does to a login: the first one opens it, then each is taken by the stage that it came in
 * (RFC 7143 §6.3.1 to §6.3.3).
 */

import { DONE, fail, ok, type Result } from '../../base/result.ts';
import { parseText, type TextPair } from '../text/pairs.ts';
import type { SecurityKeys } from './chap.ts';
import { type LoginRequest, Stage } from './messages.ts';
import { isSecurityKey, negotiate } from './negotiation.ts';
import { checkThrottle, openLogin, type Opening, OPENING_KEYS } from './opening.ts';
import { isNameBound } from './policy.ts';
import { type SecurityState, type SecurityStep, skipSecurity, stepSecurity } from './security.ts';
import { handleOf, type LoginState, openingOf } from './state.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';
import { authenticationFailed, throttleKey } from './throttle.ts';

/** Keys of one login, over all its requests. */
const LOGIN_KEYS_MAX = 256;

/** The answers to a complete text. */
export function takeText(
  state: LoginState,
  request: LoginRequest,
  now: number,
): Result<readonly TextPair[], Refusal> {
  const text = parseText(joinPieces(state.incoming));
  state.incoming = [];
  if (!text.ok) return fail(refusal(LoginStatus.initiatorError, `malformed text: ${text.fault}`));
  for (const { key } of text.value) {
    if (state.seen.has(key)) return fail(refusal(LoginStatus.initiatorError, 'a key was sent twice'));
    state.seen.add(key);
  }
  if (state.seen.size > LOGIN_KEYS_MAX) return fail(refusal(LoginStatus.initiatorError, 'too many keys'));
  const answers: TextPair[] = [];
  let pairs = text.value;
  if (state.opening === undefined) {
    const opened = begin(state, pairs, answers, now);
    if (!opened.ok) return opened;
    pairs = pairs.filter(({ key }) => !OPENING_KEYS.has(key));
  }
  const alias = pairs.find(({ key }) => key === 'InitiatorAlias');
  if (alias !== undefined) state.initiatorAlias = alias.value;
  const stepped =
    state.stage === Stage.security
      ? takeSecurity(state, request, pairs, answers, now)
      : takeOperational(state, pairs, answers);
  return stepped.ok ? ok(answers) : stepped;
}

function begin(
  state: LoginState,
  pairs: readonly TextPair[],
  answers: TextPair[],
  now: number,
): Result<void, Refusal> {
  const handle = handleOf(state);
  const opening = openLogin(state.context, mapOf(pairs), handle, now);
  if (!opening.ok) return opening;
  if (state.stage === Stage.operational) {
    const skipped = skipSecurity(opening.value.authentication);
    if (!skipped.ok) return skipped;
    const bound = checkBinding(opening.value, skipped.value);
    if (!bound.ok) return bound;
    state.security = skipped.value;
  }
  state.opening = opening.value;
  // RFC 7143 §13.9: in the first response that can know the target.
  if (opening.value.target !== undefined) {
    answers.push({ key: 'TargetPortalGroupTag', value: String(state.context.portalGroupTag) });
  }
  return DONE;
}

function takeSecurity(
  state: LoginState,
  request: LoginRequest,
  pairs: readonly TextPair[],
  answers: TextPair[],
  now: number,
): Result<void, Refusal> {
  const { context } = state;
  const opening = openingOf(state);
  const keys = mapOf(pairs.filter(({ key }) => isSecurityKey(key)));
  // Only an answer to a challenge is a guess at a secret.
  const isGuess = state.security.kind === 'challenged' && keys.size > 0;
  if (isGuess) {
    const patient = checkThrottle(context, opening.name.targetName, now);
    if (!patient.ok) return patient;
  }
  const stepped = prove(state, opening, keys, request.transit);
  if (!stepped.ok) {
    if (isGuess && context.throttle !== undefined) {
      authenticationFailed(context.throttle, throttleKey(context.source, opening.name.targetName), now);
    }
    return stepped;
  }
  state.security = stepped.value.state;
  answers.push(...stepped.value.answers);
  state.mayLeave = state.security.kind === 'proved';
  return takeOther(
    state,
    'security',
    pairs.filter(({ key }) => !isSecurityKey(key)),
    answers,
  );
}

/** A step of the security stage that also holds a fresh proof against the rules of the target. */
function prove(
  { security, context }: LoginState,
  opening: Opening,
  keys: SecurityKeys,
  wantsToLeave: boolean,
): Result<SecurityStep, Refusal> {
  const stepped = stepSecurity(security, opening.authentication, keys, wantsToLeave, context.crypto);
  if (!stepped.ok || security.kind === 'proved') return stepped;
  const bound = checkBinding(opening, stepped.value.state);
  return bound.ok ? stepped : bound;
}

/** A name proved for another initiator is refused like a wrong secret: it tells nothing about the secret. */
function checkBinding(opening: Opening, security: SecurityState): Result<void, Refusal> {
  if (security.kind !== 'proved' || opening.target === undefined) return DONE;
  const { initiatorName } = opening.name;
  if (isNameBound(opening.target, { initiatorName, chapName: security.chapName })) return DONE;
  return fail(refusal(LoginStatus.authenticationFailure, 'the proved name is not bound to this initiator'));
}

function takeOperational(
  state: LoginState,
  pairs: readonly TextPair[],
  answers: TextPair[],
): Result<void, Refusal> {
  const { limits, target } = openingOf(state);
  const taken = takeOther(state, 'operational', pairs, answers);
  if (!taken.ok) return taken;
  if (!state.hasDeclared) {
    state.hasDeclared = true;
    if (target?.alias !== undefined) answers.push({ key: 'TargetAlias', value: target.alias });
    const length = limits.targetMaxRecvDataSegmentLength;
    answers.push({ key: 'MaxRecvDataSegmentLength', value: String(length) });
    state.draft.targetMaxRecvDataSegmentLength = length;
  }
  state.mayLeave = true;
  return taken;
}

function takeOther(
  state: LoginState,
  phase: 'security' | 'operational',
  pairs: readonly TextPair[],
  answers: TextPair[],
): Result<void, Refusal> {
  const { sessionType, limits } = openingOf(state);
  const isLeading = handleOf(state).tsih === 0;
  const negotiated = negotiate(pairs, state.draft, limits, { phase, sessionType, isLeading });
  if (!negotiated.ok) {
    return fail(refusal(LoginStatus.initiatorError, `${negotiated.fault.key} has no place here`));
  }
  answers.push(...negotiated.value);
  return DONE;
}

function mapOf(pairs: readonly TextPair[]): ReadonlyMap<string, string> {
  return new Map(pairs.map(({ key, value }) => [key, value]));
}

function joinPieces(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
