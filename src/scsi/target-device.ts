/**
 * A SCSI target device with one target port (SAM-5 §4.6): opens nexuses, routes tasks to logical units, and lets units
 * come and go while initiators are logged in. It never looks into a CDB beyond finding the row.
 */

import { assert } from '../base/assert.ts';
import { decodeLun, encodeLun, LUN_MAX } from '../base/lun.ts';
import { isAsync, type MaybeAsync } from '../base/result.ts';
import type {
  Nexus,
  NexusEvents,
  NexusIdentity,
  ScsiTargetDevice,
  Task,
  TaskManagementFunction,
  TaskManagementResponse,
} from '../ports/scsi-target.ts';
import type { Trace } from '../ports/trace.ts';
import { completeAbsent } from './absent-unit.ts';
import { commandFor } from './command-table.ts';
import { abortTasks, begin, dataOutReceived } from './execution.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { findAmong } from './copy/designator.ts';
import {
  type FindUnit,
  nexusName,
  type NexusState,
  portName,
  type TargetPort,
  type UnitNexus,
} from './nexus.ts';
import { manageTasks } from './task-management.ts';
import { raise } from './unit-attention.ts';

export interface TargetDeviceOptions {
  /** iSCSI target name. */
  readonly targetName: string;
  readonly portalGroupTag: number;
  /** Unique among the target ports of each logical unit, 1 to 65535. */
  readonly relativeTargetPort: number;
  /** The target port group; the same number as the port when each port is a group of its own. */
  readonly targetPortGroup?: number;
  /** By LUN. */
  readonly units: ReadonlyMap<number, LogicalUnit>;
  /** Finds copy sources and destinations; among the units of this port when not given. */
  readonly findUnit?: FindUnit;
  readonly trace: Trace;
}

export interface TargetDevice extends ScsiTargetDevice {
  readonly port: TargetPort;
  /** A new logical unit: the others report REPORTED LUNS DATA HAS CHANGED. */
  addUnit(lun: number, unit: LogicalUnit): void;
  /** Takes a logical unit away; its tasks of this port end with TASK ABORTED. Answers when none is left. */
  removeUnit(lun: number): MaybeAsync<void>;
}

interface OwnPort extends TargetPort {
  readonly units: Map<number, LogicalUnit>;
  readonly nexuses: Set<OpenNexus>;
}

export function createTargetDevice(options: TargetDeviceOptions): TargetDevice {
  const { targetName, portalGroupTag, relativeTargetPort, trace } = options;
  const port: OwnPort = {
    targetName,
    portalGroupTag,
    relativeTargetPort,
    targetPortGroup: options.targetPortGroup ?? relativeTargetPort,
    portName: portName(targetName, portalGroupTag),
    units: new Map(),
    nexuses: new Set(),
    findUnit: options.findUnit ?? ((designator) => findAmong(port.units.values(), designator)),
  };
  const addUnit = (lun: number, unit: LogicalUnit): void => {
    assert(Number.isInteger(lun) && lun >= 0 && lun <= LUN_MAX, `LUN ${lun} is out of range`);
    assert(!port.units.has(lun), `LUN ${lun} is taken`);
    for (const nexus of port.nexuses) {
      nexus.reportLunsChanged();
      nexus.attach(lun, unit);
    }
    port.units.set(lun, unit);
    unit.ports.add(port);
  };
  for (const [lun, unit] of options.units) addUnit(lun, unit);
  return {
    port,
    addUnit(lun, unit) {
      addUnit(lun, unit);
      trace('info', 'scsi.unit.added', { targetName, lun });
    },
    removeUnit(lun) {
      trace('info', 'scsi.unit.removed', { targetName, lun });
      return removeUnit(port, lun);
    },
    openNexus(identity, events) {
      const nexus = new OpenNexus(port, identity, events);
      trace('info', 'scsi.nexus.opened', { nexus: nexus.name, path: identity.path });
      return nexus;
    },
  };
}

function removeUnit(port: OwnPort, lun: number): MaybeAsync<void> {
  const unit = port.units.get(lun);
  assert(unit !== undefined, `there is no LUN ${lun}`);
  port.units.delete(lun);
  const elsewhere = [...port.units.values()].includes(unit);
  for (const nexus of port.nexuses) {
    nexus.detach(lun, unit, elsewhere);
    nexus.reportLunsChanged();
  }
  if (elsewhere) return undefined;
  unit.ports.delete(port);
  return abortTasks(unit, (task) => task.nexus.port === port, 'deviceServer');
}

class OpenNexus implements Nexus, NexusState {
  readonly identity: NexusIdentity;
  readonly events: NexusEvents;
  readonly port: OwnPort;
  readonly name: string;
  readonly links = new Map<LogicalUnit, UnitNexus>();
  readonly byLun = new Map<number, UnitNexus>();
  closed = false;

  constructor(port: OwnPort, identity: NexusIdentity, events: NexusEvents) {
    this.port = port;
    this.identity = identity;
    this.events = events;
    this.name = nexusName(identity);
    for (const [lun, unit] of port.units) this.attach(lun, unit);
    port.nexuses.add(this);
  }

  submit(task: Task): void {
    if (this.closed) {
      task.abandoned();
      return;
    }
    const lun = decodeLun(task.lunHigh, task.lunLow);
    const link = this.byLun.get(lun);
    if (link === undefined) completeAbsent(this, lun, task);
    else begin(link, task, commandFor(task.cdb));
  }

  dataOutReceived(task: Task, segments: readonly Uint8Array[]): void {
    dataOutReceived(task, segments);
  }

  manage(request: TaskManagementFunction): MaybeAsync<TaskManagementResponse> {
    return this.closed ? 'rejected' : manageTasks(this, this.byLun, request);
  }

  close(): MaybeAsync<void> {
    assert(!this.closed, 'a nexus closes once');
    this.closed = true;
    this.port.nexuses.delete(this);
    const pending: Promise<void>[] = [];
    for (const [unit, link] of this.links) {
      unit.links.delete(link);
      const aborted = abortTasks(unit, (task) => task.nexus === this, 'nexusLoss');
      unit.reservations.nexusLost(this);
      if (isAsync(aborted)) pending.push(aborted);
    }
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
  }

  /** A unit behind several LUNs has one I_T_L nexus. A new one begins with POWER ON, RESET (SAM-5 §5.14). */
  attach(lun: number, unit: LogicalUnit): void {
    let link = this.links.get(unit);
    if (link === undefined) {
      link = {
        nexus: this,
        unit,
        lun,
        lunHigh: encodeLun(lun),
        attentions: ['powerOnOrReset'],
        preventsRemoval: false,
      };
      this.links.set(unit, link);
      unit.links.add(link);
    }
    this.byLun.set(lun, link);
  }

  detach(lun: number, unit: LogicalUnit, elsewhere: boolean): void {
    const link = this.byLun.get(lun);
    this.byLun.delete(lun);
    if (elsewhere || link === undefined) return;
    this.links.delete(unit);
    unit.links.delete(link);
  }

  reportLunsChanged(): void {
    for (const link of this.links.values()) raise(link, 'reportedLunsChanged');
  }
}
