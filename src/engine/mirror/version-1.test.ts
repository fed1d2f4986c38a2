/**
 * Goal: what a node of version 1 sends is understood by every later program that speaks version 1, and what that sends is
 * understood by the node. Method: bytes that a program of version 1 sent, recorded with what they meant (test/golden/mirror):
 * they are decoded, compared, and encoded again to the same bytes.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32c } from '../../base/crc32c.ts';
import { decodePreamble, encodePreamble } from '../../base/partner-preamble.ts';
import { copyOf } from '../../base/segments.ts';
import { sizeDocument, sizeIn } from './size.ts';
import { comparable } from './testing/arbitrary-frames.ts';
import { MirrorWire } from './wire.ts';

const VERSION = 1;
const sender = { node: 3, device: 'd'.repeat(32) };
const geometry = { blockLength: 512, blockCount: 3 * 131_072 + 641 } as const;
const wire = new MirrorWire({ sender, device: { geometry }, crc32c });

interface Recorded {
  readonly name: string;
  readonly bytes: string;
  readonly means: unknown;
}

const file = new URL('../../../test/golden/mirror/version-1.jsonl', import.meta.url);
const recorded = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(comparable(value)));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('every message of version 1 still means what it meant, and is still sent the same', () => {
  for (const { name, bytes, means } of recorded) {
    const received = Uint8Array.from(Buffer.from(bytes, 'hex'));
    const view = new DataView(received.buffer);
    if (name.startsWith('datagram ')) {
      const decoded = wire.decodeDatagram(view, 0, received.length);
      assert.ok(decoded.ok, name);
      assert.deepEqual(plain(decoded.value), means, name);
      assert.equal(hex(wire.encodeDatagram(decoded.value.message, VERSION)), bytes, name);
    } else {
      assert.deepEqual(wire.lengthAt(view, 0), { ok: true, value: received.length });
      const decoded = wire.decodeFrame(view, 0, received.length);
      assert.ok(decoded.ok, name);
      assert.deepEqual(plain(decoded.value), means, name);
      assert.equal(hex(copyOf(wire.encodeFrame(decoded.value, VERSION))), bytes, name);
    }
  }
});

test('all kinds of messages were recorded', () => {
  const names = [...new Set(recorded.map(({ name }) => name))];
  const count = (start: string): number => names.filter((name) => name.startsWith(start)).length;
  // Mutations of four kinds, and nineteen others; six kinds of control messages, one of them with a size, on connections and
  // alone.
  assert.deepEqual(
    [count('replica mutate '), count('replica '), count('control '), count('datagram ')],
    [4, 23, 7, 8],
  );
  for (const name of ['hello', 'ack', 'probe', 'probed', 'forgotten']) assert.ok(names.includes(name));
});

test('a size within it is still that size, and is still written the same', () => {
  const { bytes } = recorded.find(({ name }) => name === 'control accept size')!;
  const received = Uint8Array.from(Buffer.from(bytes, 'hex'));
  const decoded = wire.decodeFrame(new DataView(received.buffer), 0, received.length);
  assert.ok(decoded.ok && decoded.value.kind === 'data' && decoded.value.message?.kind === 'control');
  const { message } = decoded.value.message;
  assert.ok(message.kind === 'accept');
  const found = message.proposal.handover!.documents.find(({ name }) => name === 'size')!;
  const blockCount = geometry.blockCount + 2 ** 21;
  assert.equal(sizeIn([found]), blockCount);
  assert.equal(hex(found.bytes), '01000000000000000000000000260281');
  assert.deepEqual(sizeDocument(blockCount, found.revision), found);
});

test('the preamble of version 1 stays what it is', () => {
  const preamble = { kind: 'heartbeat', device: sender.device, link: 7 } as const;
  const bytes = `4c53504e01010700${sender.device}`;
  assert.equal(hex(encodePreamble(preamble)), bytes);
  assert.deepEqual(decodePreamble(Uint8Array.from(Buffer.from(bytes, 'hex'))), { ok: true, value: preamble });
});
