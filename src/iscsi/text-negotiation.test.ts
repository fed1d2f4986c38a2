// Text Requests in the full feature phase (RFC 7143 §6.4): what may still be negotiated and what may not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { INITIATOR, pairsOf, policy, target } from '../../test/support/login.ts';
import { encodeUtf8 } from '../base/text.ts';
import { DEFAULT_LIMITS, DEFAULT_PARAMETERS } from './login/parameters.ts';
import { answerText, type TextNegotiationContext } from './text-negotiation.ts';

const DISK = target();
const SELF = ['TargetName=iqn.2004-01.com.example:disk', 'TargetAddress=127.0.0.1:3260,1'];
const NORMAL: TextNegotiationContext = {
  policy: policy([DISK]),
  caller: { identity: { initiatorName: INITIATOR, chapName: undefined }, sessionTarget: DISK },
  limits: DEFAULT_LIMITS,
  parameters: DEFAULT_PARAMETERS,
};
const DISCOVERY = { ...NORMAL, caller: { ...NORMAL.caller, sessionTarget: undefined } };

const CASES: readonly (readonly [string, TextNegotiationContext, readonly string[], readonly string[]])[] = [
  ['nothing', NORMAL, [], []],
  ['SendTargets= in a normal session', NORMAL, ['SendTargets='], SELF],
  ['SendTargets=All in a discovery session', DISCOVERY, ['SendTargets=All'], SELF],
  ['SendTargets=All in a normal session', NORMAL, ['SendTargets=All'], ['SendTargets=Reject']],
  ['a key in the wrong case', DISCOVERY, ['sENDtARGETS=All'], ['sENDtARGETS=NotUnderstood']],
  ['an unknown key', NORMAL, ['SendTargetsPlease=All'], ['SendTargetsPlease=NotUnderstood']],
  ['a key settled at login', NORMAL, ['MaxBurstLength=512'], ['MaxBurstLength=Reject']],
  ['a digest settled at login', NORMAL, ['HeaderDigest=CRC32C'], ['HeaderDigest=Reject']],
  ['a security key', NORMAL, ['AuthMethod=None', 'CHAP_A=5'], ['AuthMethod=Reject', 'CHAP_A=Reject']],
  ['a name', NORMAL, [`InitiatorName=${INITIATOR}`], ['InitiatorName=Reject']],
  ['an alias', NORMAL, ['InitiatorAlias=x'], []],
];
for (const [title, context, sent, expected] of CASES) {
  test(`${title} is answered ${expected.join(' ') || 'with nothing'}`, () => {
    const answered = answerText(context, text(sent));
    assert.ok(answered.ok);
    assert.deepEqual(pairsOf(answered.value.text), expected);
    assert.deepEqual(answered.value.parameters, DEFAULT_PARAMETERS);
  });
}

test('MaxRecvDataSegmentLength may be declared anew, within its range', () => {
  const answered = answerText(NORMAL, text(['MaxRecvDataSegmentLength=4096']));
  assert.ok(answered.ok);
  assert.equal(answered.value.text.length, 0);
  assert.deepEqual(answered.value.parameters, {
    ...DEFAULT_PARAMETERS,
    initiatorMaxRecvDataSegmentLength: 4096,
  });
  const refused = answerText(NORMAL, text(['MaxRecvDataSegmentLength=1']));
  assert.deepEqual(refused.ok && pairsOf(refused.value.text), ['MaxRecvDataSegmentLength=Reject']);
});

test('a repeated key and malformed text are protocol errors', () => {
  assert.deepEqual(answerText(NORMAL, text(['A=1', 'A=1'])), { ok: false, fault: 'duplicateKey' });
  assert.deepEqual(answerText(NORMAL, encodeUtf8('A=1')), { ok: false, fault: 'notTerminated' });
});

test('any bytes are answered or a fault', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 })))
      .map((pairs) => text(pairs.map((p) => p.join('=')))),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      const answered = answerText(NORMAL, given);
      if (answered.ok)
        assert.equal(answered.value.parameters.maxBurstLength, DEFAULT_PARAMETERS.maxBurstLength);
    }),
  );
});

function text(pairs: readonly string[]): Uint8Array {
  return encodeUtf8(pairs.map((pair) => `${pair}\0`).join(''));
}
