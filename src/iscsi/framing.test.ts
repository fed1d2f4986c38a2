/** Framing: whatever way the bytes are cut, the same PDUs come out, and nothing stays retained. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../base/crc32c.ts';
import type { ReceivedBytes } from '../ports/byte-stream.ts';
import { Framing, type Pdu } from './framing.ts';
import { joinSegments } from './segments.ts';
import { type Digests, rawPdu } from './testing/raw-pdu.ts';

interface Seen {
  readonly header: number[];
  readonly data: number[];
  readonly correct: boolean;
}

function collector(digests: Digests, keeps = false) {
  const seen: Seen[] = [];
  const kept: { sources: readonly ReceivedBytes[]; segments: readonly Uint8Array[]; at: number }[] = [];
  const framing = new Framing(
    {
      dataLengthMax: () => 1 << 20,
      onPdu: (pdu: Pdu) => {
        seen.push({
          header: [...pdu.bytes.subarray(pdu.at, pdu.at + 48 + pdu.ahsLength)],
          data: [...joinSegments(pdu.segments)],
          correct: pdu.dataDigestCorrect,
        });
        if (keeps && pdu.dataLength > 0) kept.push({ ...pdu.takeData(), at: seen.length - 1 });
        return true;
      },
    },
    crc32c,
  );
  framing.headerDigest = digests.header;
  framing.dataDigest = digests.data;
  let held = 0;
  const push = (bytes: Uint8Array) => {
    const buffer = bytes.slice();
    let ownHeld = 0;
    let reading = true;
    const fault = framing.push({
      buffer,
      view: new DataView(buffer.buffer),
      start: 0,
      end: buffer.length,
      retain: () => {
        held++;
        ownHeld++;
      },
      release: () => {
        held--;
        ownHeld--;
        if (ownHeld === 0 && !reading) buffer.fill(0xee);
      },
    });
    reading = false;
    if (ownHeld === 0) buffer.fill(0xee);
    return fault;
  };
  return { seen, kept, push, framing, heldOf: () => held };
}

const PDUS = [
  { word0: 0x01810000, words: { 16: 1, 24: 5 } },
  { word0: 0x01a10000, words: { 16: 2 }, data: Uint8Array.of(1, 2, 3, 4, 5) },
  { word0: 0x01810000, words: { 16: 3 }, ahs: Uint8Array.of(0, 5, 1, 0, 9, 9, 9, 9) },
  { word0: 0x05800000, words: { 16: 4 }, ahs: Uint8Array.of(0, 1, 2, 0), data: new Uint8Array(64).fill(7) },
  { word0: 0x40800000, words: { 16: 5 }, data: Uint8Array.of(8) },
];

const ALL_DIGESTS = [
  { header: false, data: false },
  { header: true, data: false },
  { header: false, data: true },
  { header: true, data: true },
];

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return joinSegments(parts);
}

for (const digests of ALL_DIGESTS) {
  const names = `header digest ${digests.header ? 'on' : 'off'}, data digest ${digests.data ? 'on' : 'off'}`;
  const stream = concat(PDUS.map((pdu) => rawPdu(pdu, digests)));
  const whole = collector(digests);
  whole.push(stream);

  test(`a stream cut in two at any byte gives the same PDUs (${names})`, () => {
    assert.equal(whole.seen.length, PDUS.length);
    assert.ok(whole.seen.every(({ correct }) => correct));
    for (let cut = 0; cut <= stream.length; cut++) {
      const cutInTwo = collector(digests);
      assert.equal(cutInTwo.push(stream.subarray(0, cut)), undefined);
      assert.equal(cutInTwo.push(stream.subarray(cut)), undefined);
      assert.deepEqual(cutInTwo.seen, whole.seen);
      assert.equal(cutInTwo.heldOf(), 0);
    }
  });

  test(`a stream that comes byte by byte gives the same PDUs (${names})`, () => {
    const single = collector(digests);
    for (let at = 0; at < stream.length; at++) single.push(stream.subarray(at, at + 1));
    assert.deepEqual(single.seen, whole.seen);
    assert.equal(single.heldOf(), 0);
  });
}

test('data that is kept stays as it came until it is released', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(120), { maxLength: 12 }), (cuts) => {
      const stream = concat(PDUS.map((pdu) => rawPdu(pdu)));
      const keeping = collector({ header: false, data: false }, true);
      let at = 0;
      for (const length of cuts) {
        keeping.push(stream.subarray(at, at + length));
        at = Math.min(at + length, stream.length);
      }
      keeping.push(stream.subarray(at));
      for (const { segments, sources, at: index } of keeping.kept) {
        assert.deepEqual([...joinSegments(segments)], keeping.seen[index]!.data);
        for (const source of sources) source.release();
      }
      assert.equal(keeping.heldOf(), 0);
    }),
  );
});

test('a changed bit in the header or its digest is a header digest fault', () => {
  const digests = { header: true, data: false };
  const pdu = rawPdu(PDUS[2]!, digests);
  for (let bit = 0; bit < pdu.length * 8; bit += 5) {
    const at = bit >> 3;
    // The AHS length decides where the digest stands: more bytes are awaited instead.
    if (at === 4) continue;
    const changed = pdu.slice();
    changed[at]! ^= 1 << (bit & 7);
    assert.equal(collector(digests).push(changed), 'headerDigest');
  }
});

test('a changed bit in the data, its padding or its digest is told with the PDU', () => {
  const digests = { header: false, data: true };
  const pdu = rawPdu(PDUS[1]!, digests);
  for (let at = 48; at < pdu.length; at++) {
    const changed = pdu.slice();
    changed[at]! ^= 0x10;
    const one = collector(digests);
    assert.equal(one.push(changed), undefined);
    assert.equal(one.seen[0]!.correct, false);
    assert.equal(one.heldOf(), 0);
  }
});

test('a data segment beyond the limit is a fault before any of it is kept', () => {
  const one = collector({ header: false, data: false });
  const pdu = rawPdu(PDUS[1]!);
  pdu[5] = 0x80;
  assert.equal(one.push(pdu), 'dataTooLong');
  assert.equal(one.heldOf(), 0);
});

test('closing gives back what an unfinished PDU holds', () => {
  const one = collector({ header: false, data: false });
  one.push(rawPdu(PDUS[3]!).subarray(0, 80));
  assert.equal(one.heldOf(), 1);
  one.framing.close();
  assert.equal(one.heldOf(), 0);
});

test('data that comes byte by byte into one receive buffer is one piece, retained once', () => {
  const { kept, framing } = collector({ header: false, data: true }, true);
  const data = Uint8Array.from({ length: 301 }, (_, index) => index & 0xff);
  const whole = rawPdu({ word0: 0x05800000, words: { 16: 4 }, data }, { header: false, data: true });
  const buffer = new Uint8Array(whole.length);
  let held = 0;
  const slab = {
    buffer,
    view: new DataView(buffer.buffer),
    start: 0,
    end: 0,
    retain: () => void held++,
    release: () => void held--,
  };
  for (const byte of whole) {
    buffer[slab.end] = byte;
    slab.start = slab.end;
    slab.end += 1;
    assert.equal(framing.push(slab), undefined);
  }
  assert.deepEqual([kept[0]!.segments.length, kept[0]!.sources.length, held], [1, 1, 1]);
  assert.deepEqual(joinSegments(kept[0]!.segments), data);
});
