/**
 * The documents of a device as they lie behind the superblock (docs/FORMATS.md, "Documents"):
 * for each: name (1 byte, its number), 3 bytes zero, length (4), revision (8), the bytes.
 */

import { getCount, putCount } from '../../base/count.ts';
import { DOCUMENTS } from '../../replication/operation.ts';
import type { KeptDocument } from './handover.ts';

const HEADER = 16;

export function encodeDocuments(documents: readonly KeptDocument[]): Uint8Array {
  const length = documents.reduce((sum, { bytes }) => sum + HEADER + bytes.length, 0);
  const all = new Uint8Array(length);
  const view = new DataView(all.buffer);
  let at = 0;
  for (const { name, revision, bytes } of documents) {
    view.setUint8(at, DOCUMENTS.indexOf(name));
    view.setUint32(at + 4, bytes.length);
    putCount(view, at + 8, revision);
    all.set(bytes, at + HEADER);
    at += HEADER + bytes.length;
  }
  return all;
}

/** Undefined: not a row of documents. */
export function decodeDocuments(all: Uint8Array): KeptDocument[] | undefined {
  const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  const documents: KeptDocument[] = [];
  let at = 0;
  while (at < all.length) {
    if (at + HEADER > all.length) return undefined;
    const name = DOCUMENTS[view.getUint8(at)];
    const length = view.getUint32(at + 4);
    const revision = getCount(view, at + 8);
    if (name === undefined || revision < 0 || at + HEADER + length > all.length) return undefined;
    documents.push({ name, revision, bytes: all.slice(at + HEADER, at + HEADER + length) });
    at += HEADER + length;
  }
  return documents;
}
