/**
 * Operational keys: one table with every key of RFC 7143 §13 and RFC 7144 §6, and one function that answers what an
 * initiator sends. The target starts no negotiation of its own; it only declares (`login.ts`).
 *
 * 1. Each key sent by the initiator gets at most one answer, in the order of the request.
 * 2. An answer never goes beyond the target's limits and is always a legal result of the offer.
 * 3. An illegal value is answered Reject and leaves the default in force (RFC 7143 §6.2).
 * 4. FirstBurstLength never exceeds MaxBurstLength (§13.14).
 */

import { unreachable } from '../../base/assert.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { TextPair } from '../text/pairs.ts';
import { parseList, parseNumber } from '../text/values.ts';
import type { NegotiationLimits, ParameterDraft, SessionParameters } from './parameters.ts';

export const REJECT = 'Reject';
const IRRELEVANT = 'Irrelevant';
const NOT_UNDERSTOOD = 'NotUnderstood';

/** The Use lines of §13: LO, IO, ALL, FFPO; and the keys of the security stage (§12). */
type Use = 'leadingOnly' | 'initializeOnly' | 'always' | 'fullFeatureOnly' | 'security';

type FieldOf<T> = {
  [K in keyof SessionParameters]: SessionParameters[K] extends T ? K : never;
}[keyof SessionParameters];
type NumberField = FieldOf<number> & keyof NegotiationLimits;
type BooleanField = FieldOf<boolean> & keyof NegotiationLimits;
type ListField = 'headerDigest' | 'dataDigest' | 'taskReporting';

/** How the answer follows from offer and limit: the Result function lines of §13. */
type KeyRule =
  | {
      readonly kind: 'minimum' | 'maximum';
      readonly field: NumberField;
      readonly range: readonly [number, number];
    }
  | { readonly kind: 'and' | 'or'; readonly field: BooleanField }
  | { readonly kind: 'firstOfList'; readonly field: ListField }
  | { readonly kind: 'declaredSegmentLength'; readonly range: readonly [number, number] }
  | { readonly kind: 'declaredText' }
  | { readonly kind: 'fixedAnswer'; readonly answer: string }
  /** Only a target sends it. */
  | { readonly kind: 'sentByTarget' }
  /** Handled before this table: the names of the first request, the keys of the security stage, SendTargets. */
  | { readonly kind: 'elsewhere' };

export interface OperationalKey {
  readonly use: Use;
  readonly irrelevantInDiscovery: boolean;
  readonly rule: KeyRule;
}

const SEGMENT: readonly [number, number] = [512, 0xff_ffff];
const SECONDS: readonly [number, number] = [0, 3600];
const COUNT: readonly [number, number] = [1, 65_535];

