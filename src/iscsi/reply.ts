/** The small responses of the full feature phase, numbered and queued. */

import { encodeAsyncMessage, type AsyncMessage } from './pdu/async-message.ts';
import { BHS_LENGTH, RESERVED_TAG } from './pdu/bhs.ts';
import { encodeReadyToTransfer } from './pdu/data-transfer.ts';
import { encodeLogoutResponse, type LogoutOutcome } from './pdu/logout.ts';
import { encodeNopIn } from './pdu/nop.ts';
import { encodeReject, type RejectReason } from './pdu/reject.ts';
import { encodeTaskManagementResponse, type TaskFunctionOutcome } from './pdu/task-management.ts';
import { encodeTextResponse } from './pdu/text.ts';
import { TIME2RETAIN_SECONDS, TIME2WAIT_SECONDS } from './limits.ts';
import type { Sender } from './sender.ts';
import type { Request } from './data-out.ts';
import type { ScsiTask } from './task.ts';

const NO_BYTES = new Uint8Array(0);

/** Returns the header of the PDU that was refused (RFC 7143 §11.17). */
export function sendReject(sender: Sender, reason: RejectReason, bytes: Uint8Array, at: number): void {
  const { output } = sender;
  const offset = output.beginHeader();
  encodeReject(output.view, offset, { reason, dataLength: BHS_LENGTH, numbering: sender.next() });
  output.endHeader();
  output.smallData(bytes.subarray(at, at + BHS_LENGTH));
}

export function sendReadyToTransfer(
  sender: Sender,
  task: ScsiTask,
  request: Request,
  transfer: { readonly targetTransferTag: number; readonly r2tSN: number },
): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeReadyToTransfer(output.view, at, {
    lunHigh: task.lunHigh,
    lunLow: task.lunLow,
    initiatorTaskTag: task.tag,
    targetTransferTag: transfer.targetTransferTag,
    r2tSN: transfer.r2tSN,
    bufferOffset: request.offset,
    desiredLength: request.length,
    numbering: sender.current(),
  });
  output.endHeader();
}

/** The answer to a NOP-Out: the same data back, as much of it as the initiator takes. */
export function sendNopAnswer(
  sender: Sender,
  nop: { readonly lunHigh: number; readonly lunLow: number; readonly initiatorTaskTag: number },
  data: Uint8Array,
): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeNopIn(output.view, at, {
    ...nop,
    targetTransferTag: RESERVED_TAG,
    dataLength: data.length,
    numbering: sender.next(),
  });
  output.endHeader();
  output.smallData(data);
}

/** Asks whether the initiator lives; StatSN does not advance (RFC 7143 §11.19.2). */
export function sendPing(sender: Sender, targetTransferTag: number): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeNopIn(output.view, at, {
    lunHigh: 0,
    lunLow: 0,
    initiatorTaskTag: RESERVED_TAG,
    targetTransferTag,
    dataLength: 0,
    numbering: sender.current(),
  });
  output.endHeader();
}

export function sendTaskManagementResponse(
  sender: Sender,
  initiatorTaskTag: number,
  response: TaskFunctionOutcome,
): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeTaskManagementResponse(output.view, at, { initiatorTaskTag, response, numbering: sender.next() });
  output.endHeader();
}

export function sendLogoutResponse(sender: Sender, initiatorTaskTag: number, response: LogoutOutcome): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeLogoutResponse(output.view, at, {
    response,
    initiatorTaskTag,
    time2Wait: TIME2WAIT_SECONDS,
    time2Retain: TIME2RETAIN_SECONDS,
    numbering: sender.next(),
  });
  output.endHeader();
}

export function sendTextResponse(
  sender: Sender,
  response: {
    readonly final: boolean;
    readonly continued: boolean;
    readonly initiatorTaskTag: number;
    readonly targetTransferTag: number;
    readonly lunHigh: number;
    readonly lunLow: number;
  },
  text: Uint8Array,
): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeTextResponse(output.view, at, { ...response, dataLength: text.length, numbering: sender.next() });
  output.endHeader();
  output.smallData(text);
}

export function sendAsyncMessage(
  sender: Sender,
  message: Omit<AsyncMessage, 'numbering' | 'dataLength'>,
  data: Uint8Array = NO_BYTES,
): void {
  const { output } = sender;
  const at = output.beginHeader();
  encodeAsyncMessage(output.view, at, { ...message, dataLength: data.length, numbering: sender.next() });
  output.endHeader();
  output.smallData(data);
}
