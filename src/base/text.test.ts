// UTF-8 by hand must be exactly the platform's: compared with TextEncoder and a fatal TextDecoder.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, encodeUtf8, utf8Length } from './text.ts';

test('any text is encoded as the platform encodes it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.deepEqual(encodeUtf8(text), new TextEncoder().encode(text));
      if (text.isWellFormed()) assert.equal(utf8Length(text), encodeUtf8(text).length);
    }),
  );
  assert.deepEqual(encodeUtf8('\ud800'), new TextEncoder().encode('\ud800'));
});

test('any bytes are decoded or refused as a strict decoder does', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc
      .tuple(
        fc.constantFrom(0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xf5),
        fc.uint8Array({ maxLength: 4, min: 0x80 }),
      )
      .map(([lead, rest]) => Uint8Array.of(lead, ...rest)),
    fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      let expected: string | undefined;
      try {
        expected = strict.decode(given);
      } catch {
        expected = undefined;
      }
      const decoded = decodeUtf8(given);
      assert.equal(decoded.ok ? decoded.value : undefined, expected);
    }),
    { numRuns: 2000 },
  );
});
