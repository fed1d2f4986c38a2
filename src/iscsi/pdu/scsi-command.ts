/**
 * SCSI Command (RFC 7143 §11.3) and SCSI Response (§11.4).
 *
 *   command:  byte 1 F R W . . ATTR(3)   8–15 LUN   20–23 expected data transfer length   24 CmdSN   28 ExpStatSN   32–47 CDB
 *   response: byte 1 1 . . o u O U .  byte 2 response  byte 3 status   20 SNACK tag  24 StatSN … 36 ExpDataSN
 *             40 bidirectional read residual   44 residual   data: SenseLength (2), sense
 */

import type { TaskAttribute } from '../../ports/scsi-target.ts';
import { encodeNumbering, encodeStart, FINAL, type Numbering, ResponseOpcode } from './bhs.ts';

const CDB_OFFSET = 32;
export const CDB_IN_BHS_LENGTH = 16;
const READ = 0x40;
const WRITE = 0x20;

/** RFC 7143 §11.3.1: 0 (untagged) is treated as simple. */
const ATTRIBUTES: readonly (TaskAttribute | undefined)[] = [
  'simple',
  'simple',
  'ordered',
  'headOfQueue',
  'aca',
  undefined,
  undefined,
  undefined,
];

export function wantsRead(view: DataView, at: number): boolean {
  return (view.getUint8(at + 1) & READ) !== 0;
}

export function wantsWrite(view: DataView, at: number): boolean {
  return (view.getUint8(at + 1) & WRITE) !== 0;
}

/** Undefined for the three reserved values. */
export function taskAttributeOf(view: DataView, at: number): TaskAttribute | undefined {
  return ATTRIBUTES[view.getUint8(at + 1) & 7];
}

export function expectedDataTransferLengthOf(view: DataView, at: number): number {
  return view.getUint32(at + 20);
}

export function cdbOffsetOf(at: number): number {
  return at + CDB_OFFSET;
}

/** RFC 7143 §11.4.1. The residual is told apart by the bits; none of them: no residual. */
export const Residual = {
  none: 0,
  underflow: 0x02,
  overflow: 0x04,
  bidirectionalUnderflow: 0x08,
  bidirectionalOverflow: 0x10,
} as const;

/** RFC 7143 §11.4.3. */
export const ServiceResponse = { commandCompleted: 0, targetFailure: 1 } as const;

export interface ScsiResponse {
  readonly initiatorTaskTag: number;
  readonly response: number;
  readonly status: number;
  readonly residualFlags: number;
  readonly residual: number;
  readonly bidirectionalResidual: number;
  readonly expDataSN: number;
  /** SenseLength and sense; 0 without. */
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeScsiResponse(view: DataView, at: number, pdu: ScsiResponse): void {
  const word0 =
    (ResponseOpcode.scsiResponse << 24) |
    ((FINAL | pdu.residualFlags) << 16) |
    (pdu.response << 8) |
    pdu.status;
  encodeStart(view, at, word0, pdu.dataLength);
  view.setUint32(at + 8, 0);
  view.setUint32(at + 12, 0);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, pdu.numbering);
  view.setUint32(at + 36, pdu.expDataSN);
  view.setUint32(at + 40, pdu.bidirectionalResidual);
  view.setUint32(at + 44, pdu.residual);
}
