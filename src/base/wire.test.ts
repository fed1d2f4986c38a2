/**
 * Goal: fields come back as they were put, and a reader survives anything. Method: a script of fields is written and read
 * again, whole and cut off.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type MessagePlace, WireReader, WireWriter } from './wire.ts';

type Field =
  | { readonly kind: 'byte' | 'uint16' | 'uint32' | 'count' | 'number'; readonly value: number }
  | { readonly kind: 'text'; readonly value: string | undefined };

const NAMES = ['a', 'b', 'c'] as const;

const unsigned = (kind: 'byte' | 'uint16' | 'uint32' | 'count', max: number): fc.Arbitrary<Field> =>
  fc.record({ kind: fc.constant(kind), value: fc.nat(max) });
const field: fc.Arbitrary<Field> = fc.oneof(
  unsigned('byte', 0xff),
  unsigned('uint16', 0xffff),
  fc.record({ kind: fc.constant('uint32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ kind: fc.constant('count' as const), value: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('number' as const),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  }),
  fc.record({
    kind: fc.constant('text' as const),
    value: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
  }),
);

function put(to: WireWriter, { kind, value }: Field): void {
  if (kind === 'text') to.text(value);
  else to[kind](value);
}

/** What was written, at some offset of a larger buffer. */
function readerOf(to: WireWriter, cut = 0): WireReader {
  const { head, data } = to.take();
  const fieldsEnd = Math.max(3, head.length - cut);
  const bytes = new Uint8Array([...head.subarray(0, fieldsEnd), ...data.flatMap((part) => [...part])]);
  const from = new WireReader();
  from.begin(new DataView(bytes.buffer), { fields: 3, fieldsEnd, data: fieldsEnd, end: bytes.length });
  return from;
}

test('fields come back as they were put', () => {
  const to = new WireWriter(3, 0);
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      for (const one of fields) put(to, one);
      const from = readerOf(to);
      for (const { kind, value } of fields) assert.equal(from[kind](), value);
      assert.equal(from.finish(), undefined);
    }),
  );
});

test('a message that is cut off has a wrong length, and reads as zeros from there', () => {
  const to = new WireWriter(3, 0);
  fc.assert(
    fc.property(fc.array(field, { minLength: 1 }), fc.integer({ min: 1, max: 40 }), (fields, cut) => {
      for (const one of fields) put(to, one);
      const from = readerOf(to, Math.min(cut, to.fieldsLength));
      for (const { kind } of fields) from[kind]();
      assert.deepEqual(from.finish(), { ok: false, fault: { kind: 'wrongLength' } });
      assert.deepEqual([from.count(), from.byte(), from.oneOf(NAMES), from.text()], [0, 0, 'a', undefined]);
      assert.deepEqual([from.rows(1, { length: 0, max: 1 }), from.data(0).length], [0, 0]);
    }),
  );
});

test('what goes on behind its fields or its data has a wrong length', () => {
  const to = new WireWriter(3, 0);
  to.byte(1);
  assert.equal(readerOf(to).finish()?.fault.kind, 'wrongLength');
  to.data([new Uint8Array(1)]);
  assert.equal(readerOf(to).finish()?.fault.kind, 'wrongLength');
});

test('data is as long as the fields say, is not copied, and comes in order', () => {
  const to = new WireWriter(3, 0);
  const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
  to.data(parts);
  assert.equal(to.dataLength, 3);
  const { data } = to.take();
  assert.deepEqual(data, [parts[0], parts[2]]);
  assert.equal(data[0], parts[0]);
  to.data(parts);
  const from = readerOf(to);
  assert.deepEqual([...from.data(1)], [1]);
  assert.deepEqual([...from.data(2)], [2, 3]);
  assert.equal(from.finish(), undefined);
});

test('rows are none when they are too many or not there', () => {
  const reader = (length: number): WireReader => {
    const from = new WireReader();
    const place: MessagePlace = { fields: 0, fieldsEnd: length, data: length, end: length };
    from.begin(new DataView(new ArrayBuffer(length)), place);
    return from;
  };
  assert.equal(reader(8).rows(2, { length: 4, max: 2 }), 2);
  const long = reader(8);
  assert.equal(long.rows(3, { length: 4, max: 9 }), 0);
  assert.equal(long.fault?.fault.kind, 'wrongLength');
  const many = reader(8);
  assert.equal(many.rows(0xffff_ffff, { length: 4, max: 9 }), 0);
  assert.equal(many.fault?.fault.kind, 'outOfRange');
});

test('what cannot be is a fault: numbers beyond a count, endless ones, unknown names, text that is none', () => {
  const faultOf = (bytes: readonly number[], read: (from: WireReader) => unknown): string | undefined => {
    const from = new WireReader();
    const view = new DataView(Uint8Array.from(bytes).buffer);
    const { length } = bytes;
    from.begin(view, { fields: 0, fieldsEnd: length, data: length, end: length });
    read(from);
    return from.finish()?.fault.kind;
  };
  const eight = (first: number, second: number): number[] => [first, second, 0, 0, 0, 0, 0, 0];
  assert.equal(
    faultOf(eight(0, 0x20), (from) => from.count()),
    'outOfRange',
  );
  assert.equal(
    faultOf(eight(0x7f, 0xf0), (from) => from.number()),
    'outOfRange',
  );
  assert.equal(
    faultOf([3], (from) => from.oneOf(NAMES)),
    'unknownKind',
  );
  assert.equal(
    faultOf([0, 1, 0xff], (from) => from.text()),
    'malformedText',
  );
});
