/**
 * Goal: two nodes understand each other, and nothing that either sends can harm the other. Method: properties over every
 * kind of frame; frames in which anything was changed, with checksums made right again, so that decoders see it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../base/crc32c.ts';
import { copyTo, lengthOf } from '../../base/segments.ts';
import { CHECKSUM_LENGTH, HEADER_LENGTH } from './frame.ts';
import { comparable, datagram, dirtyMap, frame } from './testing/arbitrary-frames.ts';
import { decodeMap, encodeMap, mapLengthMax } from './map-wire.ts';
import { MirrorWire } from './wire.ts';

/** Three spans and a bit of the last. */
const SIZE = { blockLength: 512, blockCount: 3 * 131_072 + 700 } as const;
const DEVICE = 'd'.repeat(32);
const sender = { node: 3, device: DEVICE };
const wire = new MirrorWire({ sender, device: { geometry: SIZE }, crc32c });

/** At some offset of a larger buffer. */
function viewOf(segments: readonly Uint8Array[]): {
  view: DataView;
  bytes: Uint8Array;
  at: number;
  end: number;
} {
  const at = 5;
  const bytes = new Uint8Array(at + lengthOf(segments) + 9);
  copyTo(segments, bytes, at);
  return { view: new DataView(bytes.buffer), bytes, at, end: bytes.length - 9 };
}

const decodeFrame = (segments: readonly Uint8Array[]) => {
  const { view, at, end } = viewOf(segments);
  return wire.decodeFrame(view, at, end);
};

/** Both checksums as if the sender had sent this. */
function seal(bytes: Uint8Array): void {
  if (bytes.length < HEADER_LENGTH + CHECKSUM_LENGTH) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = HEADER_LENGTH + view.getUint32(8);
  if (end + CHECKSUM_LENGTH > bytes.length) return;
  const data = bytes.subarray(end + CHECKSUM_LENGTH);
  view.setUint32(12, data.length);
  view.setUint32(16, crc32c(data, 0));
  view.setUint32(end, crc32c(bytes.subarray(0, end), 0));
}

const hello = { kind: 'hello', incarnation: 7, to: 0, received: 0 } as const;

/** A hello as another version would send it. */
function helloOf(lowest: number, highest: number, more = 0): Uint8Array {
  const [sent] = wire.encodeFrame(hello);
  const end = sent!.length - CHECKSUM_LENGTH;
  const bytes = new Uint8Array([...sent!.subarray(0, end), ...new Uint8Array(more + CHECKSUM_LENGTH)]);
  const view = new DataView(bytes.buffer);
  bytes.set([highest, highest], 4);
  bytes.set([lowest, highest], HEADER_LENGTH);
  view.setUint32(8, end - HEADER_LENGTH + more);
  seal(bytes);
  return bytes;
}

