/**
 * Task Management Function Request (RFC 7143 §11.5) and Response (§11.6).
 *
 *   request:  byte 1 1, function (7)   8–15 LUN   16 ITT   20 referenced task tag   24 CmdSN   28 ExpStatSN   32 RefCmdSN
 *             36 ExpDataSN
 *   response: byte 1 1   2 response   16 ITT   24 StatSN …
 */

import {
  cmdSNOf,
  encodeNumbering,
  encodeStart,
  encodeZeros,
  FINAL,
  initiatorTaskTagOf,
  isImmediate,
  type Numbering,
  ResponseOpcode,
} from './bhs.ts';

/** RFC 7143 §11.5.1. */
export const TaskFunction = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
} as const;

/** RFC 7143 §11.6.1. */
export const TaskFunctionOutcome = {
  complete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  taskStillAllegiant: 3,
  reassignmentNotSupported: 4,
  notSupported: 5,
  authorizationFailed: 6,
  rejected: 255,
} as const;
export type TaskFunctionOutcome = (typeof TaskFunctionOutcome)[keyof typeof TaskFunctionOutcome];

export interface TaskManagementRequest {
  /** As received. */
  readonly function: number;
  readonly immediate: boolean;
  readonly lunHigh: number;
  readonly lunLow: number;
  readonly initiatorTaskTag: number;
  readonly referencedTaskTag: number;
  readonly cmdSN: number;
  readonly refCmdSN: number;
}

export function decodeTaskManagementRequest(view: DataView, at: number): TaskManagementRequest {
  return {
    function: view.getUint8(at + 1) & 0x7f,
    immediate: isImmediate(view, at),
    lunHigh: view.getUint32(at + 8),
    lunLow: view.getUint32(at + 12),
    initiatorTaskTag: initiatorTaskTagOf(view, at),
    referencedTaskTag: view.getUint32(at + 20),
    cmdSN: cmdSNOf(view, at),
    refCmdSN: view.getUint32(at + 32),
  };
}

export interface TaskManagementResponsePdu {
  readonly response: TaskFunctionOutcome;
  readonly initiatorTaskTag: number;
  readonly numbering: Numbering;
}

export function encodeTaskManagementResponse(
  view: DataView,
  at: number,
  pdu: TaskManagementResponsePdu,
): void {
  encodeStart(view, at, (ResponseOpcode.taskManagement << 24) | (FINAL << 16) | (pdu.response << 8), 0);
  encodeZeros(view, at, 8, 16);
  view.setUint32(at + 16, pdu.initiatorTaskTag);
  view.setUint32(at + 20, 0);
  encodeNumbering(view, at, pdu.numbering);
  encodeZeros(view, at, 36, 48);
}
