/**
 * NOP-Out (RFC 7143 §11.18) and NOP-In (§11.19).
 *
 *   NOP-Out: byte 1 1   8–15 LUN   16 ITT (reserved: no answer wanted)   20 TTT (reserved: not an answer)   24 CmdSN   28 ExpStatSN
 *   NOP-In:  byte 1 1   8–15 LUN   16 ITT   20 TTT   24 StatSN …   data: the ping data returned
 */

import { encodeNumbering, encodeStart, encodeZeros, FINAL, type Numbering, ResponseOpcode } from './bhs.ts';

export interface NopIn {
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeNopIn(view: DataView, at: number, pdu: NopIn): void {
  encodeStart(view, at, (ResponseOpcode.nopIn << 24) | (FINAL << 16), pdu.dataLength);
  view.setUint32(at + 8, pdu.lunHigh);
  view.setUint32(at + 12, pdu.lunLow);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, pdu.targetTransferTag);
  encodeNumbering(view, at, pdu.numbering);
  encodeZeros(view, at, 36, 48);
}
