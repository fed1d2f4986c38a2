/**
 * Goal: the target's name is found however the login is cut, and not one byte is lost. Method: hand-made Login
 * Requests, pushed whole, byte by byte, and continued.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoginPeek, HEAD_BYTES_MAX, type PeekStep } from './login-peek.ts';

const TARGET = 'iqn.2026-11.com.example:Disk1';

function loginRequest(text: string, continued = false): Uint8Array {
  const data = new TextEncoder().encode(text);
  const pdu = new Uint8Array(48 + ((data.length + 3) & ~3));
  const view = new DataView(pdu.buffer);
  view.setUint8(0, 0x43);
  view.setUint8(1, continued ? 0x44 : 0x87);
  view.setUint32(4, data.length);
  view.setUint32(8, 0x400001_37);
  view.setUint32(16, 0xabcd);
  view.setUint32(24, 7);
  pdu.set(data, 48);
  return pdu;
}

function pushAll(pieces: readonly Uint8Array[]): { last: PeekStep; answers: Uint8Array[] } {
  const peek = createLoginPeek();
  const answers: Uint8Array[] = [];
  let last: PeekStep = { kind: 'more' };
  for (const piece of pieces) {
    assert.notEqual(last.kind, 'route', 'nothing is pushed after the route is known');
    last = peek.push(piece);
    if (last.kind === 'answer') answers.push(last.response);
  }
  return { last, answers };
}

const first = `InitiatorName=iqn.2026-11.com.example:host\0SessionType=Normal\0TargetName=${TARGET}\0AuthMethod=None\0`;

test('a login in one packet is routed by its target in lower case, with everything that came', () => {
  const pdu = loginRequest(first);
  const more = Uint8Array.of(...pdu, 1, 2, 3);
  const { last } = pushAll([more]);
  assert.deepEqual(last, { kind: 'route', targetName: TARGET.toLowerCase(), head: more, answered: 0 });
});

test('a login byte by byte is routed at its last byte', () => {
  const pdu = loginRequest(first);
  const { last } = pushAll(Array.from(pdu, (byte) => Uint8Array.of(byte)));
  assert.deepEqual(last, { kind: 'route', targetName: TARGET.toLowerCase(), head: pdu, answered: 0 });
});

test('discovery names no target', () => {
  const pdu = loginRequest('InitiatorName=iqn.2026-11.com.example:host\0SessionType=Discovery\0');
  assert.equal((pushAll([pdu]).last as { targetName?: string }).targetName, undefined);
});

test('a login cut within TargetName is answered emptily and routed with the rest', () => {
  const cut = first.indexOf('Disk1');
  const one = loginRequest(first.slice(0, cut), true);
  const two = loginRequest(first.slice(cut));
  const { last, answers } = pushAll([one, two]);
  assert.equal(answers.length, 1);
  const response = new DataView(answers[0]!.buffer);
  assert.equal(response.byteLength, 48);
  assert.equal(response.getUint8(0), 0x23);
  assert.equal(response.getUint8(1) & 0xc0, 0, 'neither transit nor continued');
  assert.equal(response.getUint32(4), 0, 'no text');
  assert.equal(response.getUint32(16), 0xabcd, 'the task tag of the request');
  assert.equal(response.getUint32(24), 0, 'the first StatSN');
  assert.equal(response.getUint32(28), 7, 'ExpCmdSN');
  assert.equal(response.getUint16(36), 0, 'success');
  assert.deepEqual(last, {
    kind: 'route',
    targetName: TARGET.toLowerCase(),
    head: Uint8Array.of(...one, ...two),
    answered: 1,
  });
});

test('a continued login that already names its target needs no answer', () => {
  const { last, answers } = pushAll([loginRequest(first, true)]);
  assert.equal(answers.length, 0);
  assert.equal(last.kind, 'route');
});

test('what is no login goes to engine 0 at its first byte', () => {
  assert.equal(pushAll([new TextEncoder().encode('GET / HTTP/1.1')]).last.kind, 'route');
});

test('a peer that never names a target is answered a few times only', () => {
  const peek = createLoginPeek();
  let answers = 0;
  for (;;) {
    const step = peek.push(loginRequest('InitiatorName=iqn.2026-11.com.example:host\0', true));
    if (step.kind === 'route') break;
    answers += 1;
    assert.ok(answers <= 8);
  }
});

test('no more is held than the limit', () => {
  const pdu = loginRequest('x'.repeat(8192), true);
  const peek = createLoginPeek();
  let held = 0;
  for (;;) {
    const step = peek.push(pdu);
    held += pdu.length;
    if (step.kind === 'route') break;
  }
  assert.ok(held <= HEAD_BYTES_MAX + pdu.length);
});
