/** Goal: documents come back as they were, and what is no row of them is none. Method: random rows; cuts and wrong fields. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DOCUMENTS } from '../../replication/operation.ts';
import { decodeDocuments, encodeDocuments } from './documents.ts';

const documents = fc.array(
  fc.record({
    name: fc.constantFrom(...DOCUMENTS),
    revision: fc.nat(Number.MAX_SAFE_INTEGER),
    bytes: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 4 },
);

test('documents come back as they were, also from the middle of other bytes', () => {
  fc.assert(
    fc.property(documents, fc.nat(9), (drawn, before) => {
      const row = structuredClone(drawn);
      const bytes = encodeDocuments(row);
      const around = new Uint8Array(before + bytes.length + 5).fill(0xff);
      around.set(bytes, before);
      const found = decodeDocuments(around.subarray(before, before + bytes.length));
      assert.deepEqual(found, row);
      around.fill(0);
      assert.deepEqual(found, row, 'and are copies');
    }),
  );
});

test('the layout is the one of docs/FORMATS.md', () => {
  const bytes = encodeDocuments([
    { name: 'settings', revision: 0x1_0000_0203, bytes: new Uint8Array([7, 8]) },
  ]);
  assert.deepEqual([...bytes], [1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 2, 3, 7, 8]);
});

test('a row that ends too early is no row, wherever it ends', () => {
  const bytes = encodeDocuments([
    { name: 'reservations', revision: 5, bytes: new Uint8Array(9).fill(1) },
    { name: 'settings', revision: 6, bytes: new Uint8Array(3).fill(2) },
  ]);
  const whole = new Set([0, 16 + 9, bytes.length]);
  for (let length = 0; length <= bytes.length; length++)
    assert.equal(
      decodeDocuments(bytes.subarray(0, length)) !== undefined,
      whole.has(length),
      `${length} bytes`,
    );
});

test('unknown names and impossible revisions are no documents', () => {
  const good = (): Uint8Array =>
    encodeDocuments([{ name: 'settings', revision: 5, bytes: new Uint8Array(0) }]);
  assert.ok(decodeDocuments(good()) !== undefined);
  const unknown = good();
  unknown[0] = DOCUMENTS.length;
  assert.equal(decodeDocuments(unknown), undefined);
  const huge = good();
  huge.fill(0xff, 8, 16);
  assert.equal(decodeDocuments(huge), undefined);
});
