// Every operational key of RFC 7143 §13 and RFC 7144: for each the legal, limiting, illegal, irrelevant, misplaced and
// repeated offer, as a table; then properties over all of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { negotiate, type NegotiationPlace, OPERATIONAL_KEYS } from './negotiation.ts';
import {
  DEFAULT_LIMITS,
  DEFAULT_PARAMETERS,
  type NegotiationLimits,
  type SessionParameters,
} from './parameters.ts';

const LOGIN: NegotiationPlace = { phase: 'operational', sessionType: 'normal', isLeading: true };
const DISCOVERY: NegotiationPlace = { ...LOGIN, sessionType: 'discovery' };
const LATER_CONNECTION: NegotiationPlace = { ...LOGIN, isLeading: false };
const SECURITY: NegotiationPlace = { ...LOGIN, phase: 'security' };
const FULL: NegotiationPlace = { ...LOGIN, phase: 'fullFeature' };
const NONE = '(no answer)';
const MISPLACED = '(ends the login)';

interface KeyCase {
  /** Offer to answer, in the operational stage of a normal session's leading connection. */
  readonly login: Readonly<Record<string, string>>;
  /** What is offered elsewhere, if not the first value of `login`, and the answers. */
  readonly offered?: string;
  readonly discovery: string;
  readonly laterConnection: string;
  readonly securityStage: string;
  readonly fullFeature: string;
}

const SEGMENT_REJECTS = {
  '511': 'Reject',
  '16777216': 'Reject',
  '0': 'Reject',
  '-1': 'Reject',
  many: 'Reject',
  '': 'Reject',
};
const BOOLEAN_REJECTS = { yes: 'Reject', YES: 'Reject', '1': 'Reject', '': 'Reject', 'Yes,No': 'Reject' };
const NORMAL_ONLY = {
  discovery: 'Irrelevant',
  laterConnection: MISPLACED,
  securityStage: MISPLACED,
  fullFeature: 'Reject',
};
const FIXED = {
  discovery: MISPLACED,
  laterConnection: MISPLACED,
  securityStage: MISPLACED,
  fullFeature: 'Reject',
};
const DIGEST: KeyCase = {
  login: {
    None: 'None',
    CRC32C: 'CRC32C',
    'None,CRC32C': 'None',
    'CRC32C,None': 'CRC32C',
    'Y-com.example,CRC32C': 'CRC32C',
    crc32c: 'Reject',
    MD5: 'Reject',
    '': 'Reject',
    'None,': 'Reject',
  },
  discovery: 'None',
  laterConnection: 'None',
  securityStage: MISPLACED,
  fullFeature: 'Reject',
};
const SENT_BY_TARGET: KeyCase = {
  login: { x: 'Reject', NotUnderstood: NONE, Irrelevant: NONE, Reject: NONE },
  discovery: 'Reject',
  laterConnection: 'Reject',
  securityStage: 'Reject',
  fullFeature: 'Reject',
};
const UNKNOWN: KeyCase = {
  login: { '1': 'NotUnderstood', '': 'NotUnderstood', NotUnderstood: NONE, Reject: NONE, Irrelevant: NONE },
  discovery: 'NotUnderstood',
  laterConnection: 'NotUnderstood',
  securityStage: 'NotUnderstood',
  fullFeature: 'NotUnderstood',
};

