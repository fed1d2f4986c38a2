// Text over several PDUs in both directions (C bit, RFC 7143 §6.2, §11.12.2), and the limits of one login; then any
// sequence of requests at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { context, INITIATOR, pairsOf, request, TARGET, target } from '../../../test/support/login.ts';
import { encodeUtf8 } from '../../base/text.ts';
import { platformCrypto } from '../../runtime/crypto.ts';
import { chapCredential } from './chap.ts';
import type { LoginStep } from './context.ts';
import { createLogin, LOGIN_RESPONSE_TEXT_MAX, refuseInvalidPdu, stepLogin } from './login.ts';
import type { LoginRequest } from './messages.ts';
import { LOGIN_REQUESTS_MAX } from './request.ts';

const PLAIN = context([target()]);
const HELLO = `InitiatorName=${INITIATOR}\0TargetName=${TARGET}\0`;
const OPERATIONAL = { currentStage: 1, nextStage: 3 } as const;

test('text cut at every byte means the same, and each piece gets an empty answer', () => {
  const text = encodeUtf8(`${HELLO}InitiatorAlias=Büro\0ImmediateData=No\0`);
  for (let cut = 0; cut <= text.length; cut++) {
    const state = createLogin(PLAIN);
    const piece = request({ ...OPERATIONAL, continued: true, text: text.subarray(0, cut) });
    const first = stepLogin(state, piece, 0);
    assert.equal(first.kind, 'answer');
    assert.deepEqual(
      [first.response?.text.length, first.response?.transit, first.response?.continued],
      [0, false, false],
    );
    const last = stepLogin(state, request({ ...OPERATIONAL, transit: true, text: text.subarray(cut) }), 0);
    assert.equal(last.kind === 'done' && last.result.initiatorAlias, 'Büro');
    assert.equal(last.kind === 'done' && last.result.parameters.immediateData, false);
  }
});

test('pieces are copied: the receive buffer may change between requests', () => {
  const state = createLogin(PLAIN);
  const text = encodeUtf8(HELLO);
  stepLogin(state, request({ ...OPERATIONAL, continued: true, text }), 0);
  text.fill(0xff);
  assert.equal(stepLogin(state, request({ ...OPERATIONAL, transit: true }), 0).kind, 'done');
});

test('a long response goes on with empty requests and leaves the stage with its last piece', () => {
  const state = createLogin(PLAIN);
  const keys = Array.from({ length: 200 }, (_, i) => `X-${'k'.repeat(50)}-${i}=1\0`).join('');
  let step = stepLogin(state, request({ ...OPERATIONAL, transit: true, text: encodeUtf8(HELLO + keys) }), 0);
  const pieces: Uint8Array[] = [];
  while (step.kind === 'answer') {
    assert.deepEqual([step.response.continued, step.response.transit], [true, false]);
    assert.equal(step.response.text.length, LOGIN_RESPONSE_TEXT_MAX);
    pieces.push(step.response.text);
    step = stepLogin(state, request({ ...OPERATIONAL, transit: true }), 0);
  }
  assert.equal(step.kind, 'done');
  pieces.push(step.response?.text ?? new Uint8Array(0));
  assert.ok(pieces.length > 1);
  const answers = pairsOf(Buffer.concat(pieces));
  assert.equal(answers.filter((answer) => answer.endsWith('=NotUnderstood')).length, 200);
});

test('text in the middle of a long response ends the login', () => {
  const state = createLogin(PLAIN);
  const keys = Array.from({ length: 200 }, (_, i) => `X-${'k'.repeat(50)}-${i}=1\0`).join('');
  stepLogin(state, request({ ...OPERATIONAL, text: encodeUtf8(HELLO + keys) }), 0);
  assert.equal(status(stepLogin(state, request({ ...OPERATIONAL, text: encodeUtf8('A=1\0') }), 0)), 0x0200);
});

test('endless text, endless keys and endless requests end the login', () => {
  const piece = new Uint8Array(8192).fill(0x41);
  assert.equal(drive(request({ ...OPERATIONAL, continued: true, text: piece }), 9), 0x0200);
  assert.equal(drive(request({ ...OPERATIONAL, continued: true }), LOGIN_REQUESTS_MAX + 1), 0x0200);
  const state = createLogin(PLAIN);
  stepLogin(state, request({ ...OPERATIONAL, text: encodeUtf8(HELLO) }), 0);
  let last: LoginStep | undefined;
  for (let i = 0; i < 3 && last?.kind !== 'close'; i++) {
    const keys = Array.from({ length: 100 }, (_, k) => `X-${i}-${k}=\0`).join('');
    last = stepLogin(state, request({ ...OPERATIONAL, text: encodeUtf8(keys) }), 0);
  }
  assert.equal(last === undefined ? 0 : status(last), 0x0200);
});

