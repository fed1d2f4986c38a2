/**
 * Sense data (SPC-4 §4.5). Handlers name a reason; this one table knows its sense key and additional sense code, and
 * one encoder turns it into fixed or descriptor format. Nobody else builds sense bytes.
 */

import { Status } from '../ports/scsi-target.ts';

/** SPC-4 table 56. */
const SenseKey = {
  NO_SENSE: 0x0,
  RECOVERED_ERROR: 0x1,
  NOT_READY: 0x2,
  MEDIUM_ERROR: 0x3,
  HARDWARE_ERROR: 0x4,
  ILLEGAL_REQUEST: 0x5,
  UNIT_ATTENTION: 0x6,
  DATA_PROTECT: 0x7,
  COPY_ABORTED: 0xa,
  ABORTED_COMMAND: 0xb,
  MISCOMPARE: 0xe,
  COMPLETED: 0xf,
} as const;

type Row = readonly [key: number, asc: number, ascq: number];

const { NO_SENSE, NOT_READY, MEDIUM_ERROR, HARDWARE_ERROR, ILLEGAL_REQUEST } = SenseKey;
const { UNIT_ATTENTION, DATA_PROTECT, COPY_ABORTED, ABORTED_COMMAND, MISCOMPARE } = SenseKey;

/** Reason → sense key, ASC, ASCQ (SPC-4 table D.2). */
export const SENSE = {
  noSense: [NO_SENSE, 0x00, 0x00],
  sanitizeInProgressNoSense: [NO_SENSE, 0x00, 0x1e],

  notReadyBecomingReady: [NOT_READY, 0x04, 0x01],
  notReadyInitializingRequired: [NOT_READY, 0x04, 0x02],
  notReadyManualIntervention: [NOT_READY, 0x04, 0x03],
  notReadyAsymmetricTransition: [NOT_READY, 0x04, 0x0a],
  notReadyPortStandby: [NOT_READY, 0x04, 0x0b],
  notReadyPortUnavailable: [NOT_READY, 0x04, 0x0c],
  sanitizeInProgress: [NOT_READY, 0x04, 0x1b],
  mediumNotPresent: [NOT_READY, 0x3a, 0x00],

  writeError: [MEDIUM_ERROR, 0x0c, 0x00],
  unrecoveredReadError: [MEDIUM_ERROR, 0x11, 0x00],
  sanitizeCommandFailed: [MEDIUM_ERROR, 0x31, 0x03],

  internalTargetFailure: [HARDWARE_ERROR, 0x44, 0x00],

  operationInProgress: [ILLEGAL_REQUEST, 0x00, 0x16],
  parameterListLengthError: [ILLEGAL_REQUEST, 0x1a, 0x00],
  invalidOpcode: [ILLEGAL_REQUEST, 0x20, 0x00],
  lbaOutOfRange: [ILLEGAL_REQUEST, 0x21, 0x00],
  invalidFieldInCdb: [ILLEGAL_REQUEST, 0x24, 0x00],
  logicalUnitNotSupported: [ILLEGAL_REQUEST, 0x25, 0x00],
  invalidFieldInParameterList: [ILLEGAL_REQUEST, 0x26, 0x00],
  parameterNotSupported: [ILLEGAL_REQUEST, 0x26, 0x01],
  parameterValueInvalid: [ILLEGAL_REQUEST, 0x26, 0x02],
  invalidReleaseOfPersistentReservation: [ILLEGAL_REQUEST, 0x26, 0x04],
  tooManyTargetDescriptors: [ILLEGAL_REQUEST, 0x26, 0x06],
  unsupportedTargetDescriptorType: [ILLEGAL_REQUEST, 0x26, 0x07],
  tooManySegmentDescriptors: [ILLEGAL_REQUEST, 0x26, 0x08],
  unsupportedSegmentDescriptorType: [ILLEGAL_REQUEST, 0x26, 0x09],
  inlineDataLengthExceeded: [ILLEGAL_REQUEST, 0x26, 0x0b],
  tokenTypeUnsupported: [ILLEGAL_REQUEST, 0x23, 0x01],
  tokenRemote: [ILLEGAL_REQUEST, 0x23, 0x02],
  tokenUnknown: [ILLEGAL_REQUEST, 0x23, 0x04],
  tokenCorrupt: [ILLEGAL_REQUEST, 0x23, 0x05],
  tokenRevoked: [ILLEGAL_REQUEST, 0x23, 0x06],
  tokenExpired: [ILLEGAL_REQUEST, 0x23, 0x07],
  tokenCancelled: [ILLEGAL_REQUEST, 0x23, 0x08],
  tokenDeleted: [ILLEGAL_REQUEST, 0x23, 0x09],
  tokenLengthInvalid: [ILLEGAL_REQUEST, 0x23, 0x0a],
  commandSequenceError: [ILLEGAL_REQUEST, 0x2c, 0x00],
  savingParametersNotSupported: [ILLEGAL_REQUEST, 0x39, 0x00],
  invalidFieldInInformationUnit: [ILLEGAL_REQUEST, 0x0e, 0x03],
  invalidMessageError: [ILLEGAL_REQUEST, 0x49, 0x00],
  mediumRemovalPrevented: [ILLEGAL_REQUEST, 0x53, 0x02],
  insufficientReservationResources: [ILLEGAL_REQUEST, 0x55, 0x02],
  insufficientResources: [ILLEGAL_REQUEST, 0x55, 0x03],
  insufficientRegistrationResources: [ILLEGAL_REQUEST, 0x55, 0x04],

  mediumMayHaveChanged: [UNIT_ATTENTION, 0x28, 0x00],
  powerOnOrReset: [UNIT_ATTENTION, 0x29, 0x00],
  scsiBusReset: [UNIT_ATTENTION, 0x29, 0x02],
  busDeviceReset: [UNIT_ATTENTION, 0x29, 0x03],
  deviceInternalReset: [UNIT_ATTENTION, 0x29, 0x04],
  nexusLoss: [UNIT_ATTENTION, 0x29, 0x07],
  modeParametersChanged: [UNIT_ATTENTION, 0x2a, 0x01],
  reservationsPreempted: [UNIT_ATTENTION, 0x2a, 0x03],
  reservationsReleased: [UNIT_ATTENTION, 0x2a, 0x04],
  registrationsPreempted: [UNIT_ATTENTION, 0x2a, 0x05],
  asymmetricAccessStateChanged: [UNIT_ATTENTION, 0x2a, 0x06],
  capacityDataChanged: [UNIT_ATTENTION, 0x2a, 0x09],
  commandsClearedByAnotherInitiator: [UNIT_ATTENTION, 0x2f, 0x00],
  provisioningSoftThresholdReached: [UNIT_ATTENTION, 0x38, 0x07],
  inquiryDataChanged: [UNIT_ATTENTION, 0x3f, 0x03],
  reportedLunsChanged: [UNIT_ATTENTION, 0x3f, 0x0e],

  writeProtected: [DATA_PROTECT, 0x27, 0x00],
  softwareWriteProtected: [DATA_PROTECT, 0x27, 0x02],
  spaceAllocationFailedWriteProtect: [DATA_PROTECT, 0x27, 0x07],

  copyAborted: [COPY_ABORTED, 0x00, 0x00],
  copyThirdPartyDeviceFailure: [COPY_ABORTED, 0x0d, 0x01],
  copyTargetDeviceNotReachable: [COPY_ABORTED, 0x0d, 0x02],
  copyUnexpectedInexactSegment: [COPY_ABORTED, 0x26, 0x0a],
  copyTargetDeviceDataUnderrun: [COPY_ABORTED, 0x0d, 0x04],
  copyTargetDeviceDataOverrun: [COPY_ABORTED, 0x0d, 0x05],
  copySegmentInvalidField: [COPY_ABORTED, 0x26, 0x00],
  copyTargetUnsupported: [COPY_ABORTED, 0x26, 0x07],

  commandsClearedByDeviceServer: [ABORTED_COMMAND, 0x2f, 0x02],
  notEnoughUnsolicitedData: [ABORTED_COMMAND, 0x0c, 0x0d],

  miscompareDuringVerify: [MISCOMPARE, 0x1d, 0x00],
} as const satisfies Record<string, Row>;

