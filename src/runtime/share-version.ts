/** One version of a register on a share (layout: docs/FORMATS.md, "Share vote"). Exported for tests, like share-votes.ts. */

import { crc32c } from './crc32c.ts';

const MAGIC = 0x4c535348; // 'LSSH'
const VERSION = 1;
const HEADER_LENGTH = 24;
const CHECKSUM_LENGTH = 4;
const NAME = /^vote-(\d{12})$/;

export interface Version {
  readonly number: number;
  /** 32 hexadecimal digits. */
  readonly fence: string;
  readonly bytes: Uint8Array;
}

export function nameOf(number: number): string {
  return `vote-${String(number).padStart(12, '0')}`;
}

/** 0: no version has such a name. */
export function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}

export function encodeVersion(payload: Uint8Array, fence: string): Uint8Array {
  const end = HEADER_LENGTH + payload.length;
  const bytes = Buffer.alloc(end + CHECKSUM_LENGTH);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt16BE(VERSION, 4);
  bytes.write(fence, 8, 'hex');
  bytes.set(payload, HEADER_LENGTH);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, end), 0), end);
  return bytes;
}

/** A file has its name when it is complete: one that does not check out is damaged, and nothing is concluded from it. */
export function decodeVersion(bytes: Buffer, number: number): Version {
  const end = bytes.length - CHECKSUM_LENGTH;
  const isWhole = end >= HEADER_LENGTH && bytes.readUInt32BE(end) === crc32c(bytes.subarray(0, end), 0);
  if (!isWhole || bytes.readUInt32BE(0) !== MAGIC) throw new Error(`${nameOf(number)} is damaged`);
  const version = bytes.readUInt16BE(4);
  if (version > VERSION) throw new Error(`${nameOf(number)} was written by a later Lockstep`);
  return {
    number,
    fence: bytes.toString('hex', 8, HEADER_LENGTH),
    bytes: new Uint8Array(bytes.subarray(HEADER_LENGTH, end)),
  };
}
