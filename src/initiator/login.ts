/** What an initiator proposes when it logs in, and what holds after the answer (RFC 7143 §6.3, §13). Without CHAP. */

import { fail, ok, type Result } from '../base/result.ts';
import { encodeText, parseText, type TextPair } from '../iscsi/text/pairs.ts';

export const OPERATIONAL_STAGE = 1;
export const FULL_FEATURE_PHASE = 3;

/** The longest data segment that is taken. */
export const RECEIVE_SEGMENT_MAX = 262_144;
const BURST_MAX = 262_144;
const FIRST_BURST = 65_536;

export interface Agreed {
  /** The longest data segment that the target takes. */
  readonly sendSegmentMax: number;
  readonly hasImmediateData: boolean;
  readonly firstBurst: number;
}

/** What holds when nobody says anything (RFC 7143 §13.10 to §13.14). */
const DEFAULT_SEGMENT = 8192;

export function loginText(initiatorName: string, targetName: string): Uint8Array {
  const pairs: readonly (readonly [string, string | number])[] = [
    ['InitiatorName', initiatorName],
    ['SessionType', 'Normal'],
    ['TargetName', targetName],
    ['HeaderDigest', 'None'],
    ['DataDigest', 'None'],
    ['MaxConnections', 1],
    ['InitialR2T', 'Yes'],
    ['ImmediateData', 'Yes'],
    ['MaxRecvDataSegmentLength', RECEIVE_SEGMENT_MAX],
    ['MaxBurstLength', BURST_MAX],
    ['FirstBurstLength', FIRST_BURST],
    ['MaxOutstandingR2T', 1],
    ['DataPDUInOrder', 'Yes'],
    ['DataSequenceInOrder', 'Yes'],
    ['ErrorRecoveryLevel', 0],
  ];
  return encodeText(pairs.map(([key, value]): TextPair => ({ key, value: String(value) })));
}

/** Refusals of what was proposed are faults: this initiator has no second choice. */
export function agreedIn(text: Uint8Array): Result<Agreed, string> {
  const parsed = parseText(text);
  if (!parsed.ok) return fail(`the login's answer is no text: ${parsed.fault}`);
  const answers = new Map(parsed.value.map(({ key, value }) => [key, value]));
  for (const [key, value] of [
    ['HeaderDigest', 'None'],
    ['DataDigest', 'None'],
    ['ErrorRecoveryLevel', '0'],
  ] as const)
    if ((answers.get(key) ?? value) !== value) return fail(`${key} was not agreed on`);
  const number = (key: string, otherwise: number): number => Number(answers.get(key) ?? otherwise);
  return ok({
    sendSegmentMax: number('MaxRecvDataSegmentLength', DEFAULT_SEGMENT),
    hasImmediateData: (answers.get('ImmediateData') ?? 'Yes') === 'Yes',
    firstBurst: number('FirstBurstLength', FIRST_BURST),
  });
}
