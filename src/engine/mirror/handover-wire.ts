/** Layout of what copies tell when a configuration changes (docs/FORMATS.md, "Messages between nodes"). */

import { getUuid, putUuid } from '../../base/uuid.ts';
import type { MessageCodec, WireReader, WireWriter } from '../../base/wire.ts';
import { MEMBERS_MAX } from '../../cluster/fields.ts';
import { getHistory, putHistory } from '../../cluster/history-wire.ts';
import type { Part } from '../../replication/mutation-log.ts';
import type { Operation } from '../../replication/operation.ts';
import {
  createOperationCodec,
  DOCUMENT_BYTES_MAX,
  LAMPORT_MAX,
  type Sized,
} from '../../replication/operation-wire.ts';
import { decodeDocuments, encodeDocuments } from './documents.ts';
import type { Difference, Handover, KeptDocument } from './handover.ts';
import { decodeMap, encodeMap, mapLengthMax } from './map-wire.ts';
import { sizeIn } from './size.ts';

/** Data of all changes under way. */
const PENDING_BYTES_MAX = 256 * 1024 * 1024;
const PART = { length: 32, max: 16_384 };
const DIFFERENCE = { length: 42, max: MEMBERS_MAX };
const UUID_LENGTH = 16;
const HAS_SUSPECTS = 1;
/** In the place of a node. */
const SUSPECTS = 0;

export function createHandoverCodec(device: Sized): MessageCodec<Handover> {
  const operations = createOperationCodec(device);
  return {
    put: (to, handover) => putHandover(to, handover, operations),
    get: (from) => getHandover(from, device),
  };
}

/**
 * Bytes of data that a handover may have. Changes under way never take half of what they may: there is room for the maps
 * of a device that has grown by tens of TiB while the receiver was away.
 */
export function handoverDataMax(device: Sized): number {
  return PENDING_BYTES_MAX + DOCUMENT_BYTES_MAX + (MEMBERS_MAX + 1) * mapLengthMax(device);
}

function putHandover(to: WireWriter, handover: Handover, operations: MessageCodec<Operation>): void {
  const { history, pending, documents, differences, suspects } = handover;
  const kept = encodeDocuments(documents);
  to.byte(suspects === undefined ? 0 : HAS_SUSPECTS);
  to.byte(differences.size);
  to.byte(history.length);
  to.reserved(1);
  to.uint32(pending.length);
  to.uint32(kept.length);
  to.count(handover.lamport);
  to.count(handover.sequence);
  to.count(handover.copyTerm);
  to.data([kept]);
  putHistory(to, history);
  for (const { stamp, operation } of pending) {
    to.count(stamp);
    operations.put(to, operation);
  }
  for (const [node, difference] of differences) putDifference(to, node, difference);
  if (suspects !== undefined) putDifference(to, SUSPECTS, suspects);
}

/** Whoever was away while the device grew is smaller than what it is told about. */
function sizedBy(documents: readonly KeptDocument[], { geometry }: Sized): Sized {
  const { blockLength } = geometry;
  return { geometry: { blockLength, blockCount: sizeIn(documents) ?? geometry.blockCount } };
}

function getHandover(from: WireReader, receiver: Sized): Handover | undefined {
  const hasSuspects = (from.byte() & HAS_SUSPECTS) !== 0;
  const differenceCount = from.byte();
  const epochs = from.byte();
  from.reserved(1);
  const pendingCount = from.uint32();
  const keptLength = from.uint32();
  const lamport = from.count();
  const sequence = from.count();
  const copyTerm = from.count();
  if (keptLength > DOCUMENT_BYTES_MAX || lamport > LAMPORT_MAX) return from.refuse('outOfRange');
  const documents = decodeDocuments(from.data(keptLength));
  if (documents === undefined) return from.refuse('outOfRange');
  const device = sizedBy(documents, receiver);
  const operations = createOperationCodec(device);
  const history = getHistory(from, epochs);
  const pending: Part[] = [];
  for (let left = from.rows(pendingCount, PART); left > 0; left--) {
    const stamp = from.count();
    const operation = operations.get(from);
    if (operation === undefined) return undefined;
    pending.push({ stamp, operation });
  }
  const differences = new Map<number, Difference>();
  for (let left = from.rows(differenceCount, DIFFERENCE); left > 0; left--) {
    const [node, difference] = getDifference(from, device);
    if (difference === undefined) return undefined;
    if (node === SUSPECTS || differences.has(node)) return from.refuse('outOfRange');
    differences.set(node, difference);
  }
  const [node, suspects] = hasSuspects ? getDifference(from, device) : [SUSPECTS, undefined];
  if (node !== SUSPECTS) return from.refuse('outOfRange');
  return { lamport, history, pending, sequence, copyTerm, documents, differences, suspects };
}

function putDifference(to: WireWriter, node: number, difference: Difference): void {
  const { base, map, sequence, full, ifStopped } = difference;
  const bits = encodeMap(map);
  to.uint16(node);
  to.byte(ifStopped ? 1 : 0);
  to.reserved(1);
  to.uint32(bits.length);
  to.count(base.term);
  to.fixed(UUID_LENGTH, putUuid, base.id);
  to.count(sequence);
  to.text(full);
  to.data([bits]);
}

function getDifference(from: WireReader, device: Sized): [node: number, difference: Difference | undefined] {
  const node = from.uint16();
  const ifStopped = from.byte() === 1;
  from.reserved(1);
  const length = from.uint32();
  const term = from.count();
  const id = from.fixed(UUID_LENGTH, getUuid);
  const sequence = from.count();
  const full = from.text();
  const bits = from.data(length);
  if (id === undefined || from.fault !== undefined) return [node, undefined];
  const map = decodeMap(bits, device);
  if (map === undefined) from.refuse('outOfRange');
  return [node, map && { base: { term, id }, map, sequence, full, ifStopped }];
}
