/**
 * Data from the initiator (RFC 7143 §4.2.5, §11.7, §11.8): immediate data, unsolicited Data-Out, and what is asked for
 * with R2Ts. Data arrives in order of offset (DataPDUInOrder and DataSequenceInOrder are always Yes here), so what is
 * there is always the first `received` bytes.
 *
 *   immediate ─► unsolicited (F=0 … F=1) ─► R2T, R2T … (at most MaxOutstandingR2T open) ─► all that is wanted
 *
 * Decisions only: `receive` says what became of a PDU, `nextRequest` what to ask for.
 */

import type { ReceivedBytes } from '../ports/byte-stream.ts';
import { RESERVED_TAG } from './pdu/bhs.ts';
import type { SessionParameters } from './login/parameters.ts';
import type { TransportFault } from './transport-sense.ts';

export interface DataOut {
  readonly segments: Uint8Array[];
  /** One per segment; released when the task ends. */
  readonly sources: ReceivedBytes[];
  received: number;
  /** Expected data transfer length. */
  readonly offered: number;
  /** End of the unsolicited data that is still to come; undefined when none is. */
  unsolicitedEnd: number | undefined;
  unsolicitedDataSN: number;
  /** How much the device server wants; undefined until it asks. */
  wanted: number | undefined;
  delivered: boolean;
  /** End of what was asked for with R2Ts. */
  requested: number;
  /** R2TSN of the next R2T; counts them, too. */
  r2tSN: number;
  /** Open R2Ts in the order they were sent. */
  readonly sequences: Sequence[];
  /** `received` when the watch for withheld data last looked, and for how long nothing has been added. */
  receivedWhenSeen: number;
  silentMs: number;
}

export const NEVER_SEEN = -1;

export interface Sequence {
  readonly targetTransferTag: number;
  readonly end: number;
  dataSN: number;
}

export interface DataOutPdu {
  readonly targetTransferTag: number;
  readonly dataSN: number;
  readonly bufferOffset: number;
  readonly length: number;
  readonly final: boolean;
}

export interface Request {
  readonly offset: number;
  readonly length: number;
}

/** The data that comes with the command or right behind it; `final` is the command's F bit. */
export function openDataOut(
  command: { readonly offered: number; readonly immediateLength: number; readonly final: boolean },
  parameters: SessionParameters,
): { readonly dataOut: DataOut; readonly fault: TransportFault | undefined } {
  const { offered, immediateLength, final } = command;
  const burst = Math.min(parameters.firstBurstLength, offered);
  const dataOut: DataOut = {
    segments: [],
    sources: [],
    received: 0,
    offered,
    unsolicitedEnd: final ? undefined : burst,
    unsolicitedDataSN: 0,
    wanted: undefined,
    delivered: false,
    requested: 0,
    r2tSN: 0,
    sequences: [],
    receivedWhenSeen: NEVER_SEEN,
    silentMs: 0,
  };
  return { dataOut, fault: openingFault(immediateLength, final, burst, parameters) };
}

function openingFault(
  immediateLength: number,
  final: boolean,
  burst: number,
  parameters: SessionParameters,
): TransportFault | undefined {
  if (immediateLength > 0 && !parameters.immediateData) return 'unexpectedUnsolicitedData';
  if (!final && parameters.initialR2T) return 'unexpectedUnsolicitedData';
  if (immediateLength > burst) return 'incorrectAmountOfData';
  // F=0 promises more, and the first burst is full.
  if (!final && immediateLength === burst) return 'incorrectAmountOfData';
  return undefined;
}

/** Takes one Data-Out PDU into account; its bytes are appended by the caller when there is no fault. */
export function receive(
  dataOut: DataOut,
  pdu: DataOutPdu,
  parameters: SessionParameters,
): TransportFault | undefined {
  return pdu.targetTransferTag === RESERVED_TAG
    ? receiveUnsolicited(dataOut, pdu, parameters)
    : receiveSolicited(dataOut, pdu);
}

function receiveUnsolicited(
  dataOut: DataOut,
  pdu: DataOutPdu,
  parameters: SessionParameters,
): TransportFault | undefined {
  const end = dataOut.unsolicitedEnd;
  if (end === undefined) return 'unexpectedUnsolicitedData';
  if (pdu.final) dataOut.unsolicitedEnd = undefined;
  if (pdu.dataSN !== dataOut.unsolicitedDataSN) return 'protocolServiceCrcError';
  dataOut.unsolicitedDataSN = (dataOut.unsolicitedDataSN + 1) >>> 0;
  const to = pdu.bufferOffset + pdu.length;
  if (pdu.bufferOffset !== dataOut.received || to > end) return 'incorrectAmountOfData';
  // More than a first burst is to come, so the unsolicited part must be exactly one (RFC 7143 §11.4.7.2).
  if (pdu.final && dataOut.offered > parameters.firstBurstLength && to !== end)
    return 'incorrectAmountOfData';
  if (!pdu.final && to === end) return 'incorrectAmountOfData';
  dataOut.received = to;
  return undefined;
}

function receiveSolicited(dataOut: DataOut, pdu: DataOutPdu): TransportFault | undefined {
  const sequence = dataOut.sequences[0];
  if (sequence === undefined || sequence.targetTransferTag !== pdu.targetTransferTag) {
    return 'incorrectAmountOfData';
  }
  if (pdu.final) dataOut.sequences.shift();
  if (pdu.dataSN !== sequence.dataSN) return 'protocolServiceCrcError';
  sequence.dataSN = (sequence.dataSN + 1) >>> 0;
  const to = pdu.bufferOffset + pdu.length;
  if (pdu.bufferOffset !== dataOut.received || to > sequence.end) return 'incorrectAmountOfData';
  if (pdu.final !== (to === sequence.end)) return 'incorrectAmountOfData';
  dataOut.received = to;
  return undefined;
}

/** All that was asked for is here. */
export function isComplete(dataOut: DataOut): boolean {
  return dataOut.wanted !== undefined && dataOut.received >= Math.min(dataOut.wanted, dataOut.offered);
}

/** Nothing more will come for this task, whatever it still lacks. */
export function isQuiet(dataOut: DataOut): boolean {
  return dataOut.unsolicitedEnd === undefined && dataOut.sequences.length === 0;
}

/** What to ask for next: not while unsolicited data is on its way, and never more than the negotiated R2Ts at once. */
export function nextRequest(dataOut: DataOut, parameters: SessionParameters): Request | undefined {
  if (dataOut.wanted === undefined || dataOut.unsolicitedEnd !== undefined) return undefined;
  if (dataOut.sequences.length >= parameters.maxOutstandingR2T) return undefined;
  const offset = Math.max(dataOut.requested, dataOut.received);
  const end = Math.min(dataOut.wanted, dataOut.offered);
  if (offset >= end) return undefined;
  return { offset, length: Math.min(parameters.maxBurstLength, end - offset) };
}

export function requested(dataOut: DataOut, request: Request, targetTransferTag: number): void {
  dataOut.requested = request.offset + request.length;
  dataOut.r2tSN++;
  dataOut.sequences.push({ targetTransferTag, end: dataOut.requested, dataSN: 0 });
}

export function releaseDataOut(dataOut: DataOut): void {
  for (const source of dataOut.sources) source.release();
  dataOut.sources.length = 0;
  dataOut.segments.length = 0;
}
