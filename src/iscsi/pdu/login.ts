/**
 * Login Request (RFC 7143 §11.12) and Login Response (§11.13).
 *
 *   request:  byte 1 T C . . CSG(2) NSG(2)   2 version-max   3 version-min   8–13 ISID   14–15 TSIH   16 ITT   20–21 CID
 *             24 CmdSN   28 ExpStatSN
 *   response: byte 1 the same   2 version-max   3 version-active   8–15 ISID, TSIH   16 ITT   24 StatSN …   36 class  37 detail
 */

import type { LoginRequest, LoginResponse } from '../login/messages.ts';
import {
  cmdSNOf,
  encodeNumbering,
  encodeStart,
  encodeZeros,
  expStatSNOf,
  initiatorTaskTagOf,
  type Numbering,
  ResponseOpcode,
} from './bhs.ts';

const TRANSIT = 0x80;
const CONTINUE = 0x40;
/** RFC 7143 is protocol version 0. */
const VERSION = 0;

/** `text` is the data segment in one piece. */
export function decodeLoginRequest(view: DataView, at: number, text: Uint8Array): LoginRequest {
  const flags = view.getUint8(at + 1);
  return {
    transit: (flags & TRANSIT) !== 0,
    continued: (flags & CONTINUE) !== 0,
    currentStage: (flags >> 2) & 3,
    nextStage: flags & 3,
    versionMax: view.getUint8(at + 2),
    versionMin: view.getUint8(at + 3),
    isid:
      view
        .getUint32(at + 8)
        .toString(16)
        .padStart(8, '0') +
      view
        .getUint16(at + 12)
        .toString(16)
        .padStart(4, '0'),
    tsih: view.getUint16(at + 14),
    initiatorTaskTag: initiatorTaskTagOf(view, at),
    cid: view.getUint16(at + 20),
    cmdSN: cmdSNOf(view, at),
    expStatSN: expStatSNOf(view, at),
    text,
  };
}

export function encodeLoginResponse(
  view: DataView,
  at: number,
  pdu: LoginResponse,
  numbering: Numbering,
): void {
  const flags =
    (pdu.transit ? TRANSIT : 0) |
    (pdu.continued ? CONTINUE : 0) |
    (pdu.currentStage << 2) |
    (pdu.transit ? pdu.nextStage : 0);
  encodeStart(
    view,
    at,
    (ResponseOpcode.login << 24) | (flags << 16) | (VERSION << 8) | VERSION,
    pdu.text.length,
  );
  view.setUint32(at + 8, Number.parseInt(pdu.isid.slice(0, 8), 16));
  view.setUint16(at + 12, Number.parseInt(pdu.isid.slice(8), 16));
  view.setUint16(at + 14, pdu.tsih);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, numbering);
  encodeZeros(view, at, 36, 48);
  view.setUint8(at + 36, pdu.statusClass);
  view.setUint8(at + 37, pdu.statusDetail);
}
