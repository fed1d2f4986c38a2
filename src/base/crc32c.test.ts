import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c as native } from '@node-rs/crc32';
import fc from 'fast-check';
import { crc32c } from './crc32c.ts';

test('the examples of RFC 3720 B.4 and RFC 7143 come out', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);
  assert.equal(crc32c(new Uint8Array(32), 0), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff), 0), 0x62a8ab43);
  assert.equal(crc32c(ascending, 0), 0x46dd794e);
  assert.equal(crc32c(ascending.toReversed(), 0), 0x113fdb5c);
});

test('any bytes cut anywhere give what the native library gives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      const expected = native(Buffer.from(bytes)) >>> 0;
      assert.equal(crc32c(bytes, 0), expected);
      assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut), 0)), expected);
    }),
  );
});