export type SenseReason = keyof typeof SENSE;

/** Reasons that end a command with a status that carries no sense data. */
const PLAIN_STATUS = {
  busy: Status.BUSY,
  reservationConflict: Status.RESERVATION_CONFLICT,
  taskSetFull: Status.TASK_SET_FULL,
} as const;

export type StatusReason = keyof typeof PLAIN_STATUS;

/** Where the wrong field starts (SPC-4 §4.5.2.4.2). */
export interface FieldPointer {
  readonly in: 'cdb' | 'parameterList';
  readonly byte: number;
  /** The most significant bit of the field, when it is less than a byte. */
  readonly bit?: number;
}

/** Why a command did not end GOOD. */
export interface Fault {
  readonly reason: SenseReason | StatusReason;
  /** INFORMATION: an LBA, or the offset of a miscompare. */
  readonly information?: number;
  readonly commandSpecific?: number;
  readonly field?: FieldPointer;
  /** PROGRESS INDICATION, in 65536ths (NOT READY and NO SENSE). */
  readonly progress?: number;
  /** COPY ABORTED: the segment descriptor that failed goes to COMMAND-SPECIFIC by its user; here the byte at fault. */
  readonly segmentField?: number;
}

export type SenseFormat = 'fixed' | 'descriptor';

/** The common faults carry nothing but their reason: one shared object each. */
const shared = new Map<string, Fault>();