test('a PDU that is no Login Request is refused with status 020Bh', () => {
  const state = createLogin(PLAIN);
  const first = request({ text: encodeUtf8(HELLO) });
  stepLogin(state, first, 0);
  assert.equal(status(refuseInvalidPdu(state, first)), 0x020b);
  assert.deepEqual(stepLogin(state, first, 0), {
    kind: 'close',
    response: undefined,
    reason: 'the login is over',
  });
});

const CHAP = {
  algorithms: [5, 7] as const,
  users: [chapCredential('u', 's')],
  target: undefined,
  requireMutual: false,
};
const SECURED = context([target({ authentication: { allowNone: false, chap: CHAP } })], {
  crypto: platformCrypto,
});
const PAIRS = [
  `InitiatorName=${INITIATOR}`,
  `TargetName=${TARGET}`,
  'SessionType=Normal',
  'AuthMethod=CHAP,None',
  'AuthMethod=None',
  'CHAP_A=5',
  'CHAP_N=u',
  `CHAP_R=0x${'00'.repeat(16)}`,
  'CHAP_I=1',
  'CHAP_C=0x00',
  'HeaderDigest=None,CRC32C',
  'MaxBurstLength=262144',
  'NoSuchKey=1',
  'SendTargets=All',
];
const stage = fc.constantFrom(0, 0, 0, 1, 1, 2, 3);
const anyRequest = fc.record({
  transit: fc.boolean(),
  continued: fc.constantFrom(false, false, false, true),
  currentStage: stage,
  nextStage: fc.constantFrom(0, 1, 1, 3, 3, 2),
  versionMin: fc.constantFrom(0, 0, 0, 0, 0, 1),
  tsih: fc.constantFrom(0, 0, 0, 0, 0, 5),
  text: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.subarray(PAIRS).map((pairs) => encodeUtf8(pairs.map((pair) => `${pair}\0`).join(''))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  ),
});
/** Sensible logins up to the proof, into which anything may be mixed. */
const start = fc.constantFrom(
  [],
  [PAIRS.slice(0, 4)],
  [PAIRS.slice(0, 4), ['CHAP_A=5']],
  [[...PAIRS.slice(0, 3), 'AuthMethod=CHAP'], ['CHAP_A=7,5']],
);

test('any sequence of requests is answered or closed, and nothing but a proof opens a secured target', () => {
  fc.assert(
    fc.property(start, fc.array(anyRequest, { minLength: 1, maxLength: 8 }), (good, wild) => {
      const state = createLogin(SECURED);
      const requests = [
        ...good.map((pairs) => request({ nextStage: 1, transit: true }, pairs)),
        ...wild.map((one) => request(one)),
      ];
      let closed = false;
      for (const one of requests) {
        const step = stepLogin(state, one, 0);
        assert.notEqual(step.kind, 'done');
        if (closed) assert.deepEqual([step.kind, step.response], ['close', undefined]);
        closed ||= step.kind === 'close';
      }
    }),
    { numRuns: 3000 },
  );
});

test('an open target is reached by some of them, always with legal parameters', () => {
  let reached = 0;
  fc.assert(
    fc.property(fc.array(anyRequest, { minLength: 1, maxLength: 5 }), (wild) => {
      const state = createLogin(PLAIN);
      const hello = request({ nextStage: 1, transit: true }, PAIRS.slice(0, 2));
      for (const one of [hello, ...wild.map((each) => request({ ...each, tsih: 0 }))]) {
        const step = stepLogin(state, one, 0);
        if (step.kind !== 'done') continue;
        reached += 1;
        assert.equal(step.response.statusClass, 0);
        assert.ok(step.result.parameters.firstBurstLength <= step.result.parameters.maxBurstLength);
      }
    }),
    { numRuns: 2000, seed: 7143 },
  );
  assert.ok(reached > 0);
});

function drive(sent: LoginRequest, times: number): number {
  const state = createLogin(PLAIN);
  let last = stepLogin(state, sent, 0);
  for (let i = 1; i < times && last.kind === 'answer'; i++) last = stepLogin(state, sent, 0);
  return status(last);
}

function status({ response }: LoginStep): number {
  return response === undefined ? -1 : (response.statusClass << 8) | response.statusDetail;
}
