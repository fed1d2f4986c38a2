// Routing by the first Login Request: whole texts, texts cut anywhere, and nonsense.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TARGET } from '../../../test/support/login.ts';
import { encodeUtf8 } from '../../base/text.ts';
import { peekLogin } from './peek.ts';

const TEXT = encodeUtf8(
  `InitiatorName=iqn.2004-01.com.example:host\0TargetName=${TARGET.replace('disk', 'DISK')}\0SessionType=Normal\0`,
);

test('the target name is found, normalized, as soon as its pair is whole', () => {
  const end = TEXT.lastIndexOf(0, TEXT.length - 2);
  for (let cut = 0; cut <= TEXT.length; cut++) {
    const peek = peekLogin(TEXT.subarray(0, cut));
    assert.deepEqual(peek, { sessionType: 'normal', targetName: cut > end ? TARGET : undefined }, `${cut}`);
  }
});

test('a discovery login is told from a normal one', () => {
  assert.equal(peekLogin(encodeUtf8('SessionType=Discovery\0')).sessionType, 'discovery');
});

test('nonsense names no target', () => {
  for (const text of ['', 'x', 'x\0', 'TargetName=disk\0', 'TargetName=a\0TargetName=b\0']) {
    assert.equal(peekLogin(encodeUtf8(text)).targetName, undefined, text);
  }
});
