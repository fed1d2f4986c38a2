/** For tests only: an initiator logged in to a whole target device, sending CDBs and hearing how they ended. */

import { encodeLun } from '../../base/lun.ts';
import type { MaybeAsync } from '../../base/result.ts';
import type { BlockDevice } from '../../ports/block-device.ts';
import type { Nexus, Status, Task, TaskAttribute, TaskManagementResponse } from '../../ports/scsi-target.ts';
import { createLogicalUnit, type LogicalUnit, type LogicalUnitOptions } from '../logical-unit.ts';
import { createReservations } from '../reservations/reservations.ts';
import { createTargetDevice, type TargetDevice } from '../target-device.ts';
import { HandClock, testCrypto } from './token-ports.ts';

export interface Ending {
  /** Undefined: abandoned. */
  readonly status: Status | undefined;
  readonly sense: Uint8Array | undefined;
  readonly data: Uint8Array;
}

export interface Sent {
  readonly tag: number;
  readonly task: Task;
  /** Undefined while the task runs. */
  ending: Ending | undefined;
  readonly ended: Promise<Ending>;
  /** Bytes of data-out that the target asked for. */
  wanted: number | undefined;
}

export interface SendOptions {
  readonly dataOut?: Uint8Array;
  /** The data-out is asked for but never sent. */
  readonly withhold?: true;
  readonly lun?: number;
  readonly attribute?: TaskAttribute;
  /** What the initiator takes; 16 MiB when not given. */
  readonly dataIn?: number;
}

const HEX = (value: number): string => value.toString(16).padStart(2, '0');

/** 'good', 'status 18', 'abandoned', or sense as '5/24/00'. */
export function said(ending: Ending | undefined): string {
  if (ending === undefined) return 'running';
  if (ending.status === undefined) return 'abandoned';
  if (ending.status === 0) return 'good';
  const { sense } = ending;
  if (sense === undefined) return `status ${HEX(ending.status)}`;
  const fixed = (sense[0]! & 0x7f) === 0x70;
  const [key, asc, ascq] = fixed
    ? [sense[2]! & 0x0f, sense[12]!, sense[13]!]
    : [sense[1]!, sense[2]!, sense[3]!];
  return `${key.toString(16)}/${HEX(asc!)}/${HEX(ascq!)}`;
}

/** The sense-key specific field pointer of fixed format sense: 'cdb 1.3', 'list 4'. */
export function pointed(ending: Ending): string {
  const sense = ending.sense!;
  const flags = sense[15]!;
  const where = (flags & 0x40) === 0 ? 'list' : 'cdb';
  const bit = (flags & 0x08) === 0 ? '' : `.${flags & 7}`;
  return `${where} ${(sense[16]! << 8) | sense[17]!}${bit}`;
}

let nextTag = 1;

export class Client {
  readonly nexus: Nexus;
  /** Unit attentions as they were announced. */
  readonly announced: Uint8Array[] = [];
  resets = 0;
  /** The clock of the target. */
  now: () => number = () => 0;

  constructor(target: TargetDevice, initiatorName = 'iqn.2026-01.test:a', isid = '00023d000001') {
    const { targetName, portalGroupTag } = target.port;
    this.nexus = target.openNexus(
      {
        initiatorName,
        initiatorPort: `${initiatorName},i,0x${isid}`,
        isid,
        targetName,
        portalGroupTag,
        path: 'test',
      },
      {
        unitAttention: (_high, _low, sense) => void this.announced.push(sense),
        targetReset: () => {
          this.resets += 1;
        },
      },
    );
  }

  send(cdb: readonly number[], options: SendOptions = {}): Sent {
    const dataOut = options.dataOut ?? new Uint8Array(0);
    let settle: (ending: Ending) => void = () => undefined;
    const ended = new Promise<Ending>((resolve) => {
      settle = resolve;
    });
    const finish = (ending: Ending): void => {
      if (sent.ending !== undefined) throw new Error('a task ended twice');
      sent.ending = ending;
      settle(ending);
    };
    const { nexus } = this;
    const bytes = new Uint8Array(16);
    bytes.set(cdb);
    const task: Task = {
      lunHigh: (options.lun ?? 0) < 0 ? 0xc101_0000 : encodeLun(options.lun ?? 0),
      lunLow: 0,
      tag: nextTag++,
      attribute: options.attribute ?? 'simple',
      cdb: bytes,
      arrivedAt: this.now(),
      dataOutBufferLength: dataOut.length,
      dataInBufferLength: options.dataIn ?? 1 << 24,
      server: undefined,
      receiveDataOut(length) {
        sent.wanted = length;
        if (options.withhold === undefined) nexus.dataOutReceived(task, cut(dataOut.subarray(0, length)));
      },
      complete(status, sense, dataIn) {
        const data = Uint8Array.from((dataIn?.segments ?? []).flatMap((segment) => [...segment]));
        dataIn?.release();
        finish({ status, sense, data });
      },
      abandoned: () => finish({ status: undefined, sense: undefined, data: new Uint8Array(0) }),
    };
    const sent: Sent = { tag: task.tag, task, ending: undefined, ended, wanted: undefined };
    nexus.submit(task);
    return sent;
  }

  /** Sends and waits. */
  run(cdb: readonly number[], options: SendOptions = {}): Promise<Ending> {
    return this.send(cdb, options).ended;
  }

  abort(tag: number): MaybeAsync<TaskManagementResponse> {
    return this.nexus.manage({ kind: 'abortTask', lunHigh: 0, lunLow: 0, tag });
  }

  manage(
    kind: 'abortTaskSet' | 'clearTaskSet' | 'clearAca' | 'logicalUnitReset',
  ): MaybeAsync<TaskManagementResponse> {
    return this.nexus.manage({ kind, lunHigh: 0, lunLow: 0 });
  }

  /** Takes the unit attentions that wait. */
  async attentions(lun = 0): Promise<string[]> {
    const found: string[] = [];
    for (;;) {
      const ending = await this.run([0, 0, 0, 0, 0, 0], { lun });
      if (!said(ending).startsWith('6/')) return found;
      found.push(said(ending));
    }
  }
}

/** In odd pieces, as a network delivers. */
function cut(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length < 2) return bytes.length === 0 ? [] : [bytes];
  const middle = Math.min(100, bytes.length >>> 1);
  return [bytes.subarray(0, middle), bytes.subarray(middle)];
}

export const NAA = Uint8Array.from([0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

export function unitOver(device: BlockDevice, options: Partial<LogicalUnitOptions> = {}): LogicalUnit {
  return createLogicalUnit({
    device,
    reservations: createReservations(),
    clock: new HandClock(),
    crypto: testCrypto,
    identity: { product: 'TEST DISK', revision: '1.0', serial: 'S-1', naa: NAA },
    ...options,
  });
}

export function targetOver(...units: LogicalUnit[]): TargetDevice {
  return targetAt(1, ...units);
}

export function targetAt(relativeTargetPort: number, ...units: LogicalUnit[]): TargetDevice {
  return createTargetDevice({
    targetName: `iqn.2026-01.test:disk${relativeTargetPort}`,
    portalGroupTag: 1,
    relativeTargetPort,
    units: new Map(units.map((unit, lun) => [lun, unit])),
    trace: () => undefined,
  });
}

/** A logged-in client whose power-on condition is behind it. */
export async function readyClient(target: TargetDevice, name?: string): Promise<Client> {
  const client = new Client(target, name);
  for (const lun of target.port.units.keys()) await client.attentions(lun);
  return client;
}
