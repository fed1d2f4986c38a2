/**
 * Task management functions (SAM-5 §7) with their effect: what they abort never starts, and they answer when nothing of
 * it can touch the medium any more.
 */

import { decodeLun } from '../base/lun.ts';
import { isAsync, type MaybeAsync, type Result, then } from '../base/result.ts';
import type { DeviceFault } from '../ports/block-device.ts';
import type { TaskManagementFunction, TaskManagementResponse } from '../ports/scsi-target.ts';
import type { Request } from './command.ts';
import { abortTasks } from './execution.ts';
import type { LogicalUnit, ResetKind } from './logical-unit.ts';
import type { NexusState, UnitNexus } from './nexus.ts';
import { raise } from './unit-attention.ts';
import { resetHere } from './unit-reset.ts';

const COMPLETE = (): TaskManagementResponse => 'complete';

/** Task Management Request Received () of an open nexus; `links` by LUN. */
export function manageTasks(
  nexus: NexusState,
  links: ReadonlyMap<number, UnitNexus>,
  request: TaskManagementFunction,
): MaybeAsync<TaskManagementResponse> {
  if (request.kind === 'targetWarmReset') return resetTarget(nexus);
  if (request.kind === 'targetColdReset') return coldReset(nexus);
  const link = links.get(decodeLun(request.lunHigh, request.lunLow));
  if (link === undefined) return 'lunDoesNotExist';
  const { unit } = link;
  switch (request.kind) {
    case 'abortTask':
      return abortTask(link, request.tag);
    case 'abortTaskSet':
      return then(
        abortTasks(unit, (task) => task.nexus === nexus, nexus),
        COMPLETE,
      );
    case 'clearTaskSet':
      return clearTaskSet(link);
    case 'logicalUnitReset':
      return then(resetUnit(unit, 'unit', nexus), ({ ok }) => (ok ? 'complete' : 'rejected'));
    case 'clearAca':
      return 'notSupported'; // NORMACA is zero: there never is an ACA condition
    default:
      return request satisfies never;
  }
}

function abortTask(link: UnitNexus, tag: number): MaybeAsync<TaskManagementResponse> {
  const isIt = (task: Request): boolean => task.nexus === link.nexus && task.task.tag === tag;
  for (const task of link.unit.taskSet.tasks) {
    if (isIt(task)) return then(abortTasks(link.unit, isIt, link.nexus), COMPLETE);
  }
  return 'taskDoesNotExist';
}

/** All nexuses share one task set (TST 000b). */
function clearTaskSet({ unit, nexus }: UnitNexus): MaybeAsync<TaskManagementResponse> {
  const others = new Set<NexusState>();
  for (const task of unit.taskSet.tasks) if (task.nexus !== nexus) others.add(task.nexus);
  const done = abortTasks(unit, () => true, nexus);
  if (!unit.mode.taskAbortedStatus) {
    for (const other of others) {
      const link = other.links.get(unit);
      if (link !== undefined) raise(link, 'commandsClearedByAnotherInitiator');
    }
  }
  return then(done, COMPLETE);
}

function resetUnit(
  unit: LogicalUnit,
  kind: ResetKind,
  by: NexusState,
): MaybeAsync<Result<void, DeviceFault>> {
  return unit.reservations.resetUnit(kind, by, () => resetHere(unit, kind, by));
}

/** Every logical unit behind the nexus's target port is reset, whoever uses it (SAM-5 §6.3.2). */
function resetTarget(nexus: NexusState): MaybeAsync<TaskManagementResponse> {
  const pending: Promise<Result<void, DeviceFault>>[] = [];
  let isWhole = true;
  for (const unit of new Set(nexus.port.units.values())) {
    const reset = resetUnit(unit, 'target', nexus);
    if (isAsync(reset)) pending.push(reset);
    else isWhole &&= reset.ok;
  }
  if (pending.length === 0) return isWhole ? 'complete' : 'rejected';
  return Promise.all(pending).then((all) => (isWhole && all.every(({ ok }) => ok) ? 'complete' : 'rejected'));
}

/** Also ends every session; the transport of this nexus ends its own once it has sent the response. */
function coldReset(nexus: NexusState): MaybeAsync<TaskManagementResponse> {
  return then(resetTarget(nexus), (response) => {
    for (const each of nexus.port.nexuses) each.events.targetReset();
    return response;
  });
}