const CASES: Readonly<Record<string, KeyCase>> = {
  AuthMethod: { login: { None: MISPLACED }, ...FIXED },
  HeaderDigest: DIGEST,
  DataDigest: DIGEST,
  MaxConnections: {
    login: { '1': '1', '8': '1', '0x2': '1', '65535': '1', '0': 'Reject', '65536': 'Reject', x: 'Reject' },
    ...NORMAL_ONLY,
  },
  SendTargets: { login: { All: MISPLACED }, ...FIXED },
  TargetName: { login: { 'iqn.2004-01.com.example:disk': MISPLACED }, ...FIXED },
  InitiatorName: { login: { 'iqn.2004-01.com.example:host': MISPLACED }, ...FIXED },
  SessionType: { login: { Normal: MISPLACED }, ...FIXED },
  TargetAlias: SENT_BY_TARGET,
  TargetAddress: SENT_BY_TARGET,
  TargetPortalGroupTag: { ...SENT_BY_TARGET, securityStage: 'Reject' },
  InitiatorAlias: {
    login: { host: NONE, '': NONE },
    discovery: NONE,
    laterConnection: NONE,
    securityStage: NONE,
    fullFeature: NONE,
  },
  InitialR2T: { login: { Yes: 'Yes', No: 'No', ...BOOLEAN_REJECTS }, ...NORMAL_ONLY },
  ImmediateData: { login: { Yes: 'Yes', No: 'No', ...BOOLEAN_REJECTS }, ...NORMAL_ONLY },
  MaxRecvDataSegmentLength: {
    offered: '262144',
    login: { '512': NONE, '262144': NONE, '16777215': NONE, '0x40000': NONE, ...SEGMENT_REJECTS },
    discovery: NONE,
    laterConnection: NONE,
    securityStage: NONE,
    fullFeature: NONE,
  },
  MaxBurstLength: {
    login: {
      '262144': '262144',
      '16776192': '16776192',
      '16777215': '16776192',
      '512': '512',
      '0x40000': '262144',
      ...SEGMENT_REJECTS,
    },
    ...NORMAL_ONLY,
  },
  FirstBurstLength: {
    login: { '262144': '262144', '65536': '65536', '16776192': '262144', '512': '512', ...SEGMENT_REJECTS },
    ...NORMAL_ONLY,
  },
  DefaultTime2Wait: {
    login: { '2': '2', '0': '2', '20': '20', '3600': '3600', '3601': 'Reject', '-2': 'Reject' },
    ...NORMAL_ONLY,
    discovery: '2',
  },
  DefaultTime2Retain: {
    login: { '20': '0', '0': '0', '3600': '0', '3601': 'Reject' },
    ...NORMAL_ONLY,
    discovery: '0',
  },
  MaxOutstandingR2T: {
    login: { '1': '1', '16': '16', '65535': '16', '0': 'Reject', '65536': 'Reject' },
    ...NORMAL_ONLY,
  },
  DataPDUInOrder: { login: { Yes: 'Yes', No: 'Yes', ...BOOLEAN_REJECTS }, ...NORMAL_ONLY },
  DataSequenceInOrder: { login: { Yes: 'Yes', No: 'Yes', ...BOOLEAN_REJECTS }, ...NORMAL_ONLY },
  ErrorRecoveryLevel: {
    login: { '0': '0', '1': '0', '2': '0', '3': 'Reject', x: 'Reject' },
    ...NORMAL_ONLY,
    discovery: '0',
  },
  TaskReporting: {
    login: {
      RFC3720: 'RFC3720',
      'FastAbort,ResponseFence,RFC3720': 'RFC3720',
      FastAbort: 'Reject',
      ResponseFence: 'Reject',
      '': 'Reject',
    },
    ...NORMAL_ONLY,
  },
  iSCSIProtocolLevel: {
    login: { '1': '1', '2': '1', '0': '0', '31': '1', '32': 'Reject' },
    ...NORMAL_ONLY,
  },
  IFMarker: { ...DIGEST, login: { No: 'No', Yes: 'No' }, discovery: 'No', laterConnection: 'No' },
  OFMarker: { ...DIGEST, login: { No: 'No', Yes: 'No' }, discovery: 'No', laterConnection: 'No' },
  IFMarkInt: { ...DIGEST, login: { '2048~8192': 'Reject' }, discovery: 'Reject', laterConnection: 'Reject' },
  OFMarkInt: { ...DIGEST, login: { '2048~8192': 'Reject' }, discovery: 'Reject', laterConnection: 'Reject' },
  'X-com.example.key': UNKNOWN,
  'Y-com.example.digest': UNKNOWN,
  NoSuchKey: UNKNOWN,
  maxburstlength: UNKNOWN,
};

test('every key of the table has its cases', () => {
  for (const key of OPERATIONAL_KEYS.keys()) assert.ok(key in CASES, key);
});

for (const [key, { login, offered, ...elsewhere }] of Object.entries(CASES)) {
  for (const [value, expected] of Object.entries(login)) {
    test(`${key}=${value} is answered ${expected}`, () => assert.equal(offer(key, value, LOGIN), expected));
  }
  const value = offered ?? Object.keys(login)[0] ?? '';
  test(`${key}=${value} has its place: discovery, later connections, security stage, full feature phase`, () => {
    assert.equal(offer(key, value, DISCOVERY), elsewhere.discovery, 'discovery session');
    assert.equal(offer(key, value, LATER_CONNECTION), elsewhere.laterConnection, 'later connection');
    assert.equal(offer(key, value, SECURITY), elsewhere.securityStage, 'security stage');
    assert.equal(offer(key, value, FULL), elsewhere.fullFeature, 'full feature phase');
  });
}

