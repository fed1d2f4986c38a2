/**
 * The full feature phase's requests: checks what the standard asks of each, numbers them, and hands them on
 * (RFC 7143 §4.2.2, §7.8, §11). A refusal is a returned reject reason: a rejected request does not count as received,
 * so its CmdSN stays open (§11.17.1).
 */

import { then } from '../base/result.ts';
import { serialAdd } from '../base/serial-number.ts';
import { admit, advance, hold, runHeld } from './command-window.ts';
import { onDataOut, onScsiCommand } from './command-arrival.ts';
import type { Pdu } from './framing.ts';
import { decodeLogoutRequest, LogoutOutcome, LogoutReason } from './pdu/logout.ts';
import {
  BHS_LENGTH,
  cmdSNOf,
  expStatSNOf,
  initiatorTaskTagOf,
  isImmediate,
  opcodeOf,
  RequestOpcode,
  RESERVED_TAG,
} from './pdu/bhs.ts';
import { targetTransferTagOf } from './pdu/data-transfer.ts';
import { RejectReason } from './pdu/reject.ts';
import { decodeTaskManagementRequest } from './pdu/task-management.ts';
import { decodeTextRequest } from './pdu/text.ts';
import { sendLogoutResponse, sendNopAnswer, sendReject, sendTextResponse } from './reply.ts';
import { joinSegments } from './segments.ts';
import type { Session, SessionConnection } from './session.ts';
import { onTaskManagement } from './task-management.ts';
import { stepText } from './text-exchange.ts';

/** A request that outlives its receive buffer: its header and its data in one piece. */
interface Kept {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly data: Uint8Array;
}

const NO_DATA = new Uint8Array(0);

export function onRequest(session: Session, connection: SessionConnection, pdu: Pdu): void {
  const { view, at } = pdu;
  connection.sender.acknowledge(expStatSNOf(view, at));
  const opcode = opcodeOf(view, at);
  if (session.nexus !== undefined) {
    if (opcode === RequestOpcode.scsiCommand) {
      reject(connection, pdu, onScsiCommand(session, connection, pdu));
      return;
    }
    if (opcode === RequestOpcode.dataOut) {
      reject(connection, pdu, onDataOut(session, pdu));
      return;
    }
  }
  reject(connection, pdu, onOther(session, connection, pdu, opcode));
}

function reject(
  connection: SessionConnection,
  pdu: { readonly bytes: Uint8Array; readonly at: number },
  reason: RejectReason | undefined,
): void {
  if (reason === undefined) return;
  sendReject(connection.sender, reason, pdu.bytes, pdu.at);
  connection.queued();
}

function onOther(
  session: Session,
  connection: SessionConnection,
  pdu: Pdu,
  opcode: number,
): RejectReason | undefined {
  const { view, at } = pdu;
  switch (opcode) {
    case RequestOpcode.nopOut:
    case RequestOpcode.text:
    case RequestOpcode.logout:
      break;
    case RequestOpcode.taskManagement:
    case RequestOpcode.scsiCommand:
    case RequestOpcode.dataOut:
      // Nothing of the kind in a discovery session (§4.3).
      if (session.nexus === undefined) return RejectReason.protocolError;
      break;
    case RequestOpcode.login:
      return RejectReason.protocolError;
    case RequestOpcode.snack:
      return RejectReason.snackReject;
    default:
      return RejectReason.commandNotSupported;
  }
  if (!pdu.dataDigestCorrect) return RejectReason.dataDigestError;
  if (isImmediate(view, at)) return perform(session, connection, keep(pdu, false), opcode);
  const { window } = connection.sender;
  const cmdSN = cmdSNOf(view, at);
  const admission = admit(window, cmdSN);
  if (admission === 'outside') return undefined;
  if (admission === 'early') {
    const kept = keep(pdu, true);
    hold(window, cmdSN, () => reject(connection, kept, inTurn(session, connection, kept, opcode)));
    return undefined;
  }
  advance(window);
  const reason = inTurn(session, connection, keep(pdu, false), opcode);
  if (reason === undefined) runHeld(window);
  return reason;
}

