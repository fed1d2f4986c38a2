/**
 * A task's way through the device server: task set → checks → plan → data-out → execution → status. The checks come in
 * the order of SAM-5 §5.3.3: reset unit attentions, RESERVATION CONFLICT, other unit attentions, everything else.
 *
 *   dormant ──► (checks, plan) ──► awaitingData ──► running ──► ended
 *      └──────────────┴─── abort: ends at once ─┘       └─ abort: marked, ends when the device has answered
 *
 * Invariants
 *  1. Every task ends by exactly one of `complete` and `abandoned`.
 *  2. An abort answers only when no affected task can touch the medium any more.
 *  3. Nothing of a closed nexus starts.
 */

import { assert } from '../base/assert.ts';
import { fail, isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import { lengthOf } from '../base/segments.ts';
import { Status, type Task } from '../ports/scsi-target.ts';
import type { Aborter, Command, Outcome, Phase, Request } from './command.ts';
import { absence, type LogicalUnit, writeProtection } from './logical-unit.ts';
import type { NexusState, UnitNexus } from './nexus.ts';
import { deviceFault } from './outcome.ts';
import { encodeSense, type Fault, fault, invalidCdbField, statusOf } from './sense.ts';
import { enter, leave, TASKS_PER_UNIT_MAX } from './task-set.ts';
import { isResetAttention } from './unit-attention.ts';

const NO_DATA: readonly Uint8Array[] = [];

/** Made once per task; a class for the sake of one hidden shape. */
class TaskRequest implements Request {
  readonly task: Task;
  readonly link: UnitNexus;
  readonly unit: LogicalUnit;
  readonly nexus: NexusState;
  readonly cdb: Uint8Array;
  readonly command: Command;
  dataOut: readonly Uint8Array[] = NO_DATA;
  dataOutLength = 0;
  aborted = false;
  toldOfAbort = false;
  phase: Phase = 'dormant';
  arrivedAt: number;
  whenEnded: (() => void)[] | undefined = undefined;

  constructor(link: UnitNexus, task: Task, command: Command) {
    this.task = task;
    this.link = link;
    this.unit = link.unit;
    this.nexus = link.nexus;
    this.cdb = task.cdb;
    this.command = command;
    this.arrivedAt = task.arrivedAt;
  }

  isAlive(): boolean {
    return !this.aborted && !this.nexus.closed && !isShutOut(this);
  }

  get view(): DataView {
    return new DataView(this.cdb.buffer, this.cdb.byteOffset, this.cdb.byteLength);
  }
}

/** A new task for a logical unit that exists. */
export function begin(link: UnitNexus, task: Task, command: Command): void {
  const request = new TaskRequest(link, task, command);
  task.server = request;
  const { unit } = link;
  if (task.attribute === 'aca') {
    // There never is an ACA condition to be established in (SAM-5 §8.6.5).
    completeWith(request, fault('invalidMessageError'));
  } else if (unit.taskSet.tasks.size >= TASKS_PER_UNIT_MAX) {
    completeWith(request, fault('taskSetFull'));
  } else if (enter(unit.taskSet, request)) {
    start(request);
  }
}

/** Data-Out Received (). Late data of a task that has been aborted is dropped. */
export function dataOutReceived(task: Task, segments: readonly Uint8Array[]): void {
  const request = task.server;
  assert(request instanceof TaskRequest, 'data-out for a task that was never submitted');
  if (request.phase !== 'awaitingData') return;
  const { dataOutLength: wanted, command } = request;
  const received = lengthOf(segments);
  assert(received <= wanted, 'more data-out than was asked for');
  if (received < wanted) {
    const blocks = received / request.unit.device.geometry.blockLength;
    if (command.takesLessData === undefined || !Number.isInteger(blocks)) {
      finish(request, fail(fault('invalidFieldInInformationUnit')));
      return;
    }
  }
  request.dataOut = received === 0 ? NO_DATA : segments;
  const { availability, clock } = request.unit;
  // Its initiator was there until now: what takes long to arrive is not late.
  if (availability !== undefined && clock !== undefined) request.arrivedAt = clock.now();
  run(request, command);
}

function start(request: Request): void {
  if (request.aborted) return; // its abort is under way
  const { command, link } = request;
  const refusal = admission(request, command, link);
  if (refusal !== undefined) {
    if (refusal.reason === 'reservationConflict') conflict(request);
    else finish(request, fail(refusal));
    return;
  }
  if (command.plan === undefined) {
    run(request, command);
    return;
  }
  const planned = command.plan(request);
  if (!planned.ok) {
    finish(request, planned);
  } else if (planned.value === 0) {
    run(request, command);
  } else {
    request.phase = 'awaitingData';
    request.dataOutLength = planned.value;
    request.task.receiveDataOut(planned.value);
  }
}

function run(request: Request, command: Command): void {
  request.phase = 'running';
  const result = command.execute(request);
  if (isAsync(result)) void result.then((settled) => executed(request, settled));
  else executed(request, result);
}

/** It has waited at the device, and there a reservation of another node has shut it out. */
function executed(request: Request, result: Result<Outcome, Fault>): void {
  if (result.ok || result.fault.reason !== 'notReadyPortUnavailable' || !isShutOut(request)) {
    finish(request, result);
    return;
  }
  const { unit, command } = request;
  void unit.reservations.conflictStands!(request, command).then((stands) => {
    finish(request, stands.ok && stands.value ? fail(fault('reservationConflict')) : result);
  });
}

/** Where other nodes share the reservations: a command that was let through conflicts now, and must not begin. */
function isShutOut(request: Request): boolean {
  const { unit, command } = request;
  const { reservations } = unit;
  return (
    reservations.held && reservations.conflictStands !== undefined && reservations.conflicts(request, command)
  );
}

/** Where other nodes may have changed the reservations, they are looked at once more before the command is refused. */
function conflict(request: Request): void {
  const { unit, command } = request;
  const stands = unit.reservations.conflictStands?.(request, command);
  if (stands === undefined) {
    finish(request, fail(fault('reservationConflict')));
    return;
  }
  request.phase = 'running';
  void stands.then((result) => {
    if (!result.ok) return finish(request, deviceFault(result.fault));
    if (request.aborted || result.value) return finish(request, fail(fault('reservationConflict')));
    request.phase = 'dormant';
    start(request);
  });
}

/** Everything that can be said before the command's own checks; undefined lets it pass. */
function admission(request: Request, command: Command, link: UnitNexus): Fault | undefined {
  const { unit, cdb } = request;
  const attended = link.attentions.length !== 0 && command.beforeUnitAttention === undefined;
  if (attended && isResetAttention(link.attentions[0]!)) return fault(link.attentions.shift()!);
  const { availability } = unit;
  // What a node knows of reservations that may not serve is no answer. During a transition commands wait at the device.
  if (availability?.() === 'unavailable' && command.whileUnavailable === undefined)
    return attended ? fault(link.attentions.shift()!) : absence(unit);
  if (unit.reservations.held && unit.reservations.conflicts(request, command)) {
    return fault('reservationConflict');
  }
  if (attended) return fault(link.attentions.shift()!);
  const { usage } = command;
  if (command.isSupportedBy !== undefined && !command.isSupportedBy(unit)) {
    return command.serviceAction === undefined ? fault('invalidOpcode') : invalidCdbField(1, 4);
  }
  for (let i = 1; i < usage.length; i += 1) {
    const excess = cdb[i]! & ~usage[i]!;
    // The service action has found the row: its field holds that very value, not a mask.
    if (excess !== 0 && (i !== 1 || command.serviceAction === undefined || excess > 0x1f)) {
      return invalidCdbField(i, 31 - Math.clz32(excess));
    }
  }
  if (unit.sanitizing !== undefined && command.whileSanitizing === undefined) return unit.sanitizing;
  if (unit.medium !== 'loaded' && command.whileNotReady === undefined) return fault('mediumNotPresent');
  return command.writesMedium === undefined ? undefined : writeProtection(unit);
}

/** Ends a task that was in the task set. */
function finish(request: Request, result: Result<Outcome, Fault>): void {
  assert(request.phase !== 'ended', 'a task ends once');
  request.phase = 'ended';
  const next = leave(request.unit.taskSet, request);
  if (request.aborted) {
    if (result.ok) result.value.dataIn?.release();
    endAborted(request);
  } else if (result.ok) {
    request.task.complete(result.value.status, undefined, result.value.dataIn);
  } else {
    completeWith(request, asOfNow(request, result.fault));
  }
  if (request.whenEnded !== undefined) for (const wake of request.whenEnded) wake();
  startHeldUp(request.unit, next);
}

/** Of a device that could not be asked: whether it is worth trying this path again soon. */
function asOfNow({ unit }: Request, cause: Fault): Fault {
  if (cause.reason !== 'notReadyPortUnavailable' || unit.availability === undefined) return cause;
  return unit.availability() === 'unavailable' ? cause : fault('notReadyAsymmetricTransition');
}

/** A loop and no recursion: a chain of ORDERED tasks that end at once may be as long as the task set. */
function startHeldUp({ taskSet }: LogicalUnit, requests: readonly Request[]): void {
  if (requests.length === 0) return;
  if (taskSet.starting !== undefined) {
    taskSet.starting.push(...requests);
    return;
  }
  taskSet.starting = [...requests];
  for (const request of taskSet.starting) start(request); // also those that come meanwhile
  taskSet.starting = undefined;
}

function completeWith(request: Request, cause: Fault): void {
  const format = request.unit.mode.descriptorSense ? 'descriptor' : 'fixed';
  request.phase = 'ended';
  request.task.complete(statusOf(cause.reason), encodeSense(cause, format), undefined);
}

function endAborted({ toldOfAbort, nexus, task }: Request): void {
  if (toldOfAbort && !nexus.closed) task.complete(Status.TASK_ABORTED, undefined, undefined);
  else task.abandoned();
}

/** SAM-5 §5.6: TASK ABORTED only with TAS, as it is at the abort, and only to a nexus that did not ask for it itself. */
function isTold({ nexus, unit }: Request, by: Aborter): boolean {
  if (by === 'deviceServer') return true;
  return by !== 'nexusLoss' && by !== nexus && unit.mode.taskAbortedStatus;
}

/**
 * Aborts the tasks of `unit` that `affected` selects. Those that wait end at
 * once and never start; for those at the device the answer waits.
 */
export function abortTasks(
  unit: LogicalUnit,
  affected: (request: Request) => boolean,
  by: Aborter,
): MaybeAsync<void> {
  const selected: Request[] = [];
  for (const request of unit.taskSet.tasks) {
    if (!affected(request)) continue;
    // Whoever aborts it first decides.
    if (!request.aborted) request.toldOfAbort = isTold(request, by);
    request.aborted = true;
    selected.push(request);
  }
  let running = 0;
  let answer: () => void = () => undefined;
  const woken: Request[] = [];
  for (const request of selected) {
    if (request.phase === 'running') {
      running += 1;
      request.whenEnded ??= [];
      request.whenEnded.push(() => {
        running -= 1;
        if (running === 0) answer();
      });
    } else if (request.phase !== 'ended') {
      request.phase = 'ended';
      woken.push(...leave(unit.taskSet, request));
      endAborted(request);
    }
  }
  startHeldUp(unit, woken);
  if (running === 0) return undefined;
  return new Promise((resolve) => {
    answer = resolve;
  });
}
