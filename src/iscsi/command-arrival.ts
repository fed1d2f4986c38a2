/** SCSI Command and Data-Out PDUs become tasks and their data (RFC 7143 §11.3, §11.7, §7.8). */

import { admit, advance, hold, runHeld } from './command-window.ts';
import { type DataOut, isQuiet, openDataOut, receive } from './data-out.ts';
import type { Pdu } from './framing.ts';
import { IMMEDIATE_COMMANDS_MAX } from './limits.ts';
import { type AdditionalHeaders, decodeAdditionalHeaders, NO_ADDITIONAL_HEADERS } from './pdu/ahs.ts';
import { BHS_LENGTH, cmdSNOf, initiatorTaskTagOf, isFinal, isImmediate, RESERVED_TAG } from './pdu/bhs.ts';
import { bufferOffsetOf, dataSNOf, targetTransferTagOf } from './pdu/data-transfer.ts';
import { RejectReason } from './pdu/reject.ts';
import {
  CDB_IN_BHS_LENGTH,
  cdbOffsetOf,
  expectedDataTransferLengthOf,
  taskAttributeOf,
  wantsRead,
  wantsWrite,
} from './pdu/scsi-command.ts';
import type { Session, SessionConnection } from './session.ts';
import { ScsiTask } from './task.ts';

export function onScsiCommand(
  session: Session,
  connection: SessionConnection,
  pdu: Pdu,
): RejectReason | undefined {
  const { view, at } = pdu;
  const { window } = connection.sender;
  const cmdSN = cmdSNOf(view, at);
  const immediate = isImmediate(view, at);
  const admission = immediate ? 'inOrder' : admit(window, cmdSN);
  if (admission === 'outside') return undefined;
  if (!pdu.dataDigestCorrect) return RejectReason.dataDigestError;
  if (immediate && session.immediateTasks >= IMMEDIATE_COMMANDS_MAX) {
    return RejectReason.tooManyImmediateCommands;
  }
  let additional = NO_ADDITIONAL_HEADERS;
  if (pdu.ahsLength > 0) {
    const decoded = decodeAdditionalHeaders(view, at + BHS_LENGTH, pdu.ahsLength);
    if (!decoded.ok) return RejectReason.invalidPduField;
    additional = decoded.value;
  }
  const task = makeTask(session, connection, pdu, additional);
  if (!(task instanceof ScsiTask)) return task;
  session.register(task);
  if (immediate) {
    session.start(task);
  } else if (admission === 'inOrder') {
    advance(window);
    session.start(task);
    if (window.held.size > 0) runHeld(window);
  } else {
    hold(window, cmdSN, () => session.start(task));
    session.hold(task);
  }
  return undefined;
}

function makeTask(
  session: Session,
  connection: SessionConnection,
  pdu: Pdu,
  additional: AdditionalHeaders,
): ScsiTask | RejectReason {
  const { view, at } = pdu;
  const tag = initiatorTaskTagOf(view, at);
  const attribute = taskAttributeOf(view, at);
  const write = wantsWrite(view, at);
  const final = isFinal(view, at);
  if (tag === RESERVED_TAG || attribute === undefined) return RejectReason.invalidPduField;
  if (!write && !final) return RejectReason.invalidPduField;
  if (session.tasks.has(tag)) return RejectReason.taskInProgress;
  const offered = expectedDataTransferLengthOf(view, at);
  const read = wantsRead(view, at);
  const readLength = write ? (additional.readLength ?? 0) : offered;
  const task = new ScsiTask(session, {
    lunHigh: view.getUint32(at + 8),
    lunLow: view.getUint32(at + 12),
    tag,
    attribute,
    cdb: copyCdb(pdu, additional),
    arrivedAt: connection.now,
    dataOutBufferLength: write ? offered : 0,
    dataInBufferLength: read ? readLength : 0,
    cmdSN: cmdSNOf(view, at),
    immediate: isImmediate(view, at),
  });
  // It cannot wait for room: its place is in front of all that wait.
  if (task.immediate && !session.admits(task)) return RejectReason.tooManyImmediateCommands;
  if (write) {
    const opened = openDataOut({ offered, immediateLength: pdu.dataLength, final }, session.parameters);
    task.dataOut = opened.dataOut;
    task.fault = opened.fault;
    if (pdu.dataLength > 0 && opened.fault === undefined) {
      opened.dataOut.received = pdu.dataLength;
      keepData(opened.dataOut, pdu);
    }
  } else if (pdu.dataLength > 0) {
    task.fault = 'unexpectedUnsolicitedData';
  }
  return task;
}

export function onDataOut(session: Session, pdu: Pdu): RejectReason | undefined {
  const { view, at } = pdu;
  const task = session.tasks.get(initiatorTaskTagOf(view, at));
  const dataOut = task?.dataOut;
  // What belongs to no task any more was on its way when the task ended.
  if (task === undefined || dataOut === undefined || dataOut.delivered) {
    return pdu.dataDigestCorrect ? undefined : RejectReason.dataDigestError;
  }
  const faulted = task.fault !== undefined;
  const fault = receive(
    dataOut,
    {
      targetTransferTag: targetTransferTagOf(view, at),
      dataSN: dataSNOf(view, at),
      bufferOffset: bufferOffsetOf(view, at),
      length: pdu.dataLength,
      final: isFinal(view, at),
    },
    session.parameters,
  );
  if (!pdu.dataDigestCorrect) {
    // §7.8: the task fails once nothing more of its data is to come.
    task.fault ??= 'protocolServiceCrcError';
    if (isQuiet(dataOut)) session.fail(task);
    return RejectReason.dataDigestError;
  }
  if (faulted) {
    if (isQuiet(dataOut)) session.fail(task);
    return undefined;
  }
  if (fault !== undefined) {
    task.fault = fault;
    session.fail(task);
    return undefined;
  }
  session.dataOutPdus++;
  keepData(dataOut, pdu);
  if (task.phase === 'submitted') session.progress(task);
  else session.hold(task);
  return undefined;
}

function keepData(dataOut: DataOut, pdu: Pdu): void {
  if (pdu.dataLength === 0) return;
  const { segments, sources } = pdu.takeData();
  for (const segment of segments) dataOut.segments.push(segment);
  for (const source of sources) dataOut.sources.push(source);
}

function copyCdb(pdu: Pdu, additional: AdditionalHeaders): Uint8Array {
  const { bytes, at } = pdu;
  const from = cdbOffsetOf(at);
  const cdb = new Uint8Array(CDB_IN_BHS_LENGTH + additional.cdbLength);
  for (let index = 0; index < CDB_IN_BHS_LENGTH; index++) cdb[index] = bytes[from + index]!;
  if (additional.cdbLength > 0) {
    const rest = bytes.subarray(additional.cdbOffset, additional.cdbOffset + additional.cdbLength);
    cdb.set(rest, CDB_IN_BHS_LENGTH);
  }
  return cdb;
}