test('what Linux initiators offer is settled as they ask', () => {
  const { answers, draft } = run(
    {
      HeaderDigest: 'None,CRC32C',
      DataDigest: 'None',
      DefaultTime2Wait: '2',
      DefaultTime2Retain: '0',
      IFMarker: 'No',
      OFMarker: 'No',
      ErrorRecoveryLevel: '0',
      InitialR2T: 'No',
      ImmediateData: 'Yes',
      MaxBurstLength: '16776192',
      FirstBurstLength: '262144',
      MaxOutstandingR2T: '1',
      MaxConnections: '1',
      DataPDUInOrder: 'Yes',
      DataSequenceInOrder: 'Yes',
      MaxRecvDataSegmentLength: '262144',
    },
    LOGIN,
  );
  assert.equal(answers['FirstBurstLength'], '262144');
  const expected: SessionParameters = {
    ...DEFAULT_PARAMETERS,
    initialR2T: false,
    initiatorMaxRecvDataSegmentLength: 262_144,
    maxBurstLength: 16_776_192,
    firstBurstLength: 262_144,
    defaultTime2Retain: 0,
  };
  assert.deepEqual(draft, expected);
});

test('the first burst is cut to the longest burst, wherever that stands in the text', () => {
  for (const offers of [
    { FirstBurstLength: '262144', MaxBurstLength: '65536' },
    { MaxBurstLength: '65536', FirstBurstLength: '262144' },
  ]) {
    const { answers, draft } = run(offers, LOGIN);
    assert.deepEqual(answers, { FirstBurstLength: '65536', MaxBurstLength: '65536' });
    assert.equal(draft.firstBurstLength, 65_536);
  }
  assert.equal(run({ MaxBurstLength: '512' }, LOGIN).draft.firstBurstLength, 512);
});

test('an illegal value leaves the default in force', () => {
  const { draft } = run(
    { MaxBurstLength: '0', InitialR2T: 'no', HeaderDigest: 'MD5', MaxRecvDataSegmentLength: '1' },
    LOGIN,
  );
  assert.deepEqual(draft, DEFAULT_PARAMETERS);
});

test('limits of a target hold: digests it insists on, R2T it insists on', () => {
  const strict = {
    ...DEFAULT_LIMITS,
    headerDigest: ['CRC32C'],
    initialR2T: true,
    immediateData: false,
  } as const;
  const offers = { HeaderDigest: 'None,CRC32C', InitialR2T: 'No', ImmediateData: 'Yes' };
  assert.deepEqual(run(offers, LOGIN, strict).answers, {
    HeaderDigest: 'CRC32C',
    InitialR2T: 'Yes',
    ImmediateData: 'No',
  });
  assert.equal(run({ HeaderDigest: 'None' }, LOGIN, strict).answers['HeaderDigest'], 'Reject');
});

test('answers come in the order of the request', () => {
  const { answers } = run({ NoSuchKey: '1', MaxBurstLength: '512', ImmediateData: 'No' }, LOGIN);
  assert.deepEqual(Object.keys(answers), ['NoSuchKey', 'MaxBurstLength', 'ImmediateData']);
});

test('whatever is offered, the parameters stay legal and every answer is short', () => {
  const value = fc.oneof(
    fc.integer({ min: -2, max: 2 ** 25 }).map(String),
    fc.constantFrom('Yes', 'No', 'None', 'CRC32C', 'None,CRC32C', 'Reject', 'Irrelevant', '', '0x', '2~3'),
    fc.string({ maxLength: 255 }),
  );
  const offers = fc.dictionary(fc.constantFrom(...Object.keys(CASES)), value, { noNullPrototype: true });
  const place = fc.constantFrom(LOGIN, DISCOVERY, LATER_CONNECTION, SECURITY, FULL);
  fc.assert(
    fc.property(offers, place, (given, where) => {
      const { draft, answers } = run(given, where);
      assert.ok(draft.firstBurstLength <= draft.maxBurstLength);
      assert.ok(draft.maxBurstLength >= 512 && draft.maxBurstLength <= DEFAULT_LIMITS.maxBurstLength);
      assert.ok(
        draft.initiatorMaxRecvDataSegmentLength >= 512 && draft.initiatorMaxRecvDataSegmentLength < 2 ** 24,
      );
      assert.equal(draft.maxConnections, 1);
      assert.equal(draft.errorRecoveryLevel, 0);
      for (const answer of Object.values(answers)) assert.ok(answer.length <= 255);
    }),
    { numRuns: 1000 },
  );
});

function run(
  offers: Readonly<Record<string, string>>,
  place: NegotiationPlace,
  limits: NegotiationLimits = DEFAULT_LIMITS,
) {
  const draft = { ...DEFAULT_PARAMETERS };
  const pairs = Object.entries(offers).map(([key, value]) => ({ key, value }));
  const negotiated = negotiate(pairs, draft, limits, place);
  const answers: Record<string, string> = {};
  if (negotiated.ok) for (const { key, value } of negotiated.value) answers[key] = value;
  return { draft, answers, isRefused: !negotiated.ok };
}

function offer(key: string, value: string, place: NegotiationPlace): string {
  const { answers, isRefused } = run({ [key]: value }, place);
  return isRefused ? MISPLACED : (answers[key] ?? NONE);
}
