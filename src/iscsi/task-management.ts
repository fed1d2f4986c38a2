/**
 * Task management (RFC 7143 §4.2.3, §11.5, §11.6): what the device server does not know of yet ends here, the rest is
 * its `manage`. Affected tasks of this session get no response; the function's own comes when they cannot touch the
 * medium any more.
 */

import { type MaybeAsync, then } from '../base/result.ts';
import { serialLess } from '../base/serial-number.ts';
import type { TaskManagementFunction, TaskManagementResponse } from '../ports/scsi-target.ts';
import { consume } from './command-window.ts';
import { TASK_FUNCTIONS_MAX } from './limits.ts';
import { TaskFunction, TaskFunctionOutcome, type TaskManagementRequest } from './pdu/task-management.ts';
import { sendTaskManagementResponse } from './reply.ts';
import type { Session } from './session.ts';
import type { ScsiTask } from './task.ts';

const OUTCOMES: Readonly<Record<TaskManagementResponse, TaskFunctionOutcome>> = {
  complete: TaskFunctionOutcome.complete,
  taskDoesNotExist: TaskFunctionOutcome.taskDoesNotExist,
  lunDoesNotExist: TaskFunctionOutcome.lunDoesNotExist,
  notSupported: TaskFunctionOutcome.notSupported,
  rejected: TaskFunctionOutcome.rejected,
};

export function onTaskManagement(session: Session, request: TaskManagementRequest): void {
  const { connection: asking } = session;
  if (session.managing >= TASK_FUNCTIONS_MAX && asking !== undefined) {
    sendTaskManagementResponse(asking.sender, request.initiatorTaskTag, TaskFunctionOutcome.rejected);
    asking.queued();
    return;
  }
  session.managing++;
  void then(perform(session, request), (outcome) => {
    session.managing--;
    const { connection } = session;
    // Not on a connection that has taken the session over meanwhile: there the tag is unknown.
    if (connection !== undefined && connection === asking && session.phase === 'active') {
      sendTaskManagementResponse(connection.sender, request.initiatorTaskTag, outcome);
      connection.queued();
    }
    if (session.resetPending && session.managing === 0) {
      session.resetPending = false;
      session.targetReset();
    }
  });
}

function perform(session: Session, request: TaskManagementRequest): MaybeAsync<TaskFunctionOutcome> {
  const { lunHigh, lunLow } = request;
  const sameUnit = (task: ScsiTask): boolean => task.lunHigh === lunHigh && task.lunLow === lunLow;
  switch (request.function) {
    case TaskFunction.abortTask:
      return abortTask(session, request);
    case TaskFunction.abortTaskSet:
      return manage(session, request, { kind: 'abortTaskSet', lunHigh, lunLow }, sameUnit);
    case TaskFunction.clearTaskSet:
      return manage(session, request, { kind: 'clearTaskSet', lunHigh, lunLow }, sameUnit);
    case TaskFunction.logicalUnitReset:
      return manage(session, request, { kind: 'logicalUnitReset', lunHigh, lunLow }, sameUnit);
    case TaskFunction.clearAca:
      return manage(session, request, { kind: 'clearAca', lunHigh, lunLow }, () => false);
    case TaskFunction.targetWarmReset:
      return manage(session, request, { kind: 'targetWarmReset' }, () => true);
    case TaskFunction.targetColdReset:
      return manage(session, request, { kind: 'targetColdReset' }, () => true);
    case TaskFunction.taskReassign:
      // ErrorRecoveryLevel 2 only (§11.5.1).
      return TaskFunctionOutcome.reassignmentNotSupported;
    default:
      return TaskFunctionOutcome.notSupported;
  }
}

function abortTask(session: Session, request: TaskManagementRequest): MaybeAsync<TaskFunctionOutcome> {
  const { lunHigh, lunLow, referencedTaskTag: tag } = request;
  const task = session.tasks.get(tag);
  if (task === undefined || task.lunHigh !== lunHigh || task.lunLow !== lunLow) {
    return abortUnknown(session, request);
  }
  if (task.phase !== 'submitted') {
    session.discard(task);
    return TaskFunctionOutcome.complete;
  }
  const answer = session.nexus?.manage({ kind: 'abortTask', lunHigh, lunLow, tag }) ?? 'taskDoesNotExist';
  return then(answer, (response) => OUTCOMES[response]);
}

/** A command before this function that has not arrived yet counts as aborted; anything else does not exist. */
function abortUnknown(session: Session, request: TaskManagementRequest): TaskFunctionOutcome {
  const { connection } = session;
  const isEarlier = serialLess(request.refCmdSN, request.cmdSN);
  return isEarlier && connection !== undefined && consume(connection.sender.window, request.refCmdSN)
    ? TaskFunctionOutcome.complete
    : TaskFunctionOutcome.taskDoesNotExist;
}

/** For functions on many tasks: those with a CmdSN before the function's own (§4.2.3.3). */
function manage(
  session: Session,
  request: TaskManagementRequest,
  action: TaskManagementFunction,
  affects: (task: ScsiTask) => boolean,
): MaybeAsync<TaskFunctionOutcome> {
  const { nexus } = session;
  if (nexus === undefined) return TaskFunctionOutcome.rejected;
  const answer = session.quietly(() => {
    for (const task of session.tasks.values()) {
      if (task.phase === 'submitted' || !affects(task)) continue;
      if (task.immediate || serialLess(task.cmdSN, request.cmdSN)) session.discard(task);
    }
    return nexus.manage(action);
  });
  return then(answer, (response) => OUTCOMES[response]);
}