export const OPERATIONAL_KEYS: ReadonlyMap<string, OperationalKey> = new Map<string, OperationalKey>([
  ['AuthMethod', key('security', { kind: 'elsewhere' })],
  ['HeaderDigest', key('initializeOnly', { kind: 'firstOfList', field: 'headerDigest' })],
  ['DataDigest', key('initializeOnly', { kind: 'firstOfList', field: 'dataDigest' })],
  ['MaxConnections', normalOnly({ kind: 'minimum', field: 'maxConnections', range: COUNT })],
  ['SendTargets', key('fullFeatureOnly', { kind: 'elsewhere' })],
  ['TargetName', key('initializeOnly', { kind: 'elsewhere' })],
  ['InitiatorName', key('initializeOnly', { kind: 'elsewhere' })],
  ['TargetAlias', key('always', { kind: 'sentByTarget' })],
  ['InitiatorAlias', key('always', { kind: 'declaredText' })],
  ['TargetAddress', key('always', { kind: 'sentByTarget' })],
  ['TargetPortalGroupTag', key('initializeOnly', { kind: 'sentByTarget' })],
  ['InitialR2T', normalOnly({ kind: 'or', field: 'initialR2T' })],
  ['ImmediateData', normalOnly({ kind: 'and', field: 'immediateData' })],
  ['MaxRecvDataSegmentLength', key('always', { kind: 'declaredSegmentLength', range: SEGMENT })],
  ['MaxBurstLength', normalOnly({ kind: 'minimum', field: 'maxBurstLength', range: SEGMENT })],
  ['FirstBurstLength', normalOnly({ kind: 'minimum', field: 'firstBurstLength', range: SEGMENT })],
  ['DefaultTime2Wait', key('leadingOnly', { kind: 'maximum', field: 'defaultTime2Wait', range: SECONDS })],
  [
    'DefaultTime2Retain',
    key('leadingOnly', { kind: 'minimum', field: 'defaultTime2Retain', range: SECONDS }),
  ],
  ['MaxOutstandingR2T', normalOnly({ kind: 'minimum', field: 'maxOutstandingR2T', range: COUNT })],
  ['DataPDUInOrder', normalOnly({ kind: 'or', field: 'dataPDUInOrder' })],
  ['DataSequenceInOrder', normalOnly({ kind: 'or', field: 'dataSequenceInOrder' })],
  ['ErrorRecoveryLevel', key('leadingOnly', { kind: 'minimum', field: 'errorRecoveryLevel', range: [0, 2] })],
  ['SessionType', key('leadingOnly', { kind: 'elsewhere' })],
  ['TaskReporting', normalOnly({ kind: 'firstOfList', field: 'taskReporting' })],
  ['iSCSIProtocolLevel', normalOnly({ kind: 'minimum', field: 'iSCSIProtocolLevel', range: [0, 31] })],
  // Obsolete (§13.25): markers are always declined, and never with NotUnderstood. 'No' is the answer that an initiator
  // of RFC 3720 expects; 'Reject' would be an error to it.
  ['IFMarker', key('initializeOnly', { kind: 'fixedAnswer', answer: 'No' })],
  ['OFMarker', key('initializeOnly', { kind: 'fixedAnswer', answer: 'No' })],
  ['IFMarkInt', key('initializeOnly', { kind: 'fixedAnswer', answer: REJECT })],
  ['OFMarkInt', key('initializeOnly', { kind: 'fixedAnswer', answer: REJECT })],
]);

/** Where a text stands. */
export interface NegotiationPlace {
  readonly phase: 'security' | 'operational' | 'fullFeature';
  readonly sessionType: 'normal' | 'discovery';
  /** The connection opens its session; the only kind that may set what holds for the whole session. */
  readonly isLeading: boolean;
}

export interface NegotiationFault {
  readonly kind: 'keyInWrongStage';
  readonly key: string;
}

/**
 * Answers `pairs` and records the results in `draft`. A key at the wrong moment ends a login; in the full feature
 * phase it is only rejected. AuthMethod, CHAP_*, SendTargets and the names of the first request are the caller's.
 */
export function negotiate(
  pairs: readonly TextPair[],
  draft: ParameterDraft,
  limits: NegotiationLimits,
  place: NegotiationPlace,
): Result<readonly TextPair[], NegotiationFault> {
  for (const pair of pairs) {
    if (place.phase !== 'fullFeature' && !isAllowed(pair.key, place)) {
      return fail({ kind: 'keyInWrongStage', key: pair.key });
    }
  }
  const values = new Map<string, string | undefined>();
  // MaxBurstLength first: the first burst is cut to it, wherever it stands in the text.
  for (const first of [true, false]) {
    for (const pair of pairs) {
      if ((pair.key === 'MaxBurstLength') === first) values.set(pair.key, answer(pair, draft, limits, place));
    }
  }
  draft.firstBurstLength = Math.min(draft.firstBurstLength, draft.maxBurstLength);
  const answers: TextPair[] = [];
  for (const { key: name } of pairs) {
    const value = values.get(name);
    if (value !== undefined) answers.push({ key: name, value });
  }
  return ok(answers);
}

export function isSecurityKey(name: string): boolean {
  return name === 'AuthMethod' || name.startsWith('CHAP_');
}

function key(use: Use, rule: KeyRule): OperationalKey {
  return { use, irrelevantInDiscovery: false, rule };
}

/** Settled on the leading connection; "Irrelevant when: SessionType=Discovery". */
function normalOnly(rule: KeyRule): OperationalKey {
  return { use: 'leadingOnly', irrelevantInDiscovery: true, rule };
}

