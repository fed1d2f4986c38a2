/**
 * Basic header segment: what all PDUs share (RFC 7143 §11.2).
 *
 *   byte 0      . I opcode        I: immediate delivery (requests only)
 *   byte 1      F and opcode-specific bits
 *   byte 4      TotalAHSLength in 4-byte words
 *   bytes 5–7   DataSegmentLength without padding
 *   bytes 8–15  LUN or opcode-specific
 *   bytes 16–19 initiator task tag
 *   bytes 20–47 opcode-specific; for most: target transfer tag, StatSN, ExpCmdSN, MaxCmdSN / CmdSN, ExpStatSN
 *
 * All functions take one DataView and the offset of the header in it. Encoders write all 48 bytes.
 */

export const BHS_LENGTH = 48;
export const DIGEST_LENGTH = 4;
/** The reserved tag: "no task" and "no transfer". */
export const RESERVED_TAG = 0xffffffff;
export const FINAL = 0x80;

/** RFC 7143 §11.2.1.2, initiator opcodes. */
export const RequestOpcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagement: 0x02,
  login: 0x03,
  text: 0x04,
  dataOut: 0x05,
  logout: 0x06,
  snack: 0x10,
} as const;
export type RequestOpcode = (typeof RequestOpcode)[keyof typeof RequestOpcode];

/** RFC 7143 §11.2.1.2, target opcodes. */
export const ResponseOpcode = {
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagement: 0x22,
  login: 0x23,
  text: 0x24,
  dataIn: 0x25,
  logout: 0x26,
  r2t: 0x31,
  asyncMessage: 0x32,
  reject: 0x3f,
} as const;
export type ResponseOpcode = (typeof ResponseOpcode)[keyof typeof ResponseOpcode];

/** What every numbered response carries; the connection and its session fill it in. */
export interface Numbering {
  readonly statSN: number;
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

export function opcodeOf(view: DataView, at: number): number {
  return view.getUint8(at) & 0x3f;
}

export function isImmediate(view: DataView, at: number): boolean {
  return (view.getUint8(at) & 0x40) !== 0;
}

export function isFinal(view: DataView, at: number): boolean {
  return (view.getUint8(at + 1) & FINAL) !== 0;
}

/** Bytes of all additional header segments. */
export function ahsLengthOf(view: DataView, at: number): number {
  return view.getUint8(at + 4) << 2;
}

/** Bytes of data, without padding. */
export function dataLengthOf(view: DataView, at: number): number {
  return view.getUint32(at + 4) & 0xffffff;
}

export function initiatorTaskTagOf(view: DataView, at: number): number {
  return view.getUint32(at + 16);
}

/** Where requests that are numbered carry CmdSN (all but Data-Out and SNACK). */
export function cmdSNOf(view: DataView, at: number): number {
  return view.getUint32(at + 24);
}

/** Every request carries ExpStatSN here (login, too). */
export function expStatSNOf(view: DataView, at: number): number {
  return view.getUint32(at + 28);
}

/** `length` rounded up to whole words (RFC 7143 §11.1). */
export function padded(length: number): number {
  return (length + 3) & ~3;
}

/** First two words of a response: opcode, flags, two opcode-specific bytes, no AHS, the data's length. */
export function encodeStart(view: DataView, at: number, word0: number, dataLength: number): void {
  view.setUint32(at, word0);
  view.setUint32(at + 4, dataLength);
}

export function encodeNumbering(view: DataView, at: number, numbering: Numbering): void {
  view.setUint32(at + 24, numbering.statSN);
  view.setUint32(at + 28, numbering.expCmdSN);
  view.setUint32(at + 32, numbering.maxCmdSN);
}

/** Writes zero words over `from` … `to` (both word-aligned, relative to the header). */
export function encodeZeros(view: DataView, at: number, from: number, to: number): void {
  for (let offset = from; offset < to; offset += 4) view.setUint32(at + offset, 0);
}
