/**
 * Layout of what is mirrored (docs/FORMATS.md, "Messages between nodes"). Extents lie on a device of the size that the
 * reader is given, and data is as long as the extent says: whoever takes a decoded operation need not look again.
 */

import { lengthOf } from '../base/segments.ts';
import type { MessageCodec, WireReader } from '../base/wire.ts';
import type { Size } from './chunks.ts';
import { documentLba, documentOperation, DOCUMENTS, lamportOf, type Operation } from './operation.ts';

/** Asked afresh for each message: a device may grow. */
export interface Sized {
  readonly geometry: Size;
}

/** Data of one change or one answer: as much as one command may have. */
export const TRANSFER_BYTES_MAX = 16 * 1024 * 1024;
/** Documents lie behind the superblock, which has a little less room. */
export const DOCUMENT_BYTES_MAX = 256 * 1024;
/** Half of what stamps have room for: time goes on from whatever a peer tells. */
export const LAMPORT_MAX = lamportOf(Number.MAX_SAFE_INTEGER / 2);

const OPERATIONS = ['write', 'writeSame', 'unmap', 'document'] as const;

export function createOperationCodec(device: Sized): MessageCodec<Operation> {
  return {
    put(to, operation) {
      const data = dataOf(operation);
      to.oneOf(OPERATIONS, operation.kind);
      to.byte(operation.kind === 'document' ? DOCUMENTS.indexOf(operation.name) : 0);
      to.reserved(2);
      to.uint32(lengthOf(data));
      to.count(operation.lba);
      to.count(operation.blocks);
      to.data(data);
    },
    get: (from) => getOperation(from, device),
  };
}

function dataOf(operation: Operation): readonly Uint8Array[] {
  switch (operation.kind) {
    case 'write':
      return operation.data;
    case 'writeSame':
      return [operation.pattern];
    case 'unmap':
      return [];
    case 'document':
      return [operation.bytes];
  }
}

function getOperation(from: WireReader, { geometry }: Sized): Operation | undefined {
  const kind = from.oneOf(OPERATIONS);
  const name = from.oneOf(DOCUMENTS);
  from.reserved(2);
  const length = from.uint32();
  const lba = from.count();
  const blocks = from.count();
  if (kind === 'document') {
    if (lba !== documentLba(name) || blocks !== 1 || length > DOCUMENT_BYTES_MAX)
      return from.refuse('outOfRange');
    return documentOperation(name, from.data(length));
  }
  const { blockLength, blockCount } = geometry;
  if (blocks === 0 || lba + blocks > blockCount) return from.refuse('outOfRange');
  switch (kind) {
    case 'write':
      if (length !== blocks * blockLength || length > TRANSFER_BYTES_MAX) return from.refuse('outOfRange');
      return { kind, lba, blocks, data: [from.data(length)] };
    case 'writeSame':
      if (length !== blockLength) return from.refuse('outOfRange');
      return { kind, lba, blocks, pattern: from.data(length) };
    case 'unmap':
      return length === 0 ? { kind, lba, blocks } : from.refuse('outOfRange');
  }
}
