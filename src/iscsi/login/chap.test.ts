// RFC 1994, RFC 7143 §12.1.3. Responses are computed independently with node:crypto; one known vector pins both down.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { platformCrypto } from '../../runtime/crypto.ts';
import {
  CHAP_ALGORITHMS,
  type ChapAlgorithm,
  chapCredential,
  challengeInitiator,
  type ChapExchange,
  verifyInitiator,
} from './chap.ts';
import type { ChapPolicy } from './policy.ts';

const HASHES: Readonly<Record<ChapAlgorithm, string>> = { 5: 'md5', 6: 'sha1', 7: 'sha256', 8: 'sha3-256' };
const SECRET = 'initiator-secret';
const TARGET_SECRET = 'target-secret-16';
const POLICY: ChapPolicy = {
  algorithms: CHAP_ALGORITHMS,
  users: [
    chapCredential('host', SECRET),
    chapCredential('0xdeadbeef', SECRET),
    chapCredential('0bdeadbeef', SECRET),
    chapCredential('other', TARGET_SECRET),
  ],
  target: chapCredential('disk', TARGET_SECRET),
  requireMutual: false,
};

test('a known response (MD5, identifier 0, secret "secretsecret", 16 zero bytes) is accepted', () => {
  const exchange: ChapExchange = { algorithm: 5, identifier: 0, challenge: new Uint8Array(16) };
  const policy = { ...POLICY, users: [chapCredential('host', 'secretsecret')] };
  const keys = new Map([
    ['CHAP_N', 'host'],
    ['CHAP_R', '0xf5fc3235b7561f12ee2a8d865d0f9623'],
  ]);
  assert.ok(verifyInitiator(policy, exchange, keys, platformCrypto).ok);
});

for (const [offered, chosen] of [
  ['5', 5],
  ['7,5', 7],
  ['8,7,6,5', 8],
  ['9,6', 6],
  ['0x7', 7],
] as const) {
  test(`of CHAP_A=${offered} the first known algorithm, ${chosen}, is chosen`, () => {
    const { exchange, answers } = challenge(POLICY, offered);
    assert.equal(exchange.algorithm, chosen);
    assert.equal(answers.get('CHAP_A'), String(chosen));
    assert.equal(answers.get('CHAP_I'), String(exchange.identifier));
    assert.equal(answers.get('CHAP_C'), `0x${Buffer.from(exchange.challenge).toString('hex')}`);
    assert.ok(exchange.challenge.length >= 16 && exchange.challenge.length <= 32);
  });
}

test('algorithms that the target does not allow are passed over', () => {
  assert.equal(challenge({ ...POLICY, algorithms: [7] }, '5,6,7').exchange.algorithm, 7);
  assert.equal(statusOf(challengeInitiator({ ...POLICY, algorithms: [7] }, '5', platformCrypto)), 0x0201);
});

for (const [offered, status] of [
  ['56', 0x0201],
  ['1,2', 0x0201],
  ['', 0x0200],
  ['MD5', 0x0200],
  ['5,', 0x0200],
] as const) {
  test(`CHAP_A=${offered} is refused with ${status.toString(16)}`, () => {
    assert.equal(statusOf(challengeInitiator(POLICY, offered, platformCrypto)), status);
  });
}

test('each challenge is new', () => {
  const seen = new Set(Array.from({ length: 50 }, () => challenge(POLICY, '7').answers.get('CHAP_C')));
  assert.equal(seen.size, 50);
});

for (const algorithm of CHAP_ALGORITHMS) {
  for (const form of ['hex', 'base64'] as const) {
    test(`the right response is accepted: algorithm ${algorithm}, ${form}`, () => {
      const { exchange } = challenge(POLICY, String(algorithm));
      const response = encode(respond(exchange, SECRET), form);
      const proof = verify(exchange, { CHAP_N: 'host', CHAP_R: response });
      assert.deepEqual(proof, { ok: true, value: { chapName: 'host', mutual: false, answers: [] } });
    });
  }
}

for (const name of ['0xdeadbeef', '0bdeadbeef']) {
  test(`the user name ${name} is text, not a number`, () => {
    const { exchange } = challenge(POLICY, '5');
    assert.ok(verify(exchange, { CHAP_N: name, CHAP_R: encode(respond(exchange, SECRET), 'hex') }).ok);
  });
}

test('an unknown name, a wrong secret and an unreadable response are refused alike', () => {
  const { exchange } = challenge(POLICY, '7');
  const right = encode(respond(exchange, SECRET), 'hex');
  const refused = [
    { CHAP_N: 'nobody', CHAP_R: right },
    { CHAP_N: 'host', CHAP_R: encode(respond(exchange, 'wrong'), 'hex') },
    { CHAP_N: 'HOST', CHAP_R: right },
    { CHAP_N: 'host', CHAP_R: `${right}00` },
    { CHAP_N: 'host', CHAP_R: right.slice(0, -2) },
    { CHAP_N: 'host', CHAP_R: '0x' },
    { CHAP_N: 'host', CHAP_R: 'secret' },
    { CHAP_N: 'host', CHAP_R: `0x${'00'.repeat(1024)}` },
  ].map((keys) => verify(exchange, keys));
  for (const one of refused) assert.deepEqual(one, refused[0]);
  assert.equal(statusOf(refused[0]), 0x0201);
});

