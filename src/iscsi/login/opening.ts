/**
 * The first request of a login: who is there, where to, and may that be (RFC 7143 §6.3.1, §11.13.5)? Everything that
 * can be refused before the initiator has proved anything is refused here.
 */

import { DONE, fail, ok, type Result } from '../../base/result.ts';
import type { JoinFault, LoginContext, SessionName, SessionType } from './context.ts';
import { normalizeName } from './names.ts';
import type { NegotiationLimits } from './parameters.ts';
import { type AuthenticationPolicy, isInitiatorListed, type LoginTarget } from './policy.ts';
import { LoginStatus, refusal, type Refusal } from './status.ts';
import { refusedForMs, throttleKey } from './throttle.ts';

/** What is settled once and for all by the first request. */
export interface Opening {
  readonly sessionType: SessionType;
  readonly name: SessionName;
  readonly target: LoginTarget | undefined;
  readonly authentication: AuthenticationPolicy;
  readonly limits: NegotiationLimits;
}

/** Keys that belong to the first request alone. */
export const OPENING_KEYS: ReadonlySet<string> = new Set(['InitiatorName', 'TargetName', 'SessionType']);

const JOIN_STATUS: Readonly<Record<JoinFault, LoginStatus>> = {
  doesNotExist: LoginStatus.sessionDoesNotExist,
  tooManyConnections: LoginStatus.tooManyConnections,
  cannotInclude: LoginStatus.cannotIncludeInSession,
};

export interface SessionHandle {
  readonly isid: string;
  readonly tsih: number;
  readonly cid: number;
}

export function openLogin(
  context: LoginContext,
  keys: ReadonlyMap<string, string>,
  handle: SessionHandle,
  now: number,
): Result<Opening, Refusal> {
  const claimed = keys.get('InitiatorName');
  if (claimed === undefined) return fail(refusal(LoginStatus.missingParameter, 'InitiatorName is missing'));
  const initiatorName = normalizeName(claimed);
  if (initiatorName === undefined) {
    return fail(refusal(LoginStatus.initiatorError, 'InitiatorName is no iSCSI name'));
  }
  const opening = findPlace(context, keys, { initiatorName, isid: handle.isid });
  if (!opening.ok) return opening;
  const patient = checkThrottle(context, opening.value.name.targetName, now);
  if (!patient.ok) return patient;
  if (handle.tsih === 0) return opening;
  const joined = joinSession(context, opening.value.name, handle);
  return joined.ok ? opening : joined;
}

/** Asked when a login begins and again before its proof is looked at: guesses may have been prepared in parallel. */
export function checkThrottle(
  { throttle, source }: LoginContext,
  targetName: string | undefined,
  now: number,
): Result<void, Refusal> {
  if (throttle === undefined || refusedForMs(throttle, throttleKey(source, targetName), now) === 0)
    return DONE;
  return fail(refusal(LoginStatus.serviceUnavailable, 'too many failed authentications of this source'));
}

export function joinSession(
  context: LoginContext,
  name: SessionName,
  handle: SessionHandle,
): Result<void, Refusal> {
  const joined = context.sessions.join(name, handle.tsih, handle.cid);
  if (joined.ok) return joined;
  return fail(refusal(JOIN_STATUS[joined.fault], `cannot join session: ${joined.fault}`));
}

function findPlace(
  context: LoginContext,
  keys: ReadonlyMap<string, string>,
  initiator: { readonly initiatorName: string; readonly isid: string },
): Result<Opening, Refusal> {
  switch (keys.get('SessionType') ?? 'Normal') {
    case 'Discovery': // TargetName, if sent, means nothing here (RFC 7143 §13.4)
      return ok({
        sessionType: 'discovery',
        name: { ...initiator, targetName: undefined, sessionType: 'discovery' },
        target: undefined,
        authentication: context.policy.discovery,
        limits: context.policy.discoveryLimits,
      });
    case 'Normal': {
      const target = findTarget(context, keys.get('TargetName'), initiator.initiatorName);
      if (!target.ok) return target;
      return ok({
        sessionType: 'normal',
        name: { ...initiator, targetName: target.value.name, sessionType: 'normal' },
        target: target.value,
        authentication: target.value.authentication,
        limits: target.value.limits,
      });
    }
    default:
      return fail(refusal(LoginStatus.sessionTypeNotSupported, 'unknown SessionType'));
  }
}

function findTarget(
  context: LoginContext,
  requested: string | undefined,
  initiatorName: string,
): Result<LoginTarget, Refusal> {
  if (requested === undefined) return fail(refusal(LoginStatus.missingParameter, 'TargetName is missing'));
  const name = normalizeName(requested);
  const target = name === undefined ? undefined : context.policy.findTarget(name);
  if (target === undefined) return fail(refusal(LoginStatus.notFound, 'no such target'));
  if (!isInitiatorListed(target, initiatorName)) {
    return fail(refusal(LoginStatus.authorizationFailure, 'no rule allows this initiator'));
  }
  switch (target.availability) {
    case 'removed':
      return fail(refusal(LoginStatus.targetRemoved, 'the target was removed'));
    case 'unavailable':
      return fail(refusal(LoginStatus.serviceUnavailable, 'the target is unavailable'));
    case 'outOfResources':
      return fail(refusal(LoginStatus.outOfResources, 'the target is out of resources'));
    case 'available':
      break;
  }
  if (target.redirection === undefined) return ok(target);
  const status =
    target.redirection.kind === 'temporary'
      ? LoginStatus.targetMovedTemporarily
      : LoginStatus.targetMovedPermanently;
  // Without a portal group tag (RFC 7143 §13.8: only SendTargets answers carry one).
  const answers = [{ key: 'TargetAddress', value: target.redirection.address }];
  return fail(refusal(status, 'the target moved', answers));
}
