/**
 * Asynchronous Message (RFC 7143 §11.9).
 *
 *   byte 1 1   8–15 LUN (SCSI event)   16 FFFFFFFFh   24 StatSN …   36 AsyncEvent   37 AsyncVCode
 *   38–43 Parameter1, 2, 3   data (SCSI event): SenseLength (2), sense
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

/** RFC 7143 §11.9.1. */
export const AsyncEvent = {
  scsi: 0,
  logoutRequest: 1,
  dropConnection: 2,
  dropSession: 3,
  negotiate: 4,
} as const;
export type AsyncEvent = (typeof AsyncEvent)[keyof typeof AsyncEvent];

export interface AsyncMessage {
  readonly event: AsyncEvent;
  readonly lunHigh: number;
  readonly lunLow: number;
  /** Meanings by event: CID, Time2Wait, Time2Retain (or, for a logout request, seconds to log out in parameter3). */
  readonly parameter1: number;
  readonly parameter2: number;
  readonly parameter3: number;
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeAsyncMessage(view: DataView, at: number, pdu: AsyncMessage): void {
  encodeStart(view, at, (ResponseOpcode.asyncMessage << 24) | (FINAL << 16), pdu.dataLength);
  view.setUint32(at + 8, pdu.lunHigh);
  view.setUint32(at + 12, pdu.lunLow);
  view.setUint32(at + 16, RESERVED_TAG);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, pdu.numbering);
  encodeZeros(view, at, 36, 48);
  view.setUint8(at + 36, pdu.event);
  view.setUint16(at + 38, pdu.parameter1);
  view.setUint16(at + 40, pdu.parameter2);
  view.setUint16(at + 42, pdu.parameter3);
}
