/**
 * What a Login Request must be whatever its text says (RFC 7143 §11.12): version, stages, T and C bits, the same
 * session and connection throughout the login, and no more of it than the limits allow.
 */

import { DONE, fail, type Result } from '../../base/result.ts';
import { TEXT_LENGTH_MAX } from '../text/pairs.ts';
import { type LoginRequest, Stage } from './messages.ts';
import type { LoginState } from './state.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';

/** Requests of one login. CHAP with digests takes four; long texts in pieces take more. */
export const LOGIN_REQUESTS_MAX = 64;
/** RFC 7143 is version 0. */
const VERSION = 0;

export function checkRequest(state: LoginState, request: LoginRequest): Result<void, Refusal> {
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
  return DONE;
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
