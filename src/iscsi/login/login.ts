/**
 * The login phase of one connection at the target (RFC 7143 §6.3, §11.12, §11.13) as a state machine without I/O:
 * `stepLogin` takes one Login Request and says what to send, and whether the connection goes on. Deadlines are the
 * caller's.
 *
 * 1. Every request gets exactly one response, or the connection closes.
 * 2. The full feature phase is only reached with a proof that the target's policy accepts.
 * 3. What a peer can make us hold is bounded: requests, bytes of text and keys of one login.
 * 4. The TSIH is made when everything else is settled and appears in the final response only.
 */

import { assert } from '../../base/assert.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { encodeText, parseText, TEXT_LENGTH_MAX, type TextPair } from '../text/pairs.ts';
import type { AdmissionFault, LoginContext, LoginStep } from './context.ts';
import { type LoginRequest, type LoginResponse, Stage } from './messages.ts';
import type { SecurityKeys } from './chap.ts';
import { isSecurityKey, negotiate } from './negotiation.ts';
import {
  checkThrottle,
  joinSession,
  openLogin,
  type Opening,
  OPENING_KEYS,
  type SessionHandle,
} from './opening.ts';
import { DEFAULT_PARAMETERS, type ParameterDraft } from './parameters.ts';
import { isNameBound } from './policy.ts';
import { type SecurityState, type SecurityStep, skipSecurity, stepSecurity } from './security.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';
import { authenticationFailed, throttleKey } from './throttle.ts';

/** Requests of one login. CHAP with digests takes four; long texts in pieces take more. */
export const LOGIN_REQUESTS_MAX = 64;
/** Keys of one login, over all its requests. */
const LOGIN_KEYS_MAX = 256;
/** Before the initiator has declared anything else (RFC 7143 §13.12). */
export const LOGIN_RESPONSE_TEXT_MAX = 8192;
/** RFC 7143 is version 0. */
const VERSION = 0;

/** The machine's own; made by `createLogin`, changed by `stepLogin` alone. */
export interface LoginState {
  readonly context: LoginContext;
  stage: Stage | undefined;
  ended: boolean;
  requests: number;
  /** Bytes of text received in this login. */
  received: number;
  /** What the first request said of the session; later ones repeat it. */
  handle: SessionHandle | undefined;
  /** Pieces of a text that goes on. */
  incoming: Uint8Array[];
  /** The rest of a response that goes on. */
  outgoing: Uint8Array;
  /** The stage may be left once `outgoing` is sent. */
  mayLeave: boolean;
  readonly seen: Set<string>;
  opening: Opening | undefined;
  security: SecurityState;
  initiatorAlias: string | undefined;
  hasDeclared: boolean;
  readonly draft: ParameterDraft;
}

const NOTHING = new Uint8Array(0);

const ADMISSION_STATUS: Readonly<Record<AdmissionFault, LoginStatus>> = {
  tooManyConnections: LoginStatus.tooManyConnections,
  outOfResources: LoginStatus.outOfResources,
  serviceUnavailable: LoginStatus.serviceUnavailable,
};

export function createLogin(context: LoginContext): LoginState {
  return {
    context,
    stage: undefined,
    ended: false,
    requests: 0,
    received: 0,
    handle: undefined,
    incoming: [],
    outgoing: NOTHING,
    mayLeave: false,
    seen: new Set(),
    opening: undefined,
    security: { kind: 'undecided' },
    initiatorAlias: undefined,
    hasDeclared: false,
    draft: { ...DEFAULT_PARAMETERS },
  };
}

/** `request.text` is only read during the call. */
export function stepLogin(state: LoginState, request: LoginRequest, now: number): LoginStep {
  if (state.ended) return { kind: 'close', response: undefined, reason: 'the login is over' };
  const checked = checkRequest(state, request);
  if (!checked.ok) return close(state, request, checked.fault);
  if (state.outgoing.length > 0) {
    if (request.continued || request.text.length > 0) {
      const fault = refusal(LoginStatus.initiatorError, 'text while the response goes on');
      return close(state, request, fault);
    }
    return send(state, request);
  }
  state.incoming.push(request.text.slice());
  if (request.continued) return { kind: 'answer', response: response(request, NOTHING, {}) };
  const answers = takeText(state, request, now);
  if (!answers.ok) return close(state, request, answers.fault);
  state.outgoing = encodeText(answers.value);
  return send(state, request);
}

/**
 * The login ends because something that is no Login Request arrived (RFC 7143 §6.3: status 020Bh). The header tells
 * of no session, so the response repeats the last request's.
 */
export function refuseInvalidPdu(state: LoginState, last: LoginRequest): LoginStep {
  return close(state, last, refusal(LoginStatus.invalidDuringLogin, 'no Login Request'));
}

/** What is wrong with the request whatever its text says. */
function checkRequest(state: LoginState, request: LoginRequest): Result<void, Refusal> {
  state.requests += 1;
  state.received += request.text.length;
  if (request.versionMin > VERSION) {
    return fail(refusal(LoginStatus.unsupportedVersion, 'no common protocol version'));
  }
  const wrong = requestFault(state, request);
  if (wrong !== undefined) return fail(refusal(LoginStatus.initiatorError, wrong));
  const { isid, tsih, cid } = request;
  state.handle ??= { isid, tsih, cid };
  state.stage ??= request.currentStage === Stage.security ? Stage.security : Stage.operational;
  return ok(undefined);
}