/** Fields as FORMATS.md lists them: the name of a number says how many bytes it has. */
function layout(
  ...fields: (string | { u8: number } | { u16: number } | { u32: number } | { u64: number })[]
) {
  const hex = fields.map((field) => {
    if (typeof field === 'string') return field;
    const [[name, value]] = Object.entries(field) as [[string, number]];
    return value.toString(16).padStart(Number(name.slice(1)) / 4, '0');
  });
  return Uint8Array.from(hex.join('').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** A frame around these fields, and this data. */
function framed(kind: number, fields: Uint8Array, data: Uint8Array): Uint8Array {
  const header = layout('4c534e4e', { u8: 1 }, { u8: 1 }, { u8: kind }, '00', { u32: fields.length });
  const sums = layout({ u32: data.length }, { u32: data.length > 0 ? crc32c(data, 0) : 0 });
  const head = Uint8Array.of(...header, ...sums, ...fields);
  return Uint8Array.of(...head, ...layout({ u32: crc32c(head, 0) }), ...data);
}

test('bytes lie where the documents say', () => {
  const nothing = new Uint8Array(0);
  const speaker = [{ u16: 3 }, DEVICE] as const;
  const greeting = layout({ u8: 1 }, { u8: 1 }, ...speaker, { u64: 7 }, { u64: 0 }, { u64: 9 });
  assert.deepEqual(wire.encodeFrame({ ...hello, received: 9 }), [framed(0, greeting, nothing)]);
  const data = new Uint8Array(1024).fill(5);
  const write = { kind: 'write', lba: 4, blocks: 2, data: [data] } as const;
  const message = { kind: 'mutate', stamp: 17, operation: write, term: 2, lamport: 3 } as const;
  const numbers = layout({ u64: 6 }, { u64: 5 });
  const start = layout({ u8: 0 }, { u8: 0 }, '0000', { u64: 2 }, { u64: 3 }, { u64: 17 });
  const operation = layout({ u8: 0 }, { u8: 0 }, '0000', { u32: 1024 }, { u64: 4 }, { u64: 2 });
  const mutate = Uint8Array.of(...numbers, ...start, ...operation);
  const sent = wire.encodeFrame({
    kind: 'data',
    sequence: 6,
    received: 5,
    message: { kind: 'replica', message },
  });
  assert.deepEqual(Uint8Array.of(...sent[0]!, ...sent[1]!), framed(5, mutate, data));
  assert.equal(sent[1], data);
  const answer = layout('0000', ...speaker, { u8: 1 }, '000000', { u64: 8 }, '3ff8000000000000', { u64: 2 });
  assert.deepEqual(
    wire.encodeDatagram({ kind: 'beatAnswer', incarnation: 8, sentAt: 1.5, term: 2 }),
    framed(7, answer, nothing),
  );
});

test('every frame comes back as it was sent, and says how long it is', () => {
  fc.assert(
    fc.property(frame(SIZE), (sent) => {
      const { view, at, end } = viewOf(wire.encodeFrame(sent));
      assert.deepEqual(wire.lengthAt(view, at), { ok: true, value: end - at });
      const decoded = wire.decodeFrame(view, at, end);
      const expected = sent.kind === 'hello' ? { ...sent, version: 1, highest: 1, sender } : sent;
      assert.deepEqual(comparable(decoded), { ok: true, value: comparable(expected) });
    }),
    { numRuns: 500 },
  );
});

test('every datagram comes back as it was sent', () => {
  fc.assert(
    fc.property(datagram, (sent) => {
      const { view, at, end } = viewOf([wire.encodeDatagram(sent)]);
      const decoded = wire.decodeDatagram(view, at, end);
      assert.deepEqual(comparable(decoded), {
        ok: true,
        value: comparable({ sender, highest: 1, message: sent }),
      });
    }),
    { numRuns: 500 },
  );
});

test('a frame is not what it was when any byte of it has changed', () => {
  fc.assert(
    fc.property(frame(SIZE), fc.nat(), fc.integer({ min: 1, max: 255 }), (sent, place, change) => {
      const { view, bytes, at, end } = viewOf(wire.encodeFrame(sent));
      bytes[at + (place % (end - at))]! ^= change;
      assert.equal(wire.decodeFrame(view, at, end).ok, false);
    }),
  );
});

test('whatever a node sends is a frame or a fault, and what is a frame can be sent again', () => {
  const edit = fc.record({
    place: fc.nat(),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      fc.constantFrom(
        Uint8Array.of(0xff, 0xff, 0xff, 0xff),
        Uint8Array.of(0, 0, 0, 0),
        Uint8Array.of(0x80, 0, 0, 1),
      ),
    ),
  });
  const cut = fc.integer({ min: -40, max: 40 });
  let frames = 0;
  fc.assert(
    fc.property(frame(SIZE), fc.array(edit, { maxLength: 4 }), cut, (sent, edits, longer) => {
      const [head, ...data] = wire.encodeFrame(sent);
      const length = lengthOf([head!, ...data]);
      const bytes = new Uint8Array(Math.max(0, length + (longer % 2 === 0 ? longer : 0)));
      bytes.set(viewOf([head!, ...data]).bytes.subarray(5, 5 + Math.min(length, bytes.length)));
      for (const { place, bytes: other } of edits) {
        // Mostly fields: data may be anything.
        const within = place % 4 === 0 ? bytes.length : head!.length;
        const at = Math.min(HEADER_LENGTH + (place % within), bytes.length - other.length);
        if (at >= 0) bytes.set(other, at);
      }
      seal(bytes);
      const decoded = decodeFrame([bytes]);
      // Another node's hello would come back as ours.
      if (!decoded.ok || decoded.value.kind === 'hello') return;
      frames += 1;
      const again = decodeFrame(wire.encodeFrame(decoded.value));
      assert.deepEqual(comparable(again), comparable(decoded));
    }),
    { numRuns: 3000 },
  );
  assert.ok(frames > 100, `only ${frames} were frames`);
});

test('random bytes are neither frames nor datagrams, however they begin', () => {
  const [beginning] = wire.encodeFrame(hello);
  fc.assert(
    fc.property(fc.uint8Array({ size: 'large' }), fc.nat(28), (bytes, whole) => {
      bytes.set(beginning!.subarray(0, Math.min(whole, bytes.length)));
      const { view, at, end } = viewOf([bytes]);
      assert.equal(wire.decodeFrame(view, at, end).ok, false);
      assert.equal(wire.decodeDatagram(view, at, end).ok, false);
      wire.lengthAt(view, at);
    }),
    { numRuns: 1000 },
  );
});

test('what a frame claims makes nothing before its bytes are there', () => {
  const mapBytes = Math.ceil(SIZE.blockCount / 128 / 8);
  // Five maps with their summaries, whatever the frame.
  const constant = 10 * mapBytes + 64 * 1024;
  fc.assert(
    fc.property(frame(SIZE), fc.nat(), (sent, place) => {
      const { view, bytes, at, end } = viewOf(wire.encodeFrame(sent));
      const fields = view.getUint32(at + 8);
      if (fields >= 4) view.setUint32(at + HEADER_LENGTH + (place % (fields - 3)), 0xffff_ffff);
      seal(bytes.subarray(at, end));
      const before = process.memoryUsage().arrayBuffers;
      wire.decodeFrame(view, at, end);
      const made = process.memoryUsage().arrayBuffers - before;
      assert.ok(made <= end - at + constant, `${made} bytes for a frame of ${end - at}`);
    }),
    { numRuns: 500 },
  );
});

test('a frame that claims more than its kind may have is refused by its header', () => {
  const claim = (sent: Parameters<MirrorWire['encodeFrame']>[0], fields: number, data: number) => {
    const { view, at } = viewOf(wire.encodeFrame(sent));
    view.setUint32(at + 8, fields);
    view.setUint32(at + 12, data);
    const length = wire.lengthAt(view, at);
    return length.ok ? length.value : length.fault.kind;
  };
  const replica = {
    kind: 'data',
    sequence: 1,
    received: 0,
    message: { kind: 'replica', message: { kind: 'clock', term: 1, lamport: 1 } },
  } as const;
  const control = {
    kind: 'data',
    sequence: 1,
    received: 0,
    message: { kind: 'control', message: { kind: 'accepted', term: 1 } },
  } as const;
  const MIB = 1024 * 1024;
  assert.equal(claim(replica, 65_536, 16 * MIB), HEADER_LENGTH + 65_536 + CHECKSUM_LENGTH + 16 * MIB);
  assert.equal(claim(replica, 65_537, 0), 'tooLong');
  assert.equal(claim(replica, 0, 16 * MIB + 1), 'tooLong');
  const data = 256 * MIB + 256 * 1024 + 5 * mapLengthMax({ geometry: SIZE });
  assert.equal(claim(control, MIB, data), HEADER_LENGTH + MIB + CHECKSUM_LENGTH + data);
  assert.equal(claim(control, MIB + 1, 0), 'tooLong');
  assert.equal(claim(control, 0, data + 1), 'tooLong');
  assert.equal(claim(hello, 257, 0), 'tooLong');
  assert.equal(claim(hello, 0, 1), 'tooLong');
});

test('a frame of a later version says what its sender speaks, and a hello is read in any', () => {
  const { view, at, end } = viewOf(wire.encodeFrame({ kind: 'ack', received: 1 }));
  view.setUint8(at + 4, 2);
  view.setUint8(at + 5, 3);
  const later = { ok: false, fault: { kind: 'otherVersion', version: 2, highest: 3 } };
  assert.deepEqual(wire.decodeFrame(view, at, end), later);
  assert.deepEqual(wire.lengthAt(view, at), later);
  const versionOf = (bytes: Uint8Array): unknown => {
    const decoded = decodeFrame([bytes]);
    if (!decoded.ok) return decoded.fault;
    return decoded.value.kind === 'hello' ? decoded.value.version : undefined;
  };
  assert.equal(versionOf(helloOf(1, 1)), 1);
  assert.equal(versionOf(helloOf(1, 2, 40)), 1);
  assert.deepEqual(versionOf(helloOf(2, 3)), { kind: 'noCommonVersion', lowest: 2, highest: 3 });
  assert.deepEqual(versionOf(helloOf(0, 0)), { kind: 'noCommonVersion', lowest: 0, highest: 0 });
});

test('what is no frame is said to be none', () => {
  const { view, at, end } = viewOf(wire.encodeFrame({ kind: 'ack', received: 1 }));
  const fault = (length: number) => {
    const decoded = wire.decodeFrame(view, at, at + length);
    return decoded.ok ? 'none' : decoded.fault.kind;
  };
  assert.equal(fault(end - at), 'none');
  assert.equal(fault(end - at - 1), 'wrongLength');
  assert.equal(wire.lengthAt(view, view.byteLength - HEADER_LENGTH + 1).ok, false);
  view.setUint8(at + 6, 99);
  assert.equal(fault(end - at), 'unknownKind');
  view.setUint8(at, 0);
  assert.equal(fault(end - at), 'notAFrame');
  // A beat on a connection, an acknowledgement as a datagram.
  const answer = { kind: 'beatAnswer', incarnation: 1, sentAt: 1, term: 1 } as const;
  assert.equal(decodeFrame([wire.encodeDatagram(answer)]).ok, false);
  const ack = viewOf(wire.encodeFrame({ kind: 'ack', received: 1 }));
  assert.equal(wire.decodeDatagram(ack.view, ack.at, ack.end).ok, false);
});

test('a dirty map comes back as it was, and is never much longer than its bits', () => {
  fc.assert(
    fc.property(dirtyMap(SIZE), (map) => {
      const bytes = encodeMap(map);
      assert.ok(bytes.length <= mapLengthMax({ geometry: SIZE }));
      assert.deepEqual(comparable(decodeMap(bytes, { geometry: SIZE })), comparable(map));
    }),
  );
});

test('runs beyond the device, out of order, empty or cut off are no map', () => {
  const decode = (...words: number[]) => {
    const bytes = new Uint8Array(4 * words.length);
    const view = new DataView(bytes.buffer);
    for (const [at, word] of words.entries()) view.setUint32(4 * at, word);
    return decodeMap(bytes, { geometry: SIZE });
  };
  const full = (spans: number) => (0x8000_0000 | spans) >>> 0;
  assert.equal(decode()?.count, 0);
  assert.equal(decode(0, full(4))?.count, Math.ceil(SIZE.blockCount / 128));
  assert.equal(decode(0, full(5)), undefined);
  assert.equal(decode(1, full(0)), undefined);
  assert.equal(decode(1, full(1), 0, full(1)), undefined);
  assert.equal(decode(0xffff_ffff, 0xffff_ffff), undefined);
  assert.equal(decode(0, 1, ...Array.from({ length: 31 }, () => 1)), undefined);
  assert.equal(decode(0, 1, ...Array.from({ length: 32 }, () => 1))?.count, 32);
  assert.equal(decode(0), undefined);
});
