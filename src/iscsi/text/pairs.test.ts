// RFC 7143 §6.1: the form of text, its limits, and that whatever arrives is either pairs or a named fault.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeUtf8 } from '../../base/text.ts';
import { encodeText, KEYS_MAX, parseText, type TextFault, type TextPair, TEXT_LENGTH_MAX } from './pairs.ts';

const MANY = Array.from({ length: KEYS_MAX + 1 }, (_, i) => `X-${i}=1\0`).join('');

const GOOD: readonly (readonly [string, string, readonly TextPair[]])[] = [
  ['no text', '', []],
  ['two pairs', 'A=1\0B=2\0', [pair('A', '1'), pair('B', '2')]],
  ['an empty value', 'SendTargets=\0', [pair('SendTargets', '')]],
  ['an equal sign within a value', 'CHAP_R=0bAA==\0', [pair('CHAP_R', '0bAA==')]],
  ['pad bytes counted as text', 'A=1\0\0\0\0', [pair('A', '1')]],
  ['UTF-8 in a value', 'InitiatorAlias=Büro\0', [pair('InitiatorAlias', 'Büro')]],
  ['keys that differ in case', 'a=1\0A=2\0', [pair('a', '1'), pair('A', '2')]],
  ['a key of 63 bytes', `${'k'.repeat(63)}=1\0`, [pair('k'.repeat(63), '1')]],
  ['a value of 255 bytes', `A=${'v'.repeat(255)}\0`, [pair('A', 'v'.repeat(255))]],
  ['1024 binary bytes', `CHAP_C=0x${'00'.repeat(1024)}\0`, [pair('CHAP_C', `0x${'00'.repeat(1024)}`)]],
];

const BAD: readonly (readonly [string, string, TextFault])[] = [
  ['the NUL is missing', 'A=1', 'notTerminated'],
  ['no equal sign', 'A\0', 'noEqualSign'],
  ['no key', '=1\0', 'badKeyName'],
  ['a key of 64 bytes', `${'k'.repeat(64)}=1\0`, 'badKeyName'],
  ['a key that begins with a digit', '1A=1\0', 'badKeyName'],
  ['a space in a key', 'A B=1\0', 'badKeyName'],
  ['a value of 256 bytes', `A=${'v'.repeat(256)}\0`, 'valueTooLong'],
  ['a binary value of 1025 bytes', `CHAP_C=0x${'00'.repeat(1025)}\0`, 'valueTooLong'],
  ['a key twice', 'A=1\0B=1\0A=1\0', 'duplicateKey'],
  ['more keys than anybody needs', MANY, 'tooManyKeys'],
  ['more text than anybody needs', '\0'.repeat(TEXT_LENGTH_MAX + 1), 'textTooLong'],
];

for (const [title, text, pairs] of GOOD) {
  test(`text with ${title} is parsed`, () => {
    assert.deepEqual(parseText(encodeUtf8(text)), { ok: true, value: pairs });
  });
}
for (const [title, text, fault] of BAD) {
  test(`malformed text: ${title}`, () => {
    assert.deepEqual(parseText(encodeUtf8(text)), { ok: false, fault });
  });
}

test('malformed UTF-8 in a value is a fault', () => {
  assert.deepEqual(parseText(Uint8Array.of(0x41, 0x3d, 0xff, 0)), { ok: false, fault: 'malformedUtf8' });
});

test('any bytes give pairs or a fault, and pairs survive encoding', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.constantFrom('A', 'b', '=', '\0')).map((parts) => encodeUtf8(parts.join(''))),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      const parsed = parseText(given);
      if (parsed.ok) assert.deepEqual(parseText(encodeText(parsed.value)), parsed);
    }),
  );
});

function pair(key: string, value: string): TextPair {
  return { key, value };
}
