/** Goal: every message about a configuration comes back as it was sent. Method: properties, with text for a handover. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode, encode, inOnePiece } from '../base/testing/wire.ts';
import type { MessageCodec } from '../base/wire.ts';
import { HISTORY_MAX } from './history.ts';
import type { Control } from './messages.ts';
import { reportWith } from './testing/report.ts';
import { beat, beatAnswer, control } from './testing/arbitrary-messages.ts';
import { beatCodec, createControlCodec } from './wire.ts';

const texts: MessageCodec<string> = { put: (to, text) => to.text(text), get: (from) => from.text() };
const controlCodec = createControlCodec(texts);

const ID = 'a'.repeat(32);

test('a heartbeat and its answer come back as they were sent', () => {
  fc.assert(
    fc.property(fc.oneof(beat, beatAnswer), (message) => {
      const decoded = decode(beatCodec, encode(beatCodec, message));
      assert.deepEqual(inOnePiece(decoded), { ok: true, value: inOnePiece(message) });
    }),
  );
});

test('what a configuration is agreed on with comes back as it was sent', () => {
  fc.assert(
    fc.property(control(fc.string({ unit: 'grapheme' })), (message) => {
      const decoded = decode(controlCodec, encode(controlCodec, message));
      assert.deepEqual(inOnePiece(decoded), { ok: true, value: inOnePiece(message) });
    }),
  );
});

test('what cannot be is refused', () => {
  const epoch = (term: number) => ({ term, id: ID, members: [1], wroteData: false });
  const promise: Control<string> = {
    kind: 'promise',
    term: 9,
    report: reportWith<string>(
      { term: 8, id: ID, members: [1, 2], learners: [] },
      { promised: 9, history: [epoch(7), epoch(8)], leases: [[2, 100]], hearsSync: [2] },
    ),
  };
  const HISTORY = 12 + 84;
  const faultWith = (place: number, ...bytes: number[]): string | undefined => {
    const encoded = encode(controlCodec, promise);
    encoded.bytes.set(bytes, place);
    const decoded = decode(controlCodec, encoded);
    return decoded.ok ? undefined : decoded.fault.kind;
  };
  assert.equal(faultWith(0, 1), undefined);
  assert.equal(faultWith(0, 6), 'unknownKind');
  // More epochs, leases and nodes than there can be; more than there are.
  assert.equal(faultWith(13, HISTORY_MAX + 1), 'outOfRange');
  assert.equal(faultWith(13, HISTORY_MAX), 'wrongLength');
  assert.equal(faultWith(14, 6), 'outOfRange');
  assert.equal(faultWith(24 + 24, 0, 5), 'outOfRange');
  assert.equal(faultWith(HISTORY + 25, 5), 'outOfRange');
  // Terms that do not rise, an epoch without id, a lease that was over before it began.
  assert.equal(faultWith(HISTORY + 7, 8), 'outOfRange');
  assert.equal(faultWith(HISTORY + 8, ...Array.from({ length: 16 }, () => 0)), 'outOfRange');
  assert.equal(faultWith(HISTORY + 2 * 28 + 2, 0xc0), 'outOfRange');
});

test('without a handover the longest one fits into a packet', () => {
  const epochs = Array.from({ length: HISTORY_MAX }, (_, at) => {
    return { term: at, id: ID, members: [1, 2, 3, 4], wroteData: true };
  });
  const { bytes } = encode(controlCodec, {
    kind: 'promise',
    term: 1,
    report: {
      promised: 1,
      accepted: { term: 1, id: ID, members: [1, 2, 3, 4], learners: [] },
      bound: [1, 2, 3, 4],
      isFresh: true,
      wasStopped: true,
      wasWrittenOut: true,
      isBlank: true,
      isOut: true,
      isDiverged: true,
      hasKept: true,
      hasFailed: true,
      history: epochs,
      leases: [1, 2, 3, 4, 5].map((node) => [node, 1] as const),
      hearsSync: [1, 2, 3, 4],
      handover: undefined,
    },
  });
  assert.equal(bytes.length, 1234);
});
