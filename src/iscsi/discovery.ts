/**
 * SendTargets (RFC 7143 §4.3, §13.3, Appendix C): which targets, and by which portals. A caller only learns of targets
 * that it may log in to; one that it may not log in to does not exist for it.
 *
 *   value        discovery session       normal session
 *   All          all visible targets     Reject, unless the policy's compatibility switch is on
 *   <name>       that target             that target if it is the session's, else Reject
 *   (empty)      Reject                  the session's target
 */

import type { TextPair } from './text/pairs.ts';
import { normalizeName } from './login/names.ts';
import { REJECT } from './login/negotiation.ts';
import { type InitiatorIdentity, isVisible, type LoginPolicy, type LoginTarget } from './login/policy.ts';

export interface SendTargetsCaller {
  readonly identity: InitiatorIdentity;
  /** The target of a normal session; undefined in a discovery session. */
  readonly sessionTarget: LoginTarget | undefined;
}

/** The pairs that answer SendTargets=`value`; too many for one PDU are the caller's to split. */
export function answerSendTargets(
  policy: LoginPolicy,
  caller: SendTargetsCaller,
  value: string,
): readonly TextPair[] {
  const targets = findTargets(policy, caller, value);
  if (targets === undefined) return [{ key: 'SendTargets', value: REJECT }];
  return targets.flatMap(describeTarget);
}

/** Undefined: the value is not acceptable in this session. */
function findTargets(
  policy: LoginPolicy,
  { identity, sessionTarget }: SendTargetsCaller,
  value: string,
): readonly LoginTarget[] | undefined {
  const isDiscovery = sessionTarget === undefined;
  if (value === 'All') {
    if (!isDiscovery && !policy.sendTargetsAllInNormalSession) return undefined;
    return [...policy.targets()].filter((target) => isVisible(target, identity));
  }
  if (value === '') return isDiscovery ? undefined : [sessionTarget];
  const name = normalizeName(value);
  if (name === undefined) return undefined;
  if (!isDiscovery) return name === sessionTarget.name ? [sessionTarget] : undefined;
  const named = policy.findTarget(name);
  return named !== undefined && isVisible(named, identity) ? [named] : [];
}

function describeTarget(target: LoginTarget): readonly TextPair[] {
  const portals = target.portals.map(({ address, portalGroupTag }) => ({
    key: 'TargetAddress',
    value: `${address},${portalGroupTag}`,
  }));
  return [{ key: 'TargetName', value: target.name }, ...portals];
}
