/**
 * Reject (RFC 7143 §11.17); its data segment is the header of the PDU that was rejected.
 *
 *   byte 1 1   2 reason   16 FFFFFFFFh   24 StatSN …   36 DataSN/R2TSN (0 here)
 */

import {
  encodeNumbering,
  encodeStart,
  encodeZeros,
  FINAL,
  type Numbering,
  RESERVED_TAG,
  ResponseOpcode,
} from './bhs.ts';

/** RFC 7143 §11.17.1. */
export const RejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  tooManyImmediateCommands: 0x06,
  taskInProgress: 0x07,
  invalidDataAck: 0x08,
  invalidPduField: 0x09,
  outOfResources: 0x0a,
  waitingForLogout: 0x0c,
} as const;
export type RejectReason = (typeof RejectReason)[keyof typeof RejectReason];

export interface Reject {
  readonly reason: RejectReason;
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeReject(view: DataView, at: number, pdu: Reject): void {
  encodeStart(view, at, (ResponseOpcode.reject << 24) | (FINAL << 16) | (pdu.reason << 8), pdu.dataLength);
  encodeZeros(view, at, 8, 16);
  view.setUint32(at + 16, RESERVED_TAG);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, pdu.numbering);
  encodeZeros(view, at, 36, 48);
}
