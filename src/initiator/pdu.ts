/**
 * The initiator's half of the PDUs (RFC 7143 §11): requests encoded, responses decoded. What both halves share is in
 * `iscsi/pdu/bhs.ts`. Encoders return a whole header of 48 bytes; the data segment follows it as it is.
 */

import { BHS_LENGTH, FINAL, initiatorTaskTagOf, RequestOpcode, RESERVED_TAG } from '../iscsi/pdu/bhs.ts';

const IMMEDIATE = 0x40;
const READ = 0x40;
const WRITE = 0x20;
const SIMPLE = 1;
const CDB_AT = 32;
const STATUS_PRESENT = 0x01;

/** Every request carries them. */
export interface RequestNumbers {
  readonly cmdSN: number;
  readonly expStatSN: number;
}

function header(word0: number, dataLength: number, tag: number, numbers: RequestNumbers): DataView {
  const view = new DataView(new ArrayBuffer(BHS_LENGTH));
  view.setUint32(0, word0);
  view.setUint32(4, dataLength);
  view.setUint32(16, tag);
  view.setUint32(24, numbers.cmdSN);
  view.setUint32(28, numbers.expStatSN);
  return view;
}

export interface LoginFields extends RequestNumbers {
  /** Six bytes: the first four and the last two. */
  readonly isidHigh: number;
  readonly isidLow: number;
  readonly currentStage: number;
  readonly nextStage: number;
  readonly dataLength: number;
}

/** RFC 7143 §11.12: immediate, with the wish to move on, for a new session. */
export function encodeLogin(fields: LoginFields): Uint8Array {
  const { isidHigh, isidLow, currentStage, nextStage, dataLength } = fields;
  const flags = FINAL | (currentStage << 2) | nextStage;
  const view = header(
    (((IMMEDIATE | RequestOpcode.login) << 24) | (flags << 16)) >>> 0,
    dataLength,
    0,
    fields,
  );
  view.setUint32(8, isidHigh);
  view.setUint16(12, isidLow);
  return bytesOf(view);
}

export interface CommandFields extends RequestNumbers {
  readonly tag: number;
  readonly lunHigh: number;
  readonly cdb: Uint8Array;
  readonly direction: 'none' | 'read' | 'write';
  /** Bytes in that direction. */
  readonly expectedLength: number;
  readonly immediateLength: number;
}

/** RFC 7143 §11.3: no unsolicited data follows what comes with the command. */
export function encodeCommand(fields: CommandFields): Uint8Array {
  const { tag, lunHigh, cdb, direction, expectedLength, immediateLength } = fields;
  const way = { none: 0, read: READ, write: WRITE }[direction];
  const word0 = (RequestOpcode.scsiCommand << 24) | ((FINAL | way | SIMPLE) << 16);
  const view = header(word0, immediateLength, tag, fields);
  view.setUint32(8, lunHigh);
  view.setUint32(20, expectedLength);
  const bytes = bytesOf(view);
  bytes.set(cdb, CDB_AT);
  return bytes;
}

export interface DataOutFields {
  readonly tag: number;
  readonly lunHigh: number;
  readonly targetTransferTag: number;
  readonly expStatSN: number;
  readonly dataSN: number;
  readonly bufferOffset: number;
  readonly dataLength: number;
  readonly isFinal: boolean;
}

/** RFC 7143 §11.7. */
export function encodeDataOut(fields: DataOutFields): Uint8Array {
  const word0 = (RequestOpcode.dataOut << 24) | (fields.isFinal ? FINAL << 16 : 0);
  const view = header(word0, fields.dataLength, fields.tag, { cmdSN: 0, expStatSN: fields.expStatSN });
  view.setUint32(8, fields.lunHigh);
  view.setUint32(20, fields.targetTransferTag);
  view.setUint32(36, fields.dataSN);
  view.setUint32(40, fields.bufferOffset);
  return bytesOf(view);
}

export interface NopOutFields extends RequestNumbers {
  /** RESERVED_TAG: the answer to a ping of the target. */
  readonly tag: number;
  readonly targetTransferTag: number;
  readonly lunHigh: number;
  readonly lunLow: number;
}

