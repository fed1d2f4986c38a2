/**
 * SCSI commands as an initiator sends them, and what it reads from the answers (SPC-4, SBC-3). Blocks are counted as
 * the unit counts them.
 */

/** What a session is to do; data is sent and taken as it is. */
export interface ScsiRequest {
  readonly cdb: Uint8Array;
  /** Bytes wanted. */
  readonly read?: number;
  readonly write?: Uint8Array;
}

function cdb(length: number, fill: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  fill(view);
  return new Uint8Array(view.buffer);
}

/** SPC-4 §6.47. */
export const testUnitReady: ScsiRequest = { cdb: new Uint8Array(6) };

const VPD_BYTES = 1024;
const GROUPS_BYTES = 4096;
const CAPACITY_BYTES = 32;

/** SPC-4 §7.8.6: by what a logical unit is known. */
export const inquireIdentity: ScsiRequest = {
  cdb: cdb(6, (view) => {
    view.setUint16(0, 0x1201);
    view.setUint8(2, 0x83);
    view.setUint16(3, VPD_BYTES);
  }),
  read: VPD_BYTES,
};

/** SPC-4 §6.37. */
export const reportTargetPortGroups: ScsiRequest = {
  cdb: cdb(12, (view) => {
    view.setUint16(0, 0xa30a);
    view.setUint32(6, GROUPS_BYTES);
  }),
  read: GROUPS_BYTES,
};

/** SBC-3 §5.16. */
export const readCapacity: ScsiRequest = {
  cdb: cdb(16, (view) => {
    view.setUint16(0, 0x9e10);
    view.setUint32(10, CAPACITY_BYTES);
  }),
  read: CAPACITY_BYTES,
};

/** SBC-3 §5.13: READ (16). */
export function readBlocks(lba: number, blocks: number, blockLength: number): ScsiRequest {
  return { cdb: rangeCdb(0x88, lba, blocks), read: blocks * blockLength };
}

/** SBC-3 §5.34: WRITE (16). */
export function writeBlocks(lba: number, data: Uint8Array, blockLength: number): ScsiRequest {
  return { cdb: rangeCdb(0x8a, lba, data.length / blockLength), write: data };
}

/** SBC-3 §5.2: `data` is written where `expected`, of the same length, stands. */
export function compareAndWrite(
  lba: number,
  content: { readonly expected: Uint8Array; readonly data: Uint8Array },
  blockLength: number,
): ScsiRequest {
  const { expected, data } = content;
  const write = new Uint8Array(expected.length + data.length);
  write.set(expected);
  write.set(data, expected.length);
  const command = cdb(16, (view) => {
    view.setUint8(0, 0x89);
    view.setBigUint64(2, BigInt(lba));
    view.setUint8(13, data.length / blockLength);
  });
  return { cdb: command, write };
}

/** SBC-3 §5.21: SYNCHRONIZE CACHE (16) of the whole medium. */
export const synchronizeCache: ScsiRequest = { cdb: rangeCdb(0x91, 0, 0) };

function rangeCdb(opcode: number, lba: number, blocks: number): Uint8Array {
  return cdb(16, (view) => {
    view.setUint8(0, opcode);
    view.setBigUint64(2, BigInt(lba));
    view.setUint32(10, blocks);
  });
}

export interface UnitIdentity {
  /** The designator of the logical unit itself, NAA before others; equal on all paths to one unit. */
  readonly unit: string;
  /** TARGET PORT GROUP of the path that was asked; undefined: it was not told. */
  readonly group: number | undefined;
}

const NAA = 3;
const TARGET_PORT_GROUP = 5;
const OF_UNIT = 0;

/** Undefined: no designator names the unit. */
export function identityIn(page: Uint8Array): UnitIdentity | undefined {
  const view = viewOf(page);
  if (page.length < 4) return undefined;
  const end = Math.min(page.length, 4 + view.getUint16(2));
  let unit: { readonly type: number; readonly text: string } | undefined;
  let group: number | undefined;
  for (let at = 4; at + 4 <= end; at += 4 + page[at + 3]!) {
    const length = page[at + 3]!;
    if (at + 4 + length > end) break;
    const [association, type] = [(page[at + 1]! >> 4) & 3, page[at + 1]! & 15];
    if (type === TARGET_PORT_GROUP && length === 4) group = view.getUint16(at + 6);
    if (association !== OF_UNIT || unit?.type === NAA || (unit !== undefined && type !== NAA)) continue;
    unit = { type, text: `${type}:${hex(page.subarray(at + 4, at + 4 + length))}` };
  }
  return unit === undefined ? undefined : { unit: unit.text, group };
}

export interface Capacity {
  readonly blocks: number;
  readonly blockLength: number;
}

export function capacityIn(data: Uint8Array): Capacity | undefined {
  if (data.length < 12) return undefined;
  const view = viewOf(data);
  return { blocks: Number(view.getBigUint64(0)) + 1, blockLength: view.getUint32(8) };
}

export type AccessState =
  | 'optimized'
  | 'nonOptimized'
  | 'standby'
  | 'unavailable'
  | 'transitioning'
  | 'other';

const STATES: ReadonlyMap<number, AccessState> = new Map([
  [0, 'optimized'],
  [1, 'nonOptimized'],
  [2, 'standby'],
  [3, 'unavailable'],
  [15, 'transitioning'],
]);

/** State by TARGET PORT GROUP (SPC-4 table 274). */
export function groupsIn(data: Uint8Array): ReadonlyMap<number, AccessState> {
  const groups = new Map<number, AccessState>();
  if (data.length < 4) return groups;
  const view = viewOf(data);
  const end = Math.min(data.length, 4 + view.getUint32(0));
  for (let at = 4; at + 8 <= end; at += 8 + 4 * data[at + 7]!)
    groups.set(view.getUint16(at + 2), STATES.get(data[at]! & 15) ?? 'other');
  return groups;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