function isAllowed(name: string, place: NegotiationPlace): boolean {
  if (isSecurityKey(name)) return false;
  const known = OPERATIONAL_KEYS.get(name);
  if (known === undefined) return true;
  if (known.rule.kind === 'elsewhere') return false;
  switch (place.phase) {
    case 'security': // only declarations (RFC 7143 §6.3.2)
      return known.rule.kind === 'declaredSegmentLength' || isDeclaration(known);
    case 'operational':
      return known.use !== 'leadingOnly' || place.isLeading;
    case 'fullFeature':
      return known.use === 'always';
    default:
      return unreachable(place.phase);
  }
}

function isDeclaration(known: OperationalKey): boolean {
  return known.rule.kind === 'declaredText' || known.rule.kind === 'sentByTarget';
}

/** Undefined: nothing is answered. */
function answer(
  { key: name, value }: TextPair,
  draft: ParameterDraft,
  limits: NegotiationLimits,
  place: NegotiationPlace,
): string | undefined {
  const isReply = value === REJECT || value === IRRELEVANT || value === NOT_UNDERSTOOD;
  const known = OPERATIONAL_KEYS.get(name);
  if (known === undefined && !isSecurityKey(name)) return isReply ? undefined : NOT_UNDERSTOOD;
  if (known === undefined || !isAllowed(name, place)) return REJECT;
  if (known.irrelevantInDiscovery && place.sessionType === 'discovery') return IRRELEVANT;
  const rule = known.rule;
  switch (rule.kind) {
    case 'minimum':
    case 'maximum':
      return answerNumber(rule, value, draft, limits);
    case 'and':
    case 'or':
      return answerBoolean(rule, value, draft, limits);
    case 'firstOfList':
      return answerList(rule.field, value, draft, limits);
    case 'declaredSegmentLength': {
      const length = inRange(value, rule.range);
      if (length === undefined) return REJECT;
      draft.initiatorMaxRecvDataSegmentLength = length;
      return undefined;
    }
    case 'declaredText':
      return undefined;
    case 'fixedAnswer':
      return rule.answer;
    case 'sentByTarget': // at most the reply to our own declaration
      return isReply ? undefined : REJECT;
    case 'elsewhere':
      return REJECT;
    default:
      return unreachable(rule);
  }
}

function answerNumber(
  rule: Extract<KeyRule, { readonly kind: 'minimum' | 'maximum' }>,
  value: string,
  draft: ParameterDraft,
  limits: NegotiationLimits,
): string {
  const offer = inRange(value, rule.range);
  if (offer === undefined) return REJECT;
  const limit =
    rule.field === 'firstBurstLength'
      ? Math.min(limits.firstBurstLength, draft.maxBurstLength)
      : limits[rule.field];
  const result = rule.kind === 'minimum' ? Math.min(offer, limit) : Math.max(offer, limit);
  draft[rule.field] = result;
  return String(result);
}

function answerBoolean(
  rule: Extract<KeyRule, { readonly kind: 'and' | 'or' }>,
  value: string,
  draft: ParameterDraft,
  limits: NegotiationLimits,
): string {
  if (value !== 'Yes' && value !== 'No') return REJECT;
  const offer = value === 'Yes';
  const limit = limits[rule.field];
  const result = rule.kind === 'and' ? offer && limit : offer || limit;
  draft[rule.field] = result;
  return result ? 'Yes' : 'No';
}

/** The first value of the offer that is acceptable (§6.2.1); what stands behind it may be anything. */
function answerList(
  field: ListField,
  value: string,
  draft: ParameterDraft,
  limits: NegotiationLimits,
): string {
  const offers = parseList(value);
  if (offers === undefined) return REJECT;
  const accepted: readonly string[] = limits[field];
  const chosen = offers.find((offer) => accepted.includes(offer));
  if (chosen === undefined) return REJECT;
  Object.assign(draft, { [field]: chosen });
  return chosen;
}

function inRange(value: string, [lowest, highest]: readonly [number, number]): number | undefined {
  const number = parseNumber(value);
  return number === undefined || number < lowest || number > highest ? undefined : number;
}
