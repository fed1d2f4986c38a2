/** Any frames and datagrams about one device, for properties, and as what they are compared. */

import fc from 'fast-check';
import { inOnePiece } from '../../../base/testing/wire.ts';
import { beat, beatAnswer, control, history, uuid } from '../../../cluster/testing/arbitrary-messages.ts';
import { DirtyMap } from '../../../journal/dirty-map.ts';
import type { Frame } from '../../../replication/channel.ts';
import type { Size } from '../../../replication/chunks.ts';
import { DOCUMENTS } from '../../../replication/operation.ts';
import { LAMPORT_MAX } from '../../../replication/operation-wire.ts';
import { operation, replicaMessage } from '../../../replication/testing/arbitrary-messages.ts';
import type { Difference, Handover } from '../handover.ts';
import type { ChannelMessage, Datagram } from '../wire.ts';

const count = fc.maxSafeNat();
const sequence = fc.maxSafeNat().map((value) => Math.max(1, value));

/** Clean, dirty all over, or with runs of either. */
export const dirtyMap = ({ blockCount, blockLength }: Size): fc.Arbitrary<DirtyMap> =>
  fc.array(fc.tuple(fc.nat(), fc.nat(3000), fc.boolean()), { maxLength: 12 }).map((marks) => {
    const map = new DirtyMap(blockCount, blockLength);
    for (const [at, length, isSet] of marks) {
      const first = at % map.chunkCount;
      const last = Math.min(map.chunkCount - 1, first + length);
      if (isSet) map.markChunks(first, last);
      else for (let chunk = first; chunk <= last; chunk++) map.clear(chunk);
    }
    return map;
  });

const difference = (size: Size): fc.Arbitrary<Difference> =>
  fc.record({
    base: fc.record({ term: count, id: uuid }),
    map: dirtyMap(size),
    sequence: count,
    full: fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
    ifStopped: fc.boolean(),
  });

const handover = (size: Size): fc.Arbitrary<Handover> =>
  fc.record({
    lamport: count.map((value) => value % (LAMPORT_MAX + 1)),
    history,
    pending: fc.array(fc.record({ stamp: count, operation: operation(size) })),
    sequence: count,
    copyTerm: count,
    documents: fc.array(
      fc.record({ name: fc.constantFrom(...DOCUMENTS), revision: count, bytes: fc.uint8Array() }),
      { maxLength: 2 },
    ),
    differences: fc
      .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 0xffff }), difference(size)), {
        selector: ([node]) => node,
        maxLength: 4,
      })
      .map((entries) => new Map(entries)),
    suspects: fc.option(difference(size), { nil: undefined }),
  });

export function frame(size: Size): fc.Arbitrary<Frame<ChannelMessage>> {
  const message: fc.Arbitrary<ChannelMessage> = fc.oneof(
    fc.record({ kind: fc.constant('replica' as const), message: replicaMessage(size) }),
    fc.record({ kind: fc.constant('control' as const), message: control(handover(size)) }),
  );
  return fc.oneof(
    fc.record({
      kind: fc.constant('hello' as const),
      incarnation: sequence,
      to: count,
      received: count,
    }),
    fc.record({ kind: fc.constant('ack' as const), received: count }),
    fc.record({ kind: fc.constantFrom('probe' as const, 'probed' as const), number: count }),
    fc.record({
      kind: fc.constant('data' as const),
      sequence,
      received: count,
      message: fc.constant(undefined),
    }),
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('data' as const), sequence, received: count, message }),
    },
  );
}

export const datagram: fc.Arbitrary<Datagram> = fc.oneof(
  beat,
  beatAnswer,
  // Data does not travel in datagrams.
  control<Handover>(fc.constant(undefined as never)),
);

/** Maps as their dirty chunks, data in one piece. */
export function comparable(value: unknown): unknown {
  if (value instanceof DirtyMap) {
    const chunks: number[] = [];
    for (let chunk = value.next(0); chunk >= 0; chunk = value.next(chunk + 1)) chunks.push(chunk);
    return { chunkCount: value.chunkCount, chunks };
  }
  if (value instanceof Map)
    return [...(value as ReadonlyMap<unknown, unknown>)].map(([key, part]) => [key, comparable(part)]);
  if (Array.isArray(value) && !value.some((item) => item instanceof Uint8Array)) return value.map(comparable);
  if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array)
    return inOnePiece(value);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, comparable(part)]));
}