/** ExpCmdSN is past this request already; a refusal takes that back. */
function inTurn(
  session: Session,
  connection: SessionConnection,
  request: Kept,
  opcode: number,
): RejectReason | undefined {
  const reason = perform(session, connection, request, opcode);
  if (reason !== undefined) {
    const { window } = connection.sender;
    window.expCmdSN = serialAdd(window.expCmdSN, -1);
  }
  return reason;
}

function perform(
  session: Session,
  connection: SessionConnection,
  request: Kept,
  opcode: number,
): RejectReason | undefined {
  if (session.connection !== connection || session.phase !== 'active') return undefined;
  const { view, at } = request;
  switch (opcode) {
    case RequestOpcode.nopOut:
      return onNopOut(session, connection, request);
    case RequestOpcode.text:
      return onText(session, connection, request);
    case RequestOpcode.logout:
      return onLogout(session, connection, request);
    default:
      onTaskManagement(session, decodeTaskManagementRequest(view, at));
      return undefined;
  }
}

/** RFC 7143 §11.18. */
function onNopOut(session: Session, connection: SessionConnection, request: Kept): RejectReason | undefined {
  const { view, at, data } = request;
  const initiatorTaskTag = initiatorTaskTagOf(view, at);
  const targetTransferTag = targetTransferTagOf(view, at);
  if (targetTransferTag !== RESERVED_TAG) connection.onPong(targetTransferTag);
  if (initiatorTaskTag === RESERVED_TAG) {
    // An answer to our ping, or only a carrier of ExpStatSN: it must be immediate.
    return isImmediate(view, at) ? undefined : RejectReason.invalidPduField;
  }
  if (targetTransferTag !== RESERVED_TAG) return RejectReason.invalidPduField;
  const nop = { lunHigh: view.getUint32(at + 8), lunLow: view.getUint32(at + 12), initiatorTaskTag };
  const length = session.parameters.initiatorMaxRecvDataSegmentLength;
  sendNopAnswer(connection.sender, nop, data.length > length ? data.subarray(0, length) : data);
  connection.queued();
  return undefined;
}

function onText(session: Session, connection: SessionConnection, request: Kept): RejectReason | undefined {
  const text = decodeTextRequest(request.view, request.at);
  if (text.initiatorTaskTag === RESERVED_TAG) return RejectReason.invalidPduField;
  const step = stepText(session.text, text, request.data, {
    targetTransferTag: session.nextTransferTag(),
    lengthMax: session.parameters.initiatorMaxRecvDataSegmentLength,
    answer: (complete) => session.options.answerText(session, complete),
  });
  if (step.kind === 'refuse') {
    session.text = { kind: 'idle' };
    return RejectReason[step.reason];
  }
  session.text = step.next;
  const { lunHigh, lunLow, initiatorTaskTag } = text;
  sendTextResponse(
    connection.sender,
    { ...step.answer, initiatorTaskTag, lunHigh, lunLow },
    step.answer.text,
  );
  connection.queued();
  return undefined;
}

/** RFC 7143 §11.14: with one connection, closing it closes the session. */
function onLogout(session: Session, connection: SessionConnection, request: Kept): RejectReason | undefined {
  const logout = decodeLogoutRequest(request.view, request.at);
  const { initiatorTaskTag, reason, cid } = logout;
  const refuse = (outcome: LogoutOutcome): undefined => {
    sendLogoutResponse(connection.sender, initiatorTaskTag, outcome);
    connection.queued();
  };
  switch (reason) {
    case LogoutReason.closeSession:
      break;
    case LogoutReason.closeConnection:
      if (cid !== connection.cid) return refuse(LogoutOutcome.cidNotFound);
      break;
    case LogoutReason.removeForRecovery:
      return refuse(LogoutOutcome.recoveryNotSupported);
    default:
      return RejectReason.invalidPduField;
  }
  void then(session.end(), () => {
    sendLogoutResponse(connection.sender, initiatorTaskTag, LogoutOutcome.closed);
    connection.queued();
    connection.finish();
  });
  return undefined;
}

function keep(pdu: Pdu, copied: boolean): Kept {
  const data = pdu.dataLength === 0 ? NO_DATA : joinSegments(pdu.segments);
  if (!copied) return { view: pdu.view, bytes: pdu.bytes, at: pdu.at, data };
  const bytes = pdu.bytes.slice(pdu.at, pdu.at + BHS_LENGTH);
  return { view: new DataView(bytes.buffer as ArrayBuffer), bytes, at: 0, data };
}
