/**
 * The end of a command: Data-In, residuals and status (RFC 7143 §11.4, §11.7). GOOD status without sense travels in the
 * last Data-In; everything else in a SCSI Response.
 */

import type { Loan } from '../ports/block-device.ts';
import { Status } from '../ports/scsi-target.ts';
import { COPIED_BYTES_MAX } from './output.ts';
import { encodeDataIn } from './pdu/data-transfer.ts';
import { encodeScsiResponse, Residual, ServiceResponse } from './pdu/scsi-command.ts';
import { segmentsLength } from './segments.ts';
import type { Sender } from './sender.ts';
import type { SessionParameters } from './login/parameters.ts';
import type { ScsiTask } from './task.ts';

const SENSE_LENGTH_FIELD = 2;

export interface Residuals {
  readonly flags: number;
  readonly residual: number;
  readonly bidirectionalResidual: number;
}

const NO_RESIDUALS: Residuals = { flags: Residual.none, residual: 0, bidirectionalResidual: 0 };

/**
 * What the command would have moved against what the initiator offered (RFC 7143 §11.4.5). For a command in both
 * directions the plain residual is the data-out's.
 */
function residualsOf(task: ScsiTask, dataInLength: number): Residuals {
  const dataOutLength = task.dataOut?.wanted ?? 0;
  const outDifference = dataOutLength - task.dataOutBufferLength;
  const inDifference = dataInLength - task.dataInBufferLength;
  if (outDifference === 0 && inDifference === 0) return NO_RESIDUALS;
  const bidirectional = task.dataOutBufferLength > 0 && task.dataInBufferLength > 0;
  if (!bidirectional) {
    const difference = outDifference === 0 ? inDifference : outDifference;
    return {
      flags: difference > 0 ? Residual.overflow : Residual.underflow,
      residual: Math.abs(difference),
      bidirectionalResidual: 0,
    };
  }
  return {
    flags:
      flagOf(outDifference, Residual.overflow, Residual.underflow) |
      flagOf(inDifference, Residual.bidirectionalOverflow, Residual.bidirectionalUnderflow),
    residual: Math.abs(outDifference),
    bidirectionalResidual: Math.abs(inDifference),
  };
}

function flagOf(difference: number, overflow: number, underflow: number): number {
  if (difference === 0) return Residual.none;
  return difference > 0 ? overflow : underflow;
}

/** Queues data, status and sense; the loan goes back when its bytes have been sent, or copied if they are few. */
export function sendCompletion(
  sender: Sender,
  parameters: SessionParameters,
  task: ScsiTask,
  completion: {
    readonly status: number;
    readonly sense: Uint8Array | undefined;
    readonly dataIn: Loan | undefined;
  },
): void {
  const { status, sense, dataIn } = completion;
  const available = dataIn === undefined ? 0 : segmentsLength(dataIn.segments);
  const residuals = residualsOf(task, available);
  const length = Math.min(available, task.dataInBufferLength);
  const statusWithData =
    length > 0 && status === Status.GOOD && sense === undefined && task.dataOut === undefined;
  let dataPdus = 0;
  if (dataIn !== undefined) {
    if (length > 0)
      dataPdus = sendData(sender, parameters, task, { dataIn, length, residuals, statusWithData });
    else dataIn.release();
  }
  if (!statusWithData) sendResponse(sender, task, { status, sense, residuals, dataPdus });
}

/** Cut at the initiator's MaxRecvDataSegmentLength; a sequence ends (F) at MaxBurstLength. Returns the PDUs sent. */
function sendData(
  sender: Sender,
  parameters: SessionParameters,
  task: ScsiTask,
  data: {
    readonly dataIn: Loan;
    readonly length: number;
    readonly residuals: Residuals;
    readonly statusWithData: boolean;
  },
): number {
  const { dataIn, length, residuals, statusWithData } = data;
  const { output } = sender;
  const { initiatorMaxRecvDataSegmentLength, maxBurstLength } = parameters;
  const cursor = { segments: dataIn.segments, index: 0, offset: 0 };
  let bufferOffset = 0;
  let burstEnd = Math.min(maxBurstLength, length);
  let dataSN = 0;
  let referenced = false;
  while (bufferOffset < length) {
    const dataLength = Math.min(initiatorMaxRecvDataSegmentLength, burstEnd - bufferOffset);
    const to = bufferOffset + dataLength;
    const withStatus = statusWithData && to === length;
    const at = output.beginHeader();
    encodeDataIn(output.view, at, {
      initiatorTaskTag: task.tag,
      final: to === burstEnd,
      status: withStatus ? Status.GOOD : undefined,
      residualFlags: residuals.flags,
      residual: residuals.residual,
      dataSN,
      bufferOffset,
      dataLength,
      numbering: withStatus ? sender.next() : sender.current(),
    });
    output.endHeader();
    referenced = output.data(cursor, dataLength) || referenced;
    dataSN++;
    bufferOffset = to;
    if (to === burstEnd) burstEnd = Math.min(burstEnd + maxBurstLength, length);
  }
  // Many small pieces are copied, too, but together they wait: the account is settled when they have left.
  if (referenced || length > COPIED_BYTES_MAX) output.releaseWhenTaken(dataIn);
  else dataIn.release();
  return dataSN;
}

function sendResponse(
  sender: Sender,
  task: ScsiTask,
  response: {
    readonly status: number;
    readonly sense: Uint8Array | undefined;
    readonly residuals: Residuals;
    readonly dataPdus: number;
  },
): void {
  const { status, sense, residuals, dataPdus } = response;
  const { output } = sender;
  const at = output.beginHeader();
  encodeScsiResponse(output.view, at, {
    initiatorTaskTag: task.tag,
    response: ServiceResponse.commandCompleted,
    status,
    residualFlags: residuals.flags,
    residual: residuals.residual,
    bidirectionalResidual: residuals.bidirectionalResidual,
    expDataSN: dataPdus + (task.dataOut?.r2tSN ?? 0),
    dataLength: sense === undefined ? 0 : SENSE_LENGTH_FIELD + sense.length,
    numbering: sender.next(),
  });
  output.endHeader();
  if (sense !== undefined) output.smallData(senseSegment(sense));
}

/** SenseLength and the sense itself (RFC 7143 §11.4.7). */
export function senseSegment(sense: Uint8Array): Uint8Array {
  const segment = new Uint8Array(SENSE_LENGTH_FIELD + sense.length);
  segment[0] = sense.length >> 8;
  segment[1] = sense.length & 0xff;
  segment.set(sense, SENSE_LENGTH_FIELD);
  return segment;
}