/** The fault that is nothing but its reason. */
export function fault(reason: SenseReason | StatusReason): Fault {
  let known = shared.get(reason);
  if (known === undefined) {
    known = { reason };
    shared.set(reason, known);
  }
  return known;
}

export function invalidCdbField(byte: number, bit?: number): Fault {
  const field: FieldPointer = bit === undefined ? { in: 'cdb', byte } : { in: 'cdb', byte, bit };
  return { reason: 'invalidFieldInCdb', field };
}

export function invalidParameter(byte: number, bit?: number): Fault {
  const field: FieldPointer =
    bit === undefined ? { in: 'parameterList', byte } : { in: 'parameterList', byte, bit };
  return { reason: 'invalidFieldInParameterList', field };
}

/** The status that reports `fault`. */
export function statusOf(reason: SenseReason | StatusReason): Status {
  return isPlain(reason) ? PLAIN_STATUS[reason] : Status.CHECK_CONDITION;
}

function isPlain(reason: SenseReason | StatusReason): reason is StatusReason {
  return reason in PLAIN_STATUS;
}

/** Sense data of `fault`; undefined for reasons that are only a status. */
export function encodeSense(fault: Fault, format: SenseFormat): Uint8Array | undefined {
  if (isPlain(fault.reason)) return undefined;
  return format === 'fixed'
    ? encodeFixed(SENSE[fault.reason], fault)
    : encodeDescriptors(SENSE[fault.reason], fault);
}

/** SPC-4 §4.5.3: 18 bytes, response code 70h. */
function encodeFixed([key, asc, ascq]: Row, fault: Fault): Uint8Array {
  const bytes = new Uint8Array(18);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x70;
  bytes[2] = key;
  bytes[7] = 10;
  bytes[12] = asc;
  bytes[13] = ascq;
  // VALID only when the value fits: a cut LBA would name a wrong block.
  if (fault.information !== undefined && fault.information <= 0xffffffff) {
    bytes[0] = 0xf0;
    view.setUint32(3, fault.information);
  }
  if (fault.commandSpecific !== undefined && fault.commandSpecific <= 0xffffffff) {
    view.setUint32(8, fault.commandSpecific);
  }
  writeKeySpecific(view, 15, fault);
  return bytes;
}

/** SPC-4 §4.5.2: response code 72h and a descriptor for each value. */
function encodeDescriptors([key, asc, ascq]: Row, fault: Fault): Uint8Array {
  const bytes = new Uint8Array(8 + 12 + 12 + 8);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x72;
  bytes[1] = key;
  bytes[2] = asc;
  bytes[3] = ascq;
  let at = 8;
  if (fault.information !== undefined) {
    bytes[at + 1] = 0x0a;
    bytes[at + 2] = 0x80;
    view.setBigUint64(at + 4, BigInt(fault.information));
    at += 12;
  }
  if (fault.commandSpecific !== undefined) {
    bytes[at] = 0x01;
    bytes[at + 1] = 0x0a;
    view.setBigUint64(at + 4, BigInt(fault.commandSpecific));
    at += 12;
  }
  if (writeKeySpecific(view, at + 4, fault)) {
    bytes[at] = 0x02;
    bytes[at + 1] = 0x06;
    at += 8;
  }
  bytes[7] = at - 8;
  return bytes.subarray(0, at);
}

/** Sense key specific data (SPC-4 §4.5.2.4), three bytes with SKSV. */
function writeKeySpecific(view: DataView, at: number, fault: Fault): boolean {
  if (fault.field !== undefined) {
    const inCdb = fault.field.in === 'cdb' ? 0x40 : 0;
    const bit = fault.field.bit === undefined ? 0 : 0x08 | fault.field.bit;
    view.setUint8(at, 0x80 | inCdb | bit);
    view.setUint16(at + 1, fault.field.byte);
    return true;
  }
  if (fault.progress !== undefined) {
    view.setUint8(at, 0x80);
    view.setUint16(at + 1, fault.progress);
    return true;
  }
  if (fault.segmentField !== undefined) {
    view.setUint8(at, 0xa0);
    view.setUint16(at + 1, fault.segmentField);
    return true;
  }
  return false;
}
