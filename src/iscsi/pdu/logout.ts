/**
 * Logout Request (RFC 7143 §11.14) and Logout Response (§11.15).
 *
 *   request:  byte 1 1, reason (7)   16 ITT   20–21 CID   24 CmdSN   28 ExpStatSN
 *   response: byte 1 1   2 response   16 ITT   24 StatSN …   40–41 Time2Wait   42–43 Time2Retain
 */

import {
  encodeNumbering,
  encodeStart,
  encodeZeros,
  FINAL,
  initiatorTaskTagOf,
  type Numbering,
  ResponseOpcode,
} from './bhs.ts';

/** RFC 7143 §11.14.1. */
export const LogoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const;

/** RFC 7143 §11.15.1. */
export const LogoutOutcome = {
  closed: 0,
  cidNotFound: 1,
  recoveryNotSupported: 2,
  cleanupFailed: 3,
} as const;
export type LogoutOutcome = (typeof LogoutOutcome)[keyof typeof LogoutOutcome];

export interface LogoutRequest {
  /** As received; 3–127 are reserved. */
  readonly reason: number;
  readonly initiatorTaskTag: number;
  readonly cid: number;
}

export function decodeLogoutRequest(view: DataView, at: number): LogoutRequest {
  return {
    reason: view.getUint8(at + 1) & 0x7f,
    initiatorTaskTag: initiatorTaskTagOf(view, at),
    cid: view.getUint16(at + 20),
  };
}

export interface LogoutResponse {
  readonly response: LogoutOutcome;
  readonly initiatorTaskTag: number;
  /** Seconds. */
  readonly time2Wait: number;
  readonly time2Retain: number;
  readonly numbering: Numbering;
}

export function encodeLogoutResponse(view: DataView, at: number, pdu: LogoutResponse): void {
  encodeStart(view, at, (ResponseOpcode.logout << 24) | (FINAL << 16) | (pdu.response << 8), 0);
  encodeZeros(view, at, 8, 16);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, pdu.numbering);
  view.setUint32(at + 36, 0);
  view.setUint16(at + 40, pdu.time2Wait);
  view.setUint16(at + 42, pdu.time2Retain);
  view.setUint32(at + 44, 0);
}
