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

import { fail, ok, type Result } from '../../base/result.ts';
import { encodeText } from '../text/pairs.ts';
import type { AdmissionFault, LoginContext, LoginStep, SessionName } from './context.ts';
import { type LoginRequest, type LoginResponse, Stage } from './messages.ts';
import { joinSession, type SessionHandle } from './opening.ts';
import { DEFAULT_PARAMETERS } from './parameters.ts';
import { checkRequest } from './request.ts';
import { takeText } from './stages.ts';
import { handleOf, type LoginState, openingOf } from './state.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';

export type { LoginState } from './state.ts';

/** Before the initiator has declared anything else (RFC 7143 §13.12). */
export const LOGIN_RESPONSE_TEXT_MAX = 8192;
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

function admit(context: LoginContext, name: SessionName): Result<number, Refusal> {
  const admitted = context.sessions.admit(name);
  if (admitted.ok) return admitted;
  return fail(refusal(ADMISSION_STATUS[admitted.fault], `not admitted: ${admitted.fault}`));
}

function join(context: LoginContext, name: SessionName, handle: SessionHandle): Result<number, Refusal> {
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
