// Goal: what lies in a register is read back, or known not to count. Method: every byte changed, every length.

import assert from 'node:assert/strict';
import test from 'node:test';
import { crc32c } from '../base/crc32c.ts';
import { CLAIM, decodeRegister, encodeRegister, VOTE } from './registers.ts';

const DEVICE = 'd'.repeat(32);
const VOTED = {
  promised: 50,
  accepted: { term: 33, id: 'a'.repeat(32), members: [1, 2, 3], learners: [4] },
};
const CLAIMED = { term: 2 ** 40, members: [2] };

test('a vote and a claim are what they were', () => {
  const vote = encodeRegister(VOTE, DEVICE, VOTED);
  assert.deepEqual(decodeRegister(VOTE, DEVICE, vote), { kind: 'found', record: VOTED });
  const claim = encodeRegister(CLAIM, DEVICE, CLAIMED);
  assert.deepEqual(decodeRegister(CLAIM, DEVICE, claim), { kind: 'found', record: CLAIMED });
});

test('any byte changed, and any length but its own, is damage', () => {
  const whole = encodeRegister(VOTE, DEVICE, VOTED);
  for (let at = 0; at < whole.length; at++) {
    const changed = Uint8Array.from(whole);
    changed[at]! ^= 1;
    assert.equal(decodeRegister(VOTE, DEVICE, changed).kind, 'damaged', `byte ${at}`);
    assert.equal(decodeRegister(VOTE, DEVICE, whole.subarray(0, at)).kind, 'damaged', `length ${at}`);
  }
});

test('what is of another device, of another kind or of a later version is not touched', () => {
  const whole = encodeRegister(VOTE, DEVICE, VOTED);
  assert.equal(decodeRegister(VOTE, 'e'.repeat(32), whole).kind, 'foreign');
  assert.equal(decodeRegister(CLAIM, DEVICE, whole).kind, 'foreign');
  const later = new Uint8Array(whole.length + 40);
  later.set(whole);
  const view = new DataView(later.buffer);
  view.setUint16(4, 2);
  view.setUint32(later.length - 4, crc32c(later.subarray(0, later.length - 4), 0));
  assert.equal(decodeRegister(VOTE, DEVICE, later).kind, 'foreign');
});
