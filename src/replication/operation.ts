/**
 * What is mirrored: one change of one extent. Everything that replicas must hold in the same order is one of these;
 * UNMAP and WRITE SAME travel as what they are, not as data.
 *
 * A document is a small record that belongs to the device: reservations, settings, the last reset of the logical unit
 * (who asked, and a number that makes it another one), how large the device is. Each lies on a block of its own far
 * behind the last block of any device, so that order, locks and pending changes work for documents as for blocks.
 */

import { assert } from '../base/assert.ts';
import { lengthOf, slice } from '../base/segments.ts';

export const DOCUMENTS = ['reservations', 'settings', 'reset', 'size'] as const;
export type DocumentName = (typeof DOCUMENTS)[number];

export type Operation =
  | {
      readonly kind: 'write';
      readonly lba: number;
      readonly blocks: number;
      readonly data: readonly Uint8Array[];
    }
  | {
      readonly kind: 'writeSame';
      readonly lba: number;
      readonly blocks: number;
      readonly pattern: Uint8Array;
    }
  | { readonly kind: 'unmap'; readonly lba: number; readonly blocks: number }
  | {
      readonly kind: 'document';
      readonly lba: number;
      readonly blocks: 1;
      readonly name: DocumentName;
      readonly bytes: Uint8Array;
    };

/** Lamport time and replica in one number: the order of all changes of a device. */
export type Stamp = number;

/** Replicas of one device are numbered from 1. */
const REPLICA_MAX = 15;

const DOCUMENTS_LBA = 2 ** 50;

export function stampOf(lamport: number, replica: number): Stamp {
  return lamport * (REPLICA_MAX + 1) + replica;
}

export function lamportOf(stamp: Stamp): number {
  return Math.floor(stamp / (REPLICA_MAX + 1));
}

/** What it carries. */
export function bytesOf(operation: Operation): number {
  switch (operation.kind) {
    case 'write':
      return lengthOf(operation.data);
    case 'writeSame':
      return operation.pattern.length;
    case 'unmap':
      return 0;
    case 'document':
      return operation.bytes.length;
  }
}

export function documentLba(name: DocumentName): number {
  return DOCUMENTS_LBA + DOCUMENTS.indexOf(name);
}

export function documentOperation(name: DocumentName, bytes: Uint8Array): Operation {
  return { kind: 'document', lba: documentLba(name), blocks: 1, name, bytes };
}

/** The same on a part of its extent. */
export function partOf(operation: Operation, lba: number, blocks: number, blockLength: number): Operation {
  if (lba === operation.lba && blocks === operation.blocks) return operation;
  assert(
    lba >= operation.lba && lba + blocks <= operation.lba + operation.blocks,
    'a part lies in the operation',
  );
  assert(operation.kind !== 'document', 'a document has no parts');
  if (operation.kind !== 'write') return { ...operation, lba, blocks };
  const data = slice(operation.data, (lba - operation.lba) * blockLength, blocks * blockLength);
  return { kind: 'write', lba, blocks, data };
}
