/** For tests only: nexuses of a unit that send CDBs to given rows and hear how they ended. */

import { assert } from '../../base/assert.ts';
import { encodeLun } from '../../base/lun.ts';
import type { MaybeAsync } from '../../base/result.ts';
import { Status, type Task } from '../../ports/scsi-target.ts';
import type { Command } from '../command.ts';
import { findAmong } from '../copy/designator.ts';
import { abortTasks, begin, dataOutReceived } from '../execution.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { nexusName, type NexusState, portName, type TargetPort, type UnitNexus } from '../nexus.ts';

export interface Ending {
  /** Undefined: abandoned. */
  readonly status: Status | undefined;
  readonly sense: Uint8Array | undefined;
  readonly data: Uint8Array;
  /** 'GOOD', 'CONFLICT', 'ABANDONED', or sense as '5/24/00'. */
  readonly outcome: string;
}

export interface Initiator {
  readonly nexus: NexusState;
  readonly link: UnitNexus;
  /** What waits for the nexus, oldest first; the power-on condition is taken away at the start. */
  attentions(): string[];
  send(cdb: readonly number[], dataOut?: Uint8Array): Promise<Ending>;
  close(): MaybeAsync<void>;
}

export function createPort(relativeTargetPort: number, units: readonly LogicalUnit[]): TargetPort {
  const targetName = `iqn.2026-01.test:${relativeTargetPort}`;
  const port: TargetPort = {
    targetName,
    portalGroupTag: 1,
    relativeTargetPort,
    targetPortGroup: relativeTargetPort,
    portName: portName(targetName, 1),
    units: new Map(units.map((unit, lun) => [lun, unit])),
    nexuses: new Set(),
    findUnit: (designator) => findAmong(units, designator),
  };
  for (const unit of units) unit.ports.add(port);
  return port;
}

let nextTag = 1;

export function createInitiator(
  unit: LogicalUnit,
  port: TargetPort,
  initiatorName: string,
  rows: readonly Command[],
): Initiator {
  const isid = '00023d000001';
  const identity = {
    initiatorName,
    initiatorPort: `${initiatorName},i,0x${isid}`,
    isid,
    targetName: port.targetName,
    portalGroupTag: port.portalGroupTag,
    path: 'test',
  };
  const events = { unitAttention: () => undefined, targetReset: () => undefined };
  const links = new Map<LogicalUnit, UnitNexus>();
  const nexus: NexusState = { identity, events, port, name: nexusName(identity), links, closed: false };
  const lun = [...port.units.values()].indexOf(unit);
  const link: UnitNexus = {
    nexus,
    unit,
    lun,
    lunHigh: encodeLun(lun),
    attentions: [],
    preventsRemoval: false,
  };
  links.set(unit, link);
  unit.links.add(link);
  return {
    nexus,
    link,
    attentions: () => link.attentions.splice(0),
    send: (cdb, dataOut = new Uint8Array(0)) => submit(link, rowOf(rows, cdb), Uint8Array.from(cdb), dataOut),
    close() {
      nexus.closed = true;
      unit.links.delete(link);
      const aborted = abortTasks(unit, (task) => task.nexus === nexus, 'nexusLoss');
      unit.reservations.nexusLost(nexus);
      return aborted;
    },
  };
}

function rowOf(rows: readonly Command[], cdb: readonly number[]): Command {
  const matches = (row: Command): boolean =>
    row.opcode === cdb[0] && (row.serviceAction === undefined || row.serviceAction === (cdb[1]! & 0x1f));
  const row = rows.find(matches);
  assert(row !== undefined, `no row for opcode ${cdb[0]}, service action ${cdb[1]}`);
  return row;
}

function submit(link: UnitNexus, row: Command, cdb: Uint8Array, dataOut: Uint8Array): Promise<Ending> {
  return new Promise((resolve) => {
    const task: Task = {
      lunHigh: link.lunHigh,
      lunLow: 0,
      tag: nextTag,
      attribute: 'simple',
      cdb,
      arrivedAt: 0,
      dataOutBufferLength: dataOut.length,
      dataInBufferLength: 65536,
      server: undefined,
      receiveDataOut(length) {
        dataOutReceived(task, [dataOut.subarray(0, length)]);
      },
      complete(status, sense, dataIn) {
        const data = flat(dataIn?.segments ?? []);
        dataIn?.release();
        resolve({ status, sense, data, outcome: describe(status, sense) });
      },
      abandoned: () =>
        resolve({ status: undefined, sense: undefined, data: new Uint8Array(0), outcome: 'ABANDONED' }),
    };
    nextTag += 1;
    begin(link, task, row);
  });
}

function describe(status: Status, sense: Uint8Array | undefined): string {
  if (status === Status.GOOD) return 'GOOD';
  if (status === Status.RESERVATION_CONFLICT) return 'CONFLICT';
  if (sense === undefined) return `STATUS ${status}`;
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return `${(sense[2]! & 0x0f).toString(16)}/${hex(sense[12]!)}/${hex(sense[13]!)}`;
}

function flat(segments: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(segments.flatMap((segment) => [...segment]));
}
