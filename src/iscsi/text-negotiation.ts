/**
 * Text Requests of the full feature phase (RFC 7143 §6.4, §11.10): SendTargets, and the few keys that may still be
 * negotiated there (MaxRecvDataSegmentLength, aliases). Takes a complete text and gives a complete answer; pieces,
 * tags and sequence numbers are the connection's.
 */

import { assert } from '../base/assert.ts';
import { ok, type Result } from '../base/result.ts';
import { answerSendTargets, type SendTargetsCaller } from './discovery.ts';
import { negotiate } from './login/negotiation.ts';
import type { NegotiationLimits, SessionParameters } from './login/parameters.ts';
import type { LoginPolicy } from './login/policy.ts';
import { encodeText, parseText, type TextFault, type TextPair } from './text/pairs.ts';

export interface TextNegotiationContext {
  readonly policy: LoginPolicy;
  readonly caller: SendTargetsCaller;
  readonly limits: NegotiationLimits;
  /** In force before this text. */
  readonly parameters: SessionParameters;
}

export interface TextNegotiationAnswer {
  /** Empty when there is nothing to say: the Text Response still is due. */
  readonly text: Uint8Array;
  /** In force from the last Text Response on. */
  readonly parameters: SessionParameters;
}

/** A fault is answered with a Reject PDU, reason protocol error (RFC 7143 §11.17.1). */
export function answerText(
  context: TextNegotiationContext,
  text: Uint8Array,
): Result<TextNegotiationAnswer, TextFault> {
  const parsed = parseText(text);
  if (!parsed.ok) return parsed;
  const draft = { ...context.parameters };
  const answers: TextPair[] = [];
  for (const { key, value } of parsed.value) {
    if (key === 'SendTargets') answers.push(...answerSendTargets(context.policy, context.caller, value));
  }
  const others = parsed.value.filter(({ key }) => key !== 'SendTargets');
  const negotiated = negotiate(others, draft, context.limits, {
    phase: 'fullFeature',
    sessionType: context.caller.sessionTarget === undefined ? 'discovery' : 'normal',
    isLeading: true,
  });
  assert(negotiated.ok, 'in the full feature phase a misplaced key is rejected, not refused');
  answers.push(...negotiated.value);
  return ok({ text: encodeText(answers), parameters: draft });
}
