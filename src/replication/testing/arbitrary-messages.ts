/** Any messages of the replicas of one device, for properties. */

import fc from 'fast-check';
import { CHUNK_LENGTH } from '../../journal/dirty-map.ts';
import { chunkExtent, type Size } from '../chunks.ts';
import type { ReplicaMessage } from '../messages.ts';
import { DOCUMENTS, documentOperation, type Operation } from '../operation.ts';
import { LAMPORT_MAX } from '../operation-wire.ts';

const count = fc.maxSafeNat();
const nothing = fc.constant(undefined);

/** So many bytes, in pieces cut anywhere. */
const pieces = (length: number): fc.Arbitrary<Uint8Array[]> =>
  fc.tuple(fc.nat(0xff), fc.array(fc.nat(length), { maxLength: 3 })).map(([seed, cuts]) => {
    const bytes = Uint8Array.from({ length }, (_, at) => (seed + at * 7) & 0xff);
    const ends = [...cuts.toSorted((a, b) => a - b), length];
    return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
  });

const extent = ({ blockCount }: Size, blocksMax: number) =>
  fc
    .tuple(fc.integer({ min: 1, max: blocksMax }), fc.nat())
    .map(([blocks, at]) => ({ lba: at % (blockCount - blocks + 1), blocks }));

export function operation(size: Size): fc.Arbitrary<Operation> {
  const { blockLength } = size;
  return fc.oneof(
    extent(size, 9).chain((at) =>
      pieces(at.blocks * blockLength).map((data) => ({ kind: 'write' as const, ...at, data })),
    ),
    extent(size, size.blockCount).chain((at) =>
      pieces(blockLength).map(([pattern]) => ({
        kind: 'writeSame' as const,
        ...at,
        pattern: Uint8Array.from({ length: blockLength }, () => pattern?.[0] ?? 1),
      })),
    ),
    extent(size, size.blockCount).map((at) => ({ kind: 'unmap' as const, ...at })),
    fc
      .tuple(fc.constantFrom(...DOCUMENTS), fc.uint8Array())
      .map(([name, bytes]) => documentOperation(name, bytes)),
  );
}

export function replicaMessage(size: Size): fc.Arbitrary<ReplicaMessage> {
  const { blockLength, blockCount } = size;
  const chunk = fc.nat(Math.ceil((blockCount * blockLength) / CHUNK_LENGTH) - 1);
  const lock = fc.record({ owner: fc.nat(0xffff), number: count });
  const one = <K extends string>(kind: K) => fc.constant(kind);
  const body = fc.oneof(
    fc.record({ kind: one('mutate'), stamp: count, operation: operation(size) }),
    fc.record({ kind: fc.constantFrom('held', 'valid'), stamp: count }),
    fc.record({ kind: one('clock') }),
    fc.record({ kind: fc.constantFrom('flush', 'confirm', 'confirmed'), id: count }),
    fc.record({ kind: one('flushed'), id: count, sequence: count }),
    fc.record({
      kind: one('lock'),
      lock,
      extents: fc.array(extent({ ...size, blockCount: 2 ** 40 }, 2 ** 31 - 1)),
    }),
    fc.record({ kind: fc.constantFrom('locked', 'unlock'), lock }),
    fc
      .tuple(count, extent(size, 100))
      .map(([id, at]) => ({ kind: 'fetch' as const, id, lba: at.lba, blocks: at.blocks })),
    fc.record({
      kind: one('fetched'),
      id: count,
      data: fc.oneof(
        nothing,
        fc.integer({ min: 1, max: 5 }).chain((blocks) => pieces(blocks * blockLength)),
      ),
    }),
    fc.record({ kind: one('makeRoom'), id: count, blockCount: count }),
    fc.record({
      kind: one('roomMade'),
      id: count,
      reason: fc.oneof(nothing, fc.string({ unit: 'grapheme' })),
    }),
    fc.record({ kind: one('offer'), chunks: fc.array(chunk) }),
    fc.record({
      kind: one('want'),
      chunk,
      digest: fc.oneof(nothing, fc.string({ unit: 'grapheme' })),
    }),
    fc.record({ kind: fc.constantFrom('same', 'settled'), chunk }),
    chunk.chain((number) =>
      pieces(chunkExtent(size, number).blocks * blockLength).map((data) => {
        return { kind: 'chunk' as const, chunk: number, data };
      }),
    ),
  );
  return fc
    .tuple(
      body,
      count,
      fc.maxSafeNat().map((lamport) => lamport % (LAMPORT_MAX + 1)),
    )
    .map(([message, term, lamport]) => ({ ...message, term, lamport }) as ReplicaMessage);
}
