/**
 * What all block commands share (SBC-3 §5): where LBA, length and flags stand in the CDBs of each length, the usage
 * masks, the range check, and how DPO, FUA and protection information are taken.
 */

import { fail, type Result } from '../base/result.ts';
import type { Durability } from '../ports/block-device.ts';
import type { Request } from './command.ts';
import { u16, u24, u32, u64 } from './fields.ts';
import { transferBlocksMax } from './limits.ts';
import { type Fault, fault, invalidCdbField } from './sense.ts';

export type CdbLength = 6 | 10 | 12 | 16;

/** DPO and FUA in byte 1. */
export const DPO = 0x10;
export const FUA = 0x08;

const READ_6_BLOCKS_OF_ZERO = 256;

export function lbaOf(cdb: Uint8Array, length: CdbLength): number {
  if (length === 16) return u64(cdb, 2);
  if (length === 6) return u24(cdb, 1) & 0x1f_ffff;
  return u32(cdb, 2);
}

export function blocksOf(cdb: Uint8Array, length: CdbLength): number {
  switch (length) {
    case 10:
      return u16(cdb, 7);
    case 12:
      return u32(cdb, 6);
    case 16:
      return u32(cdb, 10);
    default: {
      const blocks = cdb[4]!;
      return blocks === 0 ? READ_6_BLOCKS_OF_ZERO : blocks;
    }
  }
}

/** Byte where TRANSFER LENGTH (and its like) stands. */
export function blocksByte(length: CdbLength): number {
  return { 6: 4, 10: 7, 12: 6, 16: 10 }[length];
}

/** CDB usage of a command with LBA and length in their usual places and `flags` in byte 1. GROUP NUMBER is accepted
 *  and means nothing (GROUP_SUP is zero). */
export function blockUsage(opcode: number, length: CdbLength, flags: number): readonly number[] {
  const lba32 = [0xff, 0xff, 0xff, 0xff];
  switch (length) {
    case 6:
      return [opcode, 0x1f, 0xff, 0xff, 0xff, 0x00];
    case 10:
      return [opcode, flags, ...lba32, 0x1f, 0xff, 0xff, 0x00];
    case 12:
      return [opcode, flags, ...lba32, ...lba32, 0x1f, 0x00];
    case 16:
      return [opcode, flags, ...lba32, ...lba32, ...lba32, 0x1f, 0x00];
  }
}

/** Undefined when blocks `lba` … all exist. A length of zero may stand at the very end (SBC-3 §4.5.2). */
export function rangeFault(request: Request, lba: number, blocks: number): Fault | undefined {
  return lba + blocks > request.unit.device.geometry.blockCount ? beyondEnd(request) : undefined;
}

/** Whoever does not serve at the moment may be the last to hear that the device has become larger. */
function beyondEnd({ unit }: Request): Fault {
  return fault(unit.availability?.() === 'transitioning' ? 'notReadyAsymmetricTransition' : 'lbaOutOfRange');
}

/** Undefined when the range exists and one command may move so much. */
export function transferFault(request: Request, length: CdbLength): Fault | undefined {
  const { cdb } = request;
  const { geometry } = request.unit.device;
  const blocks = blocksOf(cdb, length);
  if (lbaOf(cdb, length) + blocks > geometry.blockCount) return beyondEnd(request);
  if (blocks > transferBlocksMax(geometry)) return invalidCdbField(blocksByte(length));
  return undefined;
}

/** The plan of a command that takes the blocks it names. */
export function planTransfer(request: Request, length: CdbLength): Result<number, Fault> {
  const wrong = transferFault(request, length);
  if (wrong !== undefined) return fail(wrong);
  const bytes = blocksOf(request.cdb, length) * request.unit.device.geometry.blockLength;
  return bytes === 0 ? PLAN_NOTHING : { ok: true, value: bytes };
}

/** The plan of a command without data-out; one shared object. */
export const PLAN_NOTHING: Result<number, Fault> = { ok: true, value: 0 };

/** FUA asks for the medium; the device does as much by itself when its cache is write-through. */
export function durabilityOf(cdb: Uint8Array): Durability {
  return (cdb[1]! & FUA) === 0 ? 'cached' : 'durable';
}
