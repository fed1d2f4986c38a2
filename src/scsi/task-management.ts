/**
 * Task management functions (SAM-5 §7) with their effect: what they abort never starts, and they answer when nothing of
 * it can touch the medium any more.
 */

import { decodeLun } from '../base/lun.ts';
import { isAsync, type MaybeAsync, then } from '../base/result.ts';
import type { TaskManagementFunction, TaskManagementResponse } from '../ports/scsi-target.ts';
import type { Request } from './command.ts';
import { abortTasks } from './execution.ts';
import { type LogicalUnit, MODE_DEFAULTS } from './logical-unit.ts';
import type { NexusState, UnitNexus } from './nexus.ts';
import type { SenseReason } from './sense.ts';
import { raise, raiseOnAll } from './unit-attention.ts';

const COMPLETE = (): TaskManagementResponse => 'complete';

/** Task Management Request Received () of an open nexus; `links` by LUN. */
export function manageTasks(
  nexus: NexusState,
  links: ReadonlyMap<number, UnitNexus>,
  request: TaskManagementFunction,
): MaybeAsync<TaskManagementResponse> {
  if (request.kind === 'targetWarmReset') return then(resetTarget(nexus), COMPLETE);
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
      return then(resetUnit(unit, nexus, 'busDeviceReset'), COMPLETE);
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

/** SAM-5 §6.3.3. Persistent reservations and a running SANITIZE stay. */
function resetUnit(unit: LogicalUnit, by: NexusState, attention: SenseReason): MaybeAsync<void> {
  const aborted = abortTasks(unit, () => true, by);
  unit.reservations.unitReset();
  for (const link of unit.links) link.preventsRemoval = false;
  Object.assign(unit.mode, MODE_DEFAULTS);
  raiseOnAll(unit, attention);
  return then(aborted, () => restoreWriteCache(unit));
}

/** Mode parameters go back to their defaults (SPC-4 §7.5.1). A device that cannot flush now keeps its policy. */
function restoreWriteCache(unit: LogicalUnit): MaybeAsync<void> {
  if (unit.device.writeCache === unit.writeCacheDefault) return undefined;
  return then(unit.device.setWriteCache(unit.writeCacheDefault), () => undefined);
}

/** Every logical unit behind the nexus's target port is reset, whoever uses it (SAM-5 §6.3.2). */
function resetTarget(nexus: NexusState): MaybeAsync<void> {
  const pending: Promise<void>[] = [];
  for (const unit of new Set(nexus.port.units.values())) {
    const reset = resetUnit(unit, nexus, 'scsiBusReset');
    if (isAsync(reset)) pending.push(reset);
  }
  return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
}

/** Also ends every session; the transport of this nexus ends its own once it has sent the response. */
function coldReset(nexus: NexusState): MaybeAsync<TaskManagementResponse> {
  return then(resetTarget(nexus), () => {
    for (const each of nexus.port.nexuses) each.events.targetReset();
    return 'complete';
  });
}
