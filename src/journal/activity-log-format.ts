/**
 * One transaction of the activity log: a page of 4 KiB in a ring (docs/FORMATS.md, "Activity log").
 *
 * A transaction assigns extents to slots (`updates`) and, so that nothing has to be read from far back, repeats a
 * part of the slots as they are (`context`); the parts go round, so that any `contextWindow` transactions in a row
 * describe every slot.
 *
 * Each sector of 512 bytes ends in a tag made of the sequence and the incarnation. A write that a power loss cut in
 * two leaves tags of two kinds: it never became durable, nothing depended on it, and it may be passed over. Bad
 * bytes under tags of one kind are decay of something that may have been promised.
 */

import { crc32c } from '../base/crc32c.ts';
import { isZero } from '../base/segments.ts';
import { getUuid, putUuid, type Uuid } from '../base/uuid.ts';

export const TRANSACTION_LENGTH = 4096;
export const UPDATES_MAX = 64;
export const CONTEXT_MAX = 866;
export const NO_EXTENT = 0xffff_ffff;

const VERSION = 1;
const MAGIC = 0x4c53414c;
const SECTOR = 512;
const SECTORS = TRANSACTION_LENGTH / SECTOR;
const IN_SECTOR = SECTOR - 4;
/** Bytes of the record without the tags. */
const BODY = SECTORS * IN_SECTOR;
const UPDATES = 84;
const CONTEXT = UPDATES + 8 * UPDATES_MAX;
const CHECKSUM = BODY - 4;

export interface LogIdentity {
  readonly device: Uuid;
  /** Rises with every opening of the log. */
  readonly incarnation: number;
  /** The sequence with which this incarnation began; before it every slot was empty. */
  readonly firstSequence: number;
  readonly slotCount: number;
  /** Bytes per extent. */
  readonly extentLength: number;
}

export interface Transaction extends LogIdentity {
  readonly sequence: number;
  /** Every transaction up to this one was durable when this one was made. */
  readonly durableThrough: number;
  /** Pairs: slot, extent. */
  readonly updates: Uint32Array;
  /** Slots `contextStart`, `contextStart + 1` …, and from the last on to the first. */
  readonly contextStart: number;
  readonly context: Uint32Array;
}

/** Transactions in a row that describe every slot. */
export function contextWindow(slotCount: number): number {
  return Math.ceil(slotCount / CONTEXT_MAX);
}

export function encodeTransaction(transaction: Transaction): Uint8Array {
  const body = new Uint8Array(BODY);
  const view = new DataView(body.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  view.setUint16(6, transaction.updates.length / 2);
  putUuid(view, 8, transaction.device);
  view.setBigUint64(24, BigInt(transaction.incarnation));
  view.setBigUint64(32, BigInt(transaction.firstSequence));
  view.setBigUint64(40, BigInt(transaction.sequence));
  view.setBigUint64(48, BigInt(transaction.durableThrough));
  view.setUint32(56, transaction.extentLength);
  view.setUint32(60, transaction.slotCount);
  view.setUint32(64, transaction.contextStart);
  view.setUint32(68, transaction.context.length);
  for (let i = 0; i < transaction.updates.length; i++)
    view.setUint32(UPDATES + 4 * i, transaction.updates[i]!);
  for (let i = 0; i < transaction.context.length; i++)
    view.setUint32(CONTEXT + 4 * i, transaction.context[i]!);
  view.setUint32(CHECKSUM, crc32c(body.subarray(0, CHECKSUM), 0));
  const bytes = new Uint8Array(TRANSACTION_LENGTH);
  const out = new DataView(bytes.buffer);
  const tag = tagOf(transaction.sequence, transaction.incarnation);
  for (let sector = 0; sector < SECTORS; sector++) {
    bytes.set(body.subarray(sector * IN_SECTOR, (sector + 1) * IN_SECTOR), sector * SECTOR);
    out.setUint32(sector * SECTOR + IN_SECTOR, tag);
  }
  return bytes;
}

/**
 * `empty`: never written. `torn`: a write that never became durable. `damaged`: anything else that is not whole; also
 * what is not ours and what a later version wrote.
 */
export type ReadTransaction = Transaction | 'empty' | 'torn' | 'damaged';

/** Undefined bytes could not be read from the disk. */
export function decodeTransaction(bytes: Uint8Array | undefined, device: Uuid): ReadTransaction {
  if (bytes === undefined) return 'damaged';
  const outer = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = outer.getUint32(IN_SECTOR);
  if (tag === 0 && isZero(bytes)) return 'empty';
  const body = new Uint8Array(BODY);
  let mixed = false;
  for (let sector = 0; sector < SECTORS; sector++) {
    body.set(bytes.subarray(sector * SECTOR, sector * SECTOR + IN_SECTOR), sector * IN_SECTOR);
    mixed ||= outer.getUint32(sector * SECTOR + IN_SECTOR) !== tag;
  }
  if (mixed) return 'torn';
  const view = new DataView(body.buffer);
  if (view.getUint32(CHECKSUM) !== crc32c(body.subarray(0, CHECKSUM), 0)) return 'damaged';
  if (view.getUint32(0) !== MAGIC || view.getUint16(4) !== VERSION) return 'damaged';
  return getUuid(view, 8) === device ? getTransaction(view) : 'damaged';
}

function getTransaction(view: DataView): Transaction {
  const updates = new Uint32Array(2 * view.getUint16(6));
  for (let i = 0; i < updates.length; i++) updates[i] = view.getUint32(UPDATES + 4 * i);
  const context = new Uint32Array(view.getUint32(68));
  for (let i = 0; i < context.length; i++) context[i] = view.getUint32(CONTEXT + 4 * i);
  return {
    device: getUuid(view, 8),
    incarnation: Number(view.getBigUint64(24)),
    firstSequence: Number(view.getBigUint64(32)),
    sequence: Number(view.getBigUint64(40)),
    durableThrough: Number(view.getBigUint64(48)),
    extentLength: view.getUint32(56),
    slotCount: view.getUint32(60),
    updates,
    contextStart: view.getUint32(64),
    context,
  };
}

/** Never 0, which is what a sector that was never written ends in. */
function tagOf(sequence: number, incarnation: number): number {
  return (((sequence & 0xffff) << 16) | (incarnation & 0x7fff) | 0x8000) >>> 0;
}