/** RFC 7143 §11.18, immediate. */
export function encodeNopOut(fields: NopOutFields): Uint8Array {
  const word0 = (((IMMEDIATE | RequestOpcode.nopOut) << 24) | (FINAL << 16)) >>> 0;
  const view = header(word0, 0, fields.tag, fields);
  view.setUint32(8, fields.lunHigh);
  view.setUint32(12, fields.lunLow);
  view.setUint32(20, fields.targetTransferTag);
  return bytesOf(view);
}

/** RFC 7143 §11.14: closes the session. */
export function encodeLogout(tag: number, numbers: RequestNumbers): Uint8Array {
  const word0 = (((IMMEDIATE | RequestOpcode.logout) << 24) | (FINAL << 16)) >>> 0;
  return bytesOf(header(word0, 0, tag, numbers));
}

export interface LoginAnswer {
  readonly isTransit: boolean;
  readonly isContinued: boolean;
  readonly nextStage: number;
  readonly statusClass: number;
  readonly statusDetail: number;
}

/** RFC 7143 §11.13. */
export function decodeLogin(view: DataView, at: number): LoginAnswer {
  const flags = view.getUint8(at + 1);
  return {
    isTransit: (flags & FINAL) !== 0,
    isContinued: (flags & 0x40) !== 0,
    nextStage: flags & 3,
    statusClass: view.getUint8(at + 36),
    statusDetail: view.getUint8(at + 37),
  };
}

export interface ResponseNumbers {
  readonly statSN: number;
  readonly expCmdSN: number;
  readonly maxCmdSN: number;
}

export function decodeNumbers(view: DataView, at: number): ResponseNumbers {
  return {
    statSN: view.getUint32(at + 24),
    expCmdSN: view.getUint32(at + 28),
    maxCmdSN: view.getUint32(at + 32),
  };
}

export interface CommandAnswer {
  readonly tag: number;
  /** 0: the command was completed, and the status counts. */
  readonly response: number;
  readonly status: number;
}

/** RFC 7143 §11.4. */
export function decodeCommandAnswer(view: DataView, at: number): CommandAnswer {
  return {
    tag: initiatorTaskTagOf(view, at),
    response: view.getUint8(at + 2),
    status: view.getUint8(at + 3),
  };
}

export interface DataInFields {
  readonly tag: number;
  /** Undefined: none with this PDU, and no StatSN either. */
  readonly status: number | undefined;
  readonly bufferOffset: number;
}

/** RFC 7143 §11.7. */
export function decodeDataIn(view: DataView, at: number): DataInFields {
  const hasStatus = (view.getUint8(at + 1) & STATUS_PRESENT) !== 0;
  return {
    tag: initiatorTaskTagOf(view, at),
    status: hasStatus ? view.getUint8(at + 3) : undefined,
    bufferOffset: view.getUint32(at + 40),
  };
}

export interface ReadyFields {
  readonly tag: number;
  readonly targetTransferTag: number;
  readonly bufferOffset: number;
  readonly desiredLength: number;
}

/** RFC 7143 §11.8. */
export function decodeReady(view: DataView, at: number): ReadyFields {
  return {
    tag: initiatorTaskTagOf(view, at),
    targetTransferTag: view.getUint32(at + 20),
    bufferOffset: view.getUint32(at + 40),
    desiredLength: view.getUint32(at + 44),
  };
}

export interface NopInFields {
  readonly tag: number;
  readonly targetTransferTag: number;
  readonly lunHigh: number;
  readonly lunLow: number;
}

/** RFC 7143 §11.19. */
export function decodeNopIn(view: DataView, at: number): NopInFields {
  return {
    tag: initiatorTaskTagOf(view, at),
    targetTransferTag: view.getUint32(at + 20),
    lunHigh: view.getUint32(at + 8),
    lunLow: view.getUint32(at + 12),
  };
}

/** The target wants an answer (RFC 7143 §11.19). */
export function asksForAnswer({ targetTransferTag }: NopInFields): boolean {
  return targetTransferTag !== RESERVED_TAG;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
