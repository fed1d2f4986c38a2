/** Goal: whatever pieces bytes come in, the frames are the same. Method: frames of random lengths, cut at random places. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fail, ok } from '../../base/result.ts';
import { HEADER_LENGTH } from './frame.ts';
import { FrameCutter } from './frame-cutter.ts';

const LENGTH_MAX = 1000;

/** The first two bytes of a frame are its length. */
function cutter(onFrame: (bytes: Uint8Array, buffer: ArrayBufferLike) => boolean): FrameCutter {
  return new FrameCutter({
    lengthAt: (view, at) => {
      const length = view.getUint16(at);
      return length >= HEADER_LENGTH && length <= LENGTH_MAX ? ok(length) : fail({ kind: 'notAFrame' });
    },
    onFrame: (view, at, end) =>
      onFrame(new Uint8Array(view.buffer, view.byteOffset + at, end - at).slice(), view.buffer),
  });
}

function frameOf(length: number, seed: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, at) => seed + at);
  new DataView(bytes.buffer).setUint16(0, length);
  return bytes;
}

const lengths = fc.array(fc.integer({ min: HEADER_LENGTH + 4, max: LENGTH_MAX }), { minLength: 1 });

test('the same frames come out whatever the pieces are, and what is whole is not copied', () => {
  fc.assert(
    fc.property(lengths, fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1 }), (all, pieces) => {
      const frames = all.map(frameOf);
      const bytes = Uint8Array.from(frames.flatMap((frame) => [...frame]));
      const found: Uint8Array[] = [];
      let inPlace = 0;
      const cut = cutter((frame, buffer) => {
        found.push(frame);
        inPlace += Number(buffer === bytes.buffer);
        return true;
      });
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const next = at + pieces[turn % pieces.length]!;
        assert.equal(cut.push(bytes.subarray(at, next)), undefined);
        at = next;
      }
      assert.deepEqual(found, frames);
      if (pieces[0]! >= bytes.length) assert.equal(inPlace, frames.length);
    }),
  );
});

test('what is no frame is refused by its header, in one piece or in several', () => {
  const bytes = Uint8Array.of(...frameOf(50, 1), ...new Uint8Array(HEADER_LENGTH));
  for (const step of [bytes.length, 60, 7, 1]) {
    let frames = 0;
    const cut = cutter(() => ++frames > 0);
    const faults: unknown[] = [];
    for (let at = 0; at < bytes.length; at += step) faults.push(cut.push(bytes.subarray(at, at + step)));
    assert.deepEqual([frames, faults.at(-1)], [1, { kind: 'notAFrame' }]);
  }
});

test('after the end nothing more comes out', () => {
  for (const step of [100, 30]) {
    const bytes = Uint8Array.of(...frameOf(50, 1), ...frameOf(50, 2));
    let frames = 0;
    const cut = cutter(() => ++frames > 99);
    for (let at = 0; at < 60; at += step) cut.push(bytes.subarray(at, step === 100 ? 100 : at + step));
    assert.equal(frames, 1);
  }
});
