/**
 * The two ends of a segment as the copy manager reaches them. The unit that got the EXTENDED COPY is used directly; any
 * other is used through a nexus of the same initiator with it, chunk by chunk as a task of its task set, so that its
 * reservations, its write protection, its aborts and its resets hold for copies as for any command. A unit to which
 * the initiator has not logged in is not reachable.
 */

import type { MaybeAsync, Result } from '../../base/result.ts';
import type { BlockDevice, DeviceFault, Ticket } from '../../ports/block-device.ts';
import { Status, type Task } from '../../ports/scsi-target.ts';
import { type Access, type Command, type Request, ticketOfStep } from '../command.ts';
import { begin } from '../execution.ts';
import { type LogicalUnit, writeProtection } from '../logical-unit.ts';
import type { UnitNexus } from '../nexus.ts';
import { deviceFault, GOOD } from '../outcome.ts';
import { isExcluded } from '../reservations/conflict.ts';
import { nameOf, reservationsOf } from '../reservations/held.ts';
import type { SenseReason } from '../sense.ts';

/** How one action at an end went. */
export type EndResult = 'done' | SenseReason;

/** What is done at an end, for the initiator that waits for it. */
type Action = (device: BlockDevice, ticket: Ticket) => MaybeAsync<Result<void, DeviceFault>>;

export interface CopyEnd {
  readonly unit: LogicalUnit;
  readonly device: BlockDevice;
  /** Runs `action` on the device when the unit lets it. */
  use(access: 'read' | 'write', action: Action): MaybeAsync<EndResult>;
}

/** Undefined: not reachable for this initiator. */
export function openEnd(request: Request, designator: Uint8Array): CopyEnd | undefined {
  const unit = request.nexus.port.findUnit(designator);
  if (unit === undefined) return undefined;
  const { device } = unit;
  if (unit === request.unit)
    return { unit, device, use: (access, action) => useOwn(request, access, action) };
  const link = linkTo(unit, request);
  if (link === undefined) return undefined;
  return { unit, device, use: (access, action) => useOther(link, request, access, action) };
}

/** The initiator's way to another unit: its own nexus first, and one that a reservation does not shut out. */
function linkTo(unit: LogicalUnit, { nexus }: Request): UnitNexus | undefined {
  const links = [...unit.links].filter(
    (link) => link.nexus.identity.initiatorName === nexus.identity.initiatorName,
  );
  const state = reservationsOf(unit)?.state;
  const isFree = (link: UnitNexus): boolean => state === undefined || !isExcluded(state, nameOf(link.nexus));
  const own = links.find((link) => link.nexus === nexus);
  return own !== undefined && isFree(own) ? own : (links.find(isFree) ?? own ?? links[0]);
}

async function useOwn(request: Request, access: 'read' | 'write', action: Action): Promise<EndResult> {
  const { unit, aborted } = request;
  if (aborted) return 'copyAborted';
  if (unit.sanitizing !== undefined || unit.medium !== 'loaded') return 'copyTargetDeviceNotReachable';
  if (access === 'write' && writeProtection(unit) !== undefined) return 'copyThirdPartyDeviceFailure';
  const result = action(unit.device, ticketOfStep(request));
  return outcomeOf(
    await (access === 'write' && unit.tokens !== undefined ? unit.tokens.track(result) : result),
  );
}

function outcomeOf(result: Result<void, DeviceFault>): EndResult {
  if (result.ok) return 'done';
  switch (result.fault.kind) {
    case 'unavailable':
      return 'copyTargetDeviceNotReachable';
    case 'noSpace':
      return 'spaceAllocationFailedWriteProtect';
    default:
      return 'copyThirdPartyDeviceFailure';
  }
}

const NO_CDB = new Uint8Array(16);
/** No transport uses it, so no ABORT TASK means a copy by it. */
const NO_TAG = -1;

/** One chunk as a task of the other unit. */
function useOther(link: UnitNexus, request: Request, access: Access, action: Action): Promise<EndResult> {
  const { unit } = link;
  let outcome: EndResult = 'copyThirdPartyDeviceFailure';
  const command: Command = {
    name: 'EXTENDED COPY, at the other logical unit',
    opcode: 0x83,
    usage: [],
    access,
    // What the initiator has not heard yet is for its own commands to tell.
    beforeUnitAttention: true,
    ...(access === 'write' ? { writesMedium: true as const } : {}),
    async execute(chunk) {
      const result = await action(unit.device, ticketOfStep(chunk));
      outcome = outcomeOf(result);
      return result.ok ? GOOD : deviceFault(result.fault);
    },
  };
  // An ORDERED copy waits for its chunks, so they may not wait for an ORDERED copy in the other direction.
  const attribute = request.task.attribute === 'simple' ? 'simple' : 'headOfQueue';
  if (request.aborted) return Promise.resolve('copyAborted');
  if (unit.ports.size === 0) return Promise.resolve('copyTargetDeviceNotReachable');
  return new Promise((resolve) => {
    const task: Task = {
      lunHigh: link.lunHigh,
      lunLow: 0,
      tag: NO_TAG,
      attribute,
      cdb: NO_CDB,
      arrivedAt: request.task.arrivedAt,
      dataOutBufferLength: 0,
      dataInBufferLength: 0,
      server: undefined,
      receiveDataOut: () => undefined,
      complete(status) {
        if (status === Status.GOOD) resolve('done');
        // Aborted, or never begun, though what it did may have gone well.
        else resolve(outcome === 'done' ? 'copyThirdPartyDeviceFailure' : outcome);
      },
      abandoned: () => resolve('copyThirdPartyDeviceFailure'),
    };
    begin(link, task, command);
  });
}