function requestFault(state: LoginState, request: LoginRequest): string | undefined {
  const { currentStage, nextStage, transit } = request;
  if (state.requests > LOGIN_REQUESTS_MAX) return 'too many login requests';
  if (state.received > TEXT_LENGTH_MAX) return 'too much login text';
  if (currentStage !== Stage.security && currentStage !== Stage.operational) return 'CSG is no login stage';
  if (state.stage !== undefined && currentStage !== state.stage) return 'CSG is not the current stage';
  if (transit && request.continued) return 'T and C bits together';
  if (transit && (nextStage === 2 || nextStage <= currentStage)) return 'NSG is no later stage';
  const first = state.handle;
  if (first === undefined) return undefined;
  const isSame = first.isid === request.isid && first.tsih === request.tsih && first.cid === request.cid;
  return isSame ? undefined : 'ISID, TSIH or CID changed during the login';
}

/** The answers to a complete text. */
function takeText(
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
  return ok(undefined);
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
  if (security.kind !== 'proved' || opening.target === undefined) return ok(undefined);
  const { initiatorName } = opening.name;
  if (isNameBound(opening.target, { initiatorName, chapName: security.chapName })) return ok(undefined);
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
  return ok(undefined);
}

/** The next piece of the response; with its last piece the stage may change. */
function send(state: LoginState, request: LoginRequest): LoginStep {
  const text = state.outgoing.subarray(0, LOGIN_RESPONSE_TEXT_MAX);
  state.outgoing = state.outgoing.subarray(text.length);
  if (state.outgoing.length > 0) {
    return { kind: 'answer', response: response(request, text, { continued: true }) };
  }
  if (!request.transit || !state.mayLeave) return { kind: 'answer', response: response(request, text, {}) };
  if (request.nextStage === Stage.fullFeature) return finish(state, request, text);
  state.stage = Stage.operational;
  state.mayLeave = false;
  return { kind: 'answer', response: response(request, text, { transit: true }) };
}

function finish(state: LoginState, request: LoginRequest, text: Uint8Array): LoginStep {
  const { context, security, draft, initiatorAlias } = state;
  const { sessionType, name, target, limits } = openingOf(state);
  const { isid, tsih: joined, cid } = handleOf(state);
  if (security.kind !== 'proved') {
    return close(state, request, refusal(LoginStatus.authenticationFailure, 'nothing was proved'));
  }
  if (!limits.headerDigest.includes(draft.headerDigest) || !limits.dataDigest.includes(draft.dataDigest)) {
    return close(state, request, refusal(LoginStatus.initiatorError, 'the target insists on digests'));
  }
  const tsih = joined === 0 ? admit(context, name) : join(context, name, { isid, tsih: joined, cid });
  if (!tsih.ok) return close(state, request, tsih.fault);
  state.ended = true;
  return {
    kind: 'done',
    response: response(request, text, { transit: true, tsih: tsih.value }),
    result: {
      sessionType,
      identity: { initiatorName: name.initiatorName, chapName: security.chapName },
      mutual: security.mutual,
      initiatorAlias,
      isid,
      tsih: tsih.value,
      cid,
      target,
      opens: joined === 0 ? 'session' : 'connection',
      parameters: { ...draft },
    },
  };
}

function admit(context: LoginContext, name: Opening['name']): Result<number, Refusal> {
  const admitted = context.sessions.admit(name);
  if (admitted.ok) return admitted;
  return fail(refusal(ADMISSION_STATUS[admitted.fault], `not admitted: ${admitted.fault}`));
}

function join(context: LoginContext, name: Opening['name'], handle: SessionHandle): Result<number, Refusal> {
  const joined = joinSession(context, name, handle);
  return joined.ok ? ok(handle.tsih) : joined;
}

function close(state: LoginState, request: LoginRequest, fault: Refusal): LoginStep {
  state.ended = true;
  state.incoming = [];
  state.outgoing = NOTHING;
  const { status, reason } = fault;
  if (status === undefined) return { kind: 'close', response: undefined, reason };
  const text = encodeText(fault.answers);
  return { kind: 'close', response: response(request, text, { status }), reason };
}

interface ResponseFields {
  readonly transit?: boolean;
  readonly continued?: boolean;
  readonly tsih?: number;
  readonly status?: LoginStatus;
}

function response(request: LoginRequest, text: Uint8Array, fields: ResponseFields): LoginResponse {
  const { transit = false, continued = false, tsih = request.tsih, status = LoginStatus.success } = fields;
  return {
    transit,
    continued,
    currentStage: request.currentStage,
    nextStage: transit ? request.nextStage : 0,
    isid: request.isid,
    tsih,
    initiatorTaskTag: request.initiatorTaskTag,
    statusClass: status >>> 8,
    statusDetail: status & 0xff,
    text,
  };
}

function openingOf(state: LoginState): Opening {
  assert(state.opening !== undefined, 'the first text has been taken');
  return state.opening;
}

function handleOf(state: LoginState): SessionHandle {
  assert(state.handle !== undefined, 'a request has been checked');
  return state.handle;
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
