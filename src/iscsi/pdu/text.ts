/**
 * Text Request (RFC 7143 §11.10) and Text Response (§11.11).
 *
 *   request:  byte 1 F C   8–15 LUN   16 ITT   20 TTT   24 CmdSN   28 ExpStatSN   data: key=value pairs, each ended by NUL
 *   response: byte 1 F C   8–15 LUN   16 ITT   20 TTT (reserved when F=1)   24 StatSN …   data: the same
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
import { targetTransferTagOf } from './data-transfer.ts';

const CONTINUE = 0x40;

export interface TextRequest {
  readonly final: boolean;
  readonly continued: boolean;
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
}

export function decodeTextRequest(view: DataView, at: number): TextRequest {
  const flags = view.getUint8(at + 1);
  return {
    final: (flags & FINAL) !== 0,
    continued: (flags & CONTINUE) !== 0,
    lunHigh: view.getUint32(at + 8),
    lunLow: view.getUint32(at + 12),
    initiatorTaskTag: initiatorTaskTagOf(view, at),
    targetTransferTag: targetTransferTagOf(view, at),
  };
}

export interface TextResponse {
  readonly final: boolean;
  readonly continued: boolean;
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly dataLength: number;
  readonly numbering: Numbering;
}

export function encodeTextResponse(view: DataView, at: number, pdu: TextResponse): void {
  const flags = (pdu.final ? FINAL : 0) | (pdu.continued ? CONTINUE : 0);
  encodeStart(view, at, (ResponseOpcode.text << 24) | (flags << 16), pdu.dataLength);
  view.setUint32(at + 8, pdu.lunHigh);
  view.setUint32(at + 12, pdu.lunLow);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, pdu.targetTransferTag);
  encodeNumbering(view, at, pdu.numbering);
  encodeZeros(view, at, 36, 48);
}
