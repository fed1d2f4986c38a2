/**
 * Data-Out and Data-In (RFC 7143 §11.7) and Ready To Transfer (§11.8).
 *
 *   Data-Out: byte 1 F   8–15 LUN   16 ITT   20 TTT   28 ExpStatSN   36 DataSN   40 buffer offset
 *   Data-In:  byte 1 F A . . . O U S   byte 3 status (S=1)   16 ITT   20 TTT   24 StatSN …   36 DataSN   40 buffer offset
 *             44 residual count (S=1)
 *   R2T:      byte 1 1   8–15 LUN   16 ITT   20 TTT   24 StatSN …   36 R2TSN   40 buffer offset   44 desired length
 */

import { encodeNumbering, encodeStart, FINAL, type Numbering, RESERVED_TAG, ResponseOpcode } from './bhs.ts';

const STATUS_PRESENT = 0x01;

export function targetTransferTagOf(view: DataView, at: number): number {
  return view.getUint32(at + 20);
}

export function dataSNOf(view: DataView, at: number): number {
  return view.getUint32(at + 36);
}

export function bufferOffsetOf(view: DataView, at: number): number {
  return view.getUint32(at + 40);
}

export interface DataIn {
  readonly initiatorTaskTag: number;
  readonly final: boolean;
  /** Undefined: no status in this PDU, and StatSN is reserved. */
  readonly status: number | undefined;
  /** RFC 7143 §11.7.3: the two bits of `Residual` for the read direction; with status only. */
  readonly residualFlags: number;
  readonly residual: number;
  readonly dataSN: number;
  readonly bufferOffset: number;
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeDataIn(view: DataView, at: number, pdu: DataIn): void {
  const flags = (pdu.final ? FINAL : 0) | (pdu.status === undefined ? 0 : STATUS_PRESENT | pdu.residualFlags);
  encodeStart(
    view,
    at,
    (ResponseOpcode.dataIn << 24) | (flags << 16) | (pdu.status === undefined ? 0 : pdu.status),
    pdu.dataLength,
  );
  view.setUint32(at + 8, 0);
  view.setUint32(at + 12, 0);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, RESERVED_TAG);
  view.setUint32(at + 24, pdu.status === undefined ? 0 : pdu.numbering.statSN);
  view.setUint32(at + 28, pdu.numbering.expCmdSN);
  view.setUint32(at + 32, pdu.numbering.maxCmdSN);
  view.setUint32(at + 36, pdu.dataSN);
  view.setUint32(at + 40, pdu.bufferOffset);
  view.setUint32(at + 44, pdu.status === undefined ? 0 : pdu.residual);
}

export interface ReadyToTransfer {
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly r2tSN: number;
  readonly bufferOffset: number;
  readonly desiredLength: number;
  readonly numbering: Numbering;
}

export function encodeReadyToTransfer(view: DataView, at: number, pdu: ReadyToTransfer): void {
  encodeStart(view, at, (ResponseOpcode.r2t << 24) | (FINAL << 16), 0);
  view.setUint32(at + 8, pdu.lunHigh);
  view.setUint32(at + 12, pdu.lunLow);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, pdu.targetTransferTag);
  encodeNumbering(view, at, pdu.numbering);
  view.setUint32(at + 36, pdu.r2tSN);
  view.setUint32(at + 40, pdu.bufferOffset);
  view.setUint32(at + 44, pdu.desiredLength);
}
