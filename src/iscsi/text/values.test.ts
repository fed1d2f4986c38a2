// RFC 7143 §6.1: numbers, lists and binary values; binary ones compared with Buffer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBinary, encodeHex, parseList, parseNumber } from './values.ts';

const NUMBERS: readonly (readonly [string, number | undefined])[] = [
  ['0', 0],
  ['512', 512],
  ['0x200', 512],
  ['0X1ff', 511],
  ['16777215', 16_777_215],
  ['', undefined],
  ['-1', undefined],
  ['+1', undefined],
  ['01', undefined],
  [' 1', undefined],
  ['1 ', undefined],
  ['1e3', undefined],
  ['1.5', undefined],
  ['0x', undefined],
  ['0b1', undefined],
  ['12a', undefined],
  ['99999999999999999999', undefined],
  ['9999999999999999', undefined],
];

for (const [text, number] of NUMBERS) {
  test(`the number '${text}' is ${number ?? 'none'}`, () => assert.equal(parseNumber(text), number));
}

test('a list has no empty items and an end', () => {
  assert.deepEqual(parseList('CRC32C,None'), ['CRC32C', 'None']);
  for (const text of ['', ',', 'None,', ',None', 'a,,b', Array(65).fill('a').join()]) {
    assert.equal(parseList(text), undefined, text);
  }
});

test('binary values in hexadecimal and base64 are what Buffer makes of them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 1024 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      assert.equal(encodeHex(bytes), `0x${buffer.toString('hex')}`);
      assert.deepEqual(decodeBinary(`0x${buffer.toString('hex')}`), bytes);
      assert.deepEqual(decodeBinary(`0X${buffer.toString('hex').toUpperCase()}`), bytes);
      assert.deepEqual(decodeBinary(`0b${buffer.toString('base64')}`), bytes);
    }),
  );
  assert.deepEqual(decodeBinary('0x123'), Uint8Array.of(0x01, 0x23));
});

for (const text of [
  '',
  '0',
  '0x',
  '0b',
  '12',
  '0xg0',
  '0bA',
  '0bAA',
  '0bAAA',
  '0bAB==',
  '0bA===',
  '0b====',
  '0bA=AA',
  '0b_-AA',
]) {
  test(`'${text}' is no binary value`, () => assert.equal(decodeBinary(text), undefined));
}
