/** Goal: replicas hear what was said, and nothing that cannot be. Method: properties, and messages with one thing wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode, encode, inOnePiece } from '../base/testing/wire.ts';
import { WireWriter } from '../base/wire.ts';
import { chunkExtent } from './chunks.ts';
import type { ReplicaBody } from './messages.ts';
import { documentOperation, DOCUMENTS } from './operation.ts';
import { replicaMessage } from './testing/arbitrary-messages.ts';
import { createReplicaCodec } from './wire.ts';

/** The last chunk is half a chunk. */
const SIZE = { blockLength: 512, blockCount: 1088 } as const;
const codec = createReplicaCodec({ geometry: SIZE });

const faultOf = (body: ReplicaBody, change: (bytes: Uint8Array) => void = () => undefined): string => {
  const encoded = encode(codec, { ...body, term: 3, lamport: 4 });
  change(encoded.bytes);
  const decoded = decode(codec, encoded);
  return decoded.ok ? 'none' : decoded.fault.kind;
};

test('every message comes back as it was sent', () => {
  fc.assert(
    fc.property(replicaMessage(SIZE), (message) => {
      const decoded = decode(codec, encode(codec, message));
      assert.deepEqual(inOnePiece(decoded), { ok: true, value: inOnePiece(message) });
    }),
    { numRuns: 1000 },
  );
});

test('data is sent from where it lies, and received as views', () => {
  const data = [new Uint8Array(512).fill(1), new Uint8Array(512).fill(2)];
  const message = {
    kind: 'mutate',
    stamp: 17,
    operation: { kind: 'write', lba: 5, blocks: 2, data },
    term: 1,
    lamport: 1,
  } as const;
  const to = new WireWriter(0, 0);
  codec.put(to, message);
  const sent = to.take().data;
  assert.deepEqual([sent[0] === data[0], sent[1] === data[1]], [true, true]);
  const encoded = encode(codec, message);
  const decoded = decode(codec, encoded);
  assert.ok(decoded.ok && decoded.value?.kind === 'mutate' && decoded.value.operation.kind === 'write');
  assert.equal(decoded.value.operation.data[0]?.buffer, encoded.bytes.buffer);
});

test('a change of what is not on the device, or with other data than its extent, is refused', () => {
  const block = new Uint8Array(512);
  const write = (lba: number, blocks: number, bytes: number): ReplicaBody => {
    return {
      kind: 'mutate',
      stamp: 1,
      operation: { kind: 'write', lba, blocks, data: [new Uint8Array(bytes)] },
    };
  };
  assert.equal(faultOf(write(1087, 1, 512)), 'none');
  assert.equal(faultOf(write(1087, 2, 1024)), 'outOfRange');
  assert.equal(faultOf(write(0, 0, 0)), 'outOfRange');
  assert.equal(faultOf(write(0, 2, 512)), 'outOfRange');
  assert.equal(faultOf(write(0, 1, 511)), 'outOfRange');
  const same = (pattern: Uint8Array): ReplicaBody => {
    return { kind: 'mutate', stamp: 1, operation: { kind: 'writeSame', lba: 0, blocks: 9, pattern } };
  };
  assert.equal(faultOf(same(block)), 'none');
  assert.equal(faultOf(same(new Uint8Array(1024))), 'outOfRange');
  const unmap: ReplicaBody = {
    kind: 'mutate',
    stamp: 1,
    operation: { kind: 'unmap', lba: 1000, blocks: 100 },
  };
  assert.equal(faultOf(unmap), 'outOfRange');
});

test('a document of an unknown name, at another place or too long is refused', () => {
  const document = (length: number): ReplicaBody => {
    return { kind: 'mutate', stamp: 1, operation: documentOperation('settings', new Uint8Array(length)) };
  };
  assert.equal(faultOf(document(256 * 1024)), 'none');
  assert.equal(faultOf(document(256 * 1024 + 1)), 'outOfRange');
  // Behind kind, term, time and stamp.
  assert.equal(
    faultOf(document(9), (bytes) => bytes.set([3, DOCUMENTS.length], 28)),
    'unknownKind',
  );
  assert.equal(
    faultOf(document(9), (bytes) => bytes.set([3, 0], 28)),
    'outOfRange',
  );
});

test('chunks and extents that are not on the device are refused', () => {
  const half = chunkExtent(SIZE, 8).blocks * 512;
  assert.equal(half, 32 * 1024);
  assert.equal(faultOf({ kind: 'chunk', chunk: 8, data: [new Uint8Array(half)] }), 'none');
  assert.equal(faultOf({ kind: 'chunk', chunk: 8, data: [new Uint8Array(half + 512)] }), 'outOfRange');
  assert.equal(faultOf({ kind: 'chunk', chunk: 7, data: [new Uint8Array(half + 1)] }), 'outOfRange');
  assert.equal(faultOf({ kind: 'chunk', chunk: 7, data: [] }), 'outOfRange');
  assert.equal(faultOf({ kind: 'chunk', chunk: 9, data: [new Uint8Array(half)] }), 'outOfRange');
  for (const kind of ['same', 'settled'] as const) assert.equal(faultOf({ kind, chunk: 9 }), 'outOfRange');
  assert.equal(faultOf({ kind: 'want', chunk: 9, digest: undefined }), 'outOfRange');
  assert.equal(faultOf({ kind: 'offer', chunks: [8, 9] }), 'outOfRange');
  assert.equal(faultOf({ kind: 'fetch', id: 1, lba: 1087, blocks: 2 }), 'outOfRange');
  assert.equal(faultOf({ kind: 'fetch', id: 1, lba: 1087, blocks: 0 }), 'outOfRange');
});

test('what would be more than one command may have is refused', () => {
  const large = createReplicaCodec({ geometry: { blockLength: 4096, blockCount: 2 ** 30 } });
  const fault = (body: ReplicaBody): string => {
    const decoded = decode(large, encode(large, { ...body, term: 1, lamport: 1 }));
    return decoded.ok ? 'none' : decoded.fault.kind;
  };
  assert.equal(fault({ kind: 'fetch', id: 1, lba: 0, blocks: 4096 }), 'none');
  assert.equal(fault({ kind: 'fetch', id: 1, lba: 0, blocks: 4097 }), 'outOfRange');
});

test('a time so far ahead that stamps would end is refused', () => {
  assert.equal(
    faultOf({ kind: 'clock' }, (bytes) => bytes.set([0, 1, 0, 0, 0, 0, 0, 0], 12)),
    'outOfRange',
  );
  assert.equal(
    faultOf({ kind: 'clock' }, (bytes) => bytes.set([0, 0, 255], 12)),
    'none',
  );
});

test('answers that fit no question are refused', () => {
  assert.equal(faultOf({ kind: 'fetched', id: 1, data: [new Uint8Array(512)] }), 'none');
  assert.equal(faultOf({ kind: 'fetched', id: 1, data: [new Uint8Array(511)] }), 'outOfRange');
  assert.equal(faultOf({ kind: 'fetched', id: 1, data: [] }), 'outOfRange');
});
