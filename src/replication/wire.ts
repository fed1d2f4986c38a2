/** Layout of what replicas say to each other (docs/FORMATS.md, "Messages between nodes"). */

import { lengthOf } from '../base/segments.ts';
import type { MessageCodec, WireReader, WireWriter } from '../base/wire.ts';
import { CHUNK_LENGTH } from '../journal/dirty-map.ts';
import type { Extent } from '../ports/block-device.ts';
import { chunkExtent, type Size } from './chunks.ts';
import type { LockedExtent, LockName, ReplicaBody, ReplicaMessage } from './messages.ts';
import type { Operation } from './operation.ts';
import { createOperationCodec, LAMPORT_MAX, type Sized, TRANSFER_BYTES_MAX } from './operation-wire.ts';

const KINDS = [
  'mutate',
  'held',
  'valid',
  'clock',
  'flush',
  'flushed',
  'lock',
  'locked',
  'unlock',
  'confirm',
  'confirmed',
  'fetch',
  'fetched',
  'offer',
  'want',
  'same',
  'chunk',
  'settled',
  'makeRoom',
  'roomMade',
] as const;

const HAS_DATA = 1;
const LOCKED_EXTENT = { length: 16, max: 1024 };
const OFFERED_CHUNK = { length: 8, max: 1024 };

export function createReplicaCodec(device: Sized): MessageCodec<ReplicaMessage> {
  const operations = createOperationCodec(device);
  return {
    put(to, message) {
      to.oneOf(KINDS, message.kind);
      to.byte(message.kind === 'fetched' && message.data !== undefined ? HAS_DATA : 0);
      to.reserved(2);
      to.count(message.term);
      to.count(message.lamport);
      putBody(to, message, operations);
    },
    get(from) {
      const kind = from.oneOf(KINDS);
      const hasData = (from.byte() & HAS_DATA) !== 0;
      from.reserved(2);
      const term = from.count();
      const lamport = from.count();
      if (lamport > LAMPORT_MAX) return from.refuse('outOfRange');
      const body =
        kind === 'fetched'
          ? getFetched(from, hasData, device.geometry)
          : getBody(from, kind, device.geometry, operations);
      return body && { ...body, term, lamport };
    },
  };
}

function putBody(to: WireWriter, body: ReplicaBody, operations: MessageCodec<Operation>): void {
  switch (body.kind) {
    case 'mutate':
      to.count(body.stamp);
      return operations.put(to, body.operation);
    case 'held':
    case 'valid':
      return to.count(body.stamp);
    case 'clock':
      return;
    case 'flush':
    case 'confirm':
    case 'confirmed':
      return to.count(body.id);
    case 'flushed':
      to.count(body.id);
      return to.count(body.sequence);
    case 'lock':
      putLock(to, body.lock, body.extents.length);
      for (const { lba, blocks } of body.extents) {
        to.count(lba);
        to.count(blocks);
      }
      return;
    case 'locked':
    case 'unlock':
      return putLock(to, body.lock, 0);
    case 'fetch':
      to.count(body.id);
      to.count(body.lba);
      return to.count(body.blocks);
    case 'fetched':
      to.count(body.id);
      to.uint32(lengthOf(body.data ?? []));
      return to.data(body.data ?? []);
    case 'offer':
      to.uint32(body.chunks.length);
      for (const chunk of body.chunks) to.count(chunk);
      return;
    case 'want':
      to.count(body.chunk);
      return to.text(body.digest);
    case 'same':
    case 'settled':
      return to.count(body.chunk);
    case 'chunk':
      to.count(body.chunk);
      to.uint32(lengthOf(body.data));
      return to.data(body.data);
    case 'makeRoom':
      to.count(body.id);
      return to.count(body.blockCount);
    case 'roomMade':
      to.count(body.id);
      return to.text(body.reason);
  }
}

function getBody(
  from: WireReader,
  kind: Exclude<ReplicaBody['kind'], 'fetched'>,
  geometry: Size,
  operations: MessageCodec<Operation>,
): ReplicaBody | undefined {
  switch (kind) {
    case 'mutate': {
      const stamp = from.count();
      const operation = operations.get(from);
      return operation && { kind, stamp, operation };
    }
    case 'held':
    case 'valid':
      return { kind, stamp: from.count() };
    case 'clock':
      return { kind };
    case 'flush':
    case 'confirm':
    case 'confirmed':
      return { kind, id: from.count() };
    case 'flushed':
      return { kind, id: from.count(), sequence: from.count() };
    case 'lock':
      return getLock(from);
    case 'locked':
    case 'unlock':
      return { kind, lock: getLock(from).lock };
    case 'fetch': {
      const id = from.count();
      const extent = getExtent(from, geometry.blockCount);
      if (extent.blocks * geometry.blockLength > TRANSFER_BYTES_MAX) return from.refuse('outOfRange');
      return { kind, id, ...extent };
    }
    case 'offer': {
      const count = from.rows(from.uint32(), OFFERED_CHUNK);
      return { kind, chunks: Array.from({ length: count }, () => getChunk(from, geometry)) };
    }
    case 'want':
      return { kind, chunk: getChunk(from, geometry), digest: from.text() };
    case 'same':
    case 'settled':
      return { kind, chunk: getChunk(from, geometry) };
    case 'chunk': {
      const chunk = getChunk(from, geometry);
      const length = from.uint32();
      const { blocks } = chunkExtent(geometry, chunk);
      // The last one of a device may be shorter, and who is no part of the term does not know where the device ends.
      const isChunk = length > 0 && length % geometry.blockLength === 0;
      if (!isChunk || length > blocks * geometry.blockLength) return from.refuse('outOfRange');
      return { kind, chunk, data: [from.data(length)] };
    }
    case 'makeRoom':
      return { kind, id: from.count(), blockCount: from.count() };
    case 'roomMade':
      return { kind, id: from.count(), reason: from.text() };
  }
}

/** Whoever asked knows how much it asked for. */
function getFetched(from: WireReader, hasData: boolean, { blockLength }: Size): ReplicaBody | undefined {
  const id = from.count();
  const length = from.uint32();
  if (length % blockLength !== 0 || length > TRANSFER_BYTES_MAX || length > 0 !== hasData)
    return from.refuse('outOfRange');
  return { kind: 'fetched', id, data: hasData ? [from.data(length)] : undefined };
}

function putLock(to: WireWriter, { owner, number }: LockName, extents: number): void {
  to.uint16(owner);
  to.uint16(extents);
  to.count(number);
}

function getLock(from: WireReader): { kind: 'lock'; lock: LockName; extents: LockedExtent[] } {
  const owner = from.uint16();
  const extents = from.uint16();
  const lock = { owner, number: from.count() };
  const count = from.rows(extents, LOCKED_EXTENT);
  // Documents are locked, too, far behind the device.
  const end = Number.MAX_SAFE_INTEGER;
  return { kind: 'lock', lock, extents: Array.from({ length: count }, () => getExtent(from, end)) };
}

function getExtent(from: WireReader, end: number): Extent {
  const extent = { lba: from.count(), blocks: from.count() };
  if (extent.blocks === 0 || extent.lba + extent.blocks > end) from.refuse('outOfRange');
  return extent;
}

function getChunk(from: WireReader, { blockCount, blockLength }: Size): number {
  const chunk = from.count();
  if (chunk * CHUNK_LENGTH >= blockCount * blockLength) from.refuse('outOfRange');
  return chunk;
}