test('mutual CHAP answers the initiator with the secret of the target', () => {
  for (const algorithm of CHAP_ALGORITHMS) {
    const { exchange } = challenge(POLICY, String(algorithm));
    const theirs = { algorithm, identifier: 200, challenge: Uint8Array.from({ length: 1024 }, (_, i) => i) };
    const proof = verify(exchange, {
      CHAP_N: 'host',
      CHAP_R: encode(respond(exchange, SECRET), 'hex'),
      CHAP_I: '200',
      CHAP_C: encode(theirs.challenge, 'base64'),
    });
    const answers = [
      { key: 'CHAP_N', value: 'disk' },
      { key: 'CHAP_R', value: encode(respond(theirs, TARGET_SECRET), 'hex') },
    ];
    assert.deepEqual(proof, { ok: true, value: { chapName: 'host', mutual: true, answers } });
  }
});

const MUTUAL_REFUSED: readonly (readonly [string, Partial<ChapPolicy>, Record<string, string>, number])[] = [
  ['the target has no secret', { target: undefined }, { CHAP_I: '1', CHAP_C: '0x01' }, 0x0201],
  ['it is required and not asked for', { requireMutual: true }, {}, 0x0201],
  ['CHAP_C is missing', {}, { CHAP_I: '1' }, 0x0207],
  ['CHAP_I is missing', {}, { CHAP_C: '0x01' }, 0x0207],
  ['CHAP_I is no byte', {}, { CHAP_I: '256', CHAP_C: '0x01' }, 0x0200],
  ['CHAP_C is empty', {}, { CHAP_I: '1', CHAP_C: '0x' }, 0x0200],
  ['CHAP_C is too long', {}, { CHAP_I: '1', CHAP_C: `0b${'AAAA'.repeat(342)}` }, 0x0200],
  ['one secret serves both directions', {}, { CHAP_N: 'other', CHAP_I: '1', CHAP_C: '0x01' }, 0x0201],
];
for (const [title, fields, keys, status] of MUTUAL_REFUSED) {
  test(`mutual CHAP is refused when ${title}`, () => {
    const { exchange } = challenge(POLICY, '5');
    const secret = keys['CHAP_N'] === 'other' ? TARGET_SECRET : SECRET;
    const response = encode(respond(exchange, secret), 'hex');
    const all = new Map(Object.entries({ CHAP_N: 'host', CHAP_R: response, ...keys }));
    assert.equal(statusOf(verifyInitiator({ ...POLICY, ...fields }, exchange, all, platformCrypto)), status);
  });
}

test('a reflected challenge closes the connection without a word', () => {
  const { exchange } = challenge(POLICY, '5');
  const proof = verify(exchange, {
    CHAP_N: 'host',
    CHAP_R: encode(respond(exchange, SECRET), 'hex'),
    CHAP_I: '7',
    CHAP_C: encode(exchange.challenge, 'base64'),
  });
  assert.ok(!proof.ok);
  assert.equal(proof.fault.status, undefined);
});

test('no refusal carries a secret, a response or a challenge', () => {
  const { exchange } = challenge(POLICY, '7');
  const response = encode(respond(exchange, 'wrong'), 'hex');
  const shown = JSON.stringify(verify(exchange, { CHAP_N: 'host', CHAP_R: response }));
  for (const hidden of [SECRET, TARGET_SECRET, response, 'wrong-']) assert.ok(!shown.includes(hidden));
});

function challenge(policy: ChapPolicy, offered: string) {
  const challenged = challengeInitiator(policy, offered, platformCrypto);
  assert.ok(challenged.ok);
  const { exchange, answers } = challenged.value;
  return { exchange, answers: new Map(answers.map(({ key, value }) => [key, value])) };
}

function verify(exchange: ChapExchange, keys: Readonly<Record<string, string>>) {
  return verifyInitiator(POLICY, exchange, new Map(Object.entries(keys)), platformCrypto);
}

function respond(exchange: ChapExchange, secret: string): Uint8Array {
  const hash = createHash(HASHES[exchange.algorithm]);
  return hash
    .update(Buffer.from([exchange.identifier]))
    .update(secret)
    .update(exchange.challenge)
    .digest();
}

function encode(bytes: Uint8Array, form: 'hex' | 'base64'): string {
  return `${form === 'hex' ? '0x' : '0b'}${Buffer.from(bytes).toString(form)}`;
}

function statusOf(
  result: ReturnType<typeof verifyInitiator> | ReturnType<typeof challengeInitiator> | undefined,
) {
  return result === undefined || result.ok ? 'accepted' : result.fault.status;
}
