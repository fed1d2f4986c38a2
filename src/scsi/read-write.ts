/** READ and WRITE (6), (10), (12), (16) (SBC-3 §5.10 ff., §5.32 ff.): the hot path. */

import { fail, isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import type { DeviceFault, Loan } from '../ports/block-device.ts';
import { Status } from '../ports/scsi-target.ts';
import {
  blocksOf,
  blockUsage,
  type CdbLength,
  DPO,
  durabilityOf,
  FUA,
  lbaOf,
  planTransfer,
  transferFault,
} from './blocks.ts';
import type { Command, Outcome, Request } from './command.ts';
import { deviceFault, GOOD, goodUnless } from './outcome.ts';
import type { Fault } from './sense.ts';

function read(opcode: number, length: CdbLength): Command {
  return {
    name: `READ (${length})`,
    opcode,
    usage: blockUsage(opcode, length, DPO | FUA),
    access: 'read',
    execute: (request) => executeRead(request, length),
  };
}

/** READ (6) has no flags in byte 1: its bits are the LBA's. */
function executeRead(request: Request, length: CdbLength): MaybeAsync<Result<Outcome, Fault>> {
  const wrong = transferFault(request, length);
  if (wrong !== undefined) return fail(wrong);
  const { cdb } = request;
  const blocks = blocksOf(cdb, length);
  if (blocks === 0) return GOOD;
  const { device } = request.unit;
  if (length !== 6 && (cdb[1]! & FUA) !== 0 && device.writeCache === 'back') {
    return readFromMedium(request, length);
  }
  if (blocks * device.geometry.blockLength > request.task.dataInBufferLength) {
    return readPart(request, length);
  }
  const result = device.read(lbaOf(cdb, length), blocks, request);
  return isAsync(result) ? result.then(lend) : lend(result);
}

/** Stands for what is not read, because the initiator does not take it. */
const FILLER = new Uint8Array(64 << 10);

/**
 * The initiator takes less than the CDB says. Only that much is read: what a command holds in memory is counted by what
 * the initiator takes. The loan is as long as the CDB says, for the transport to tell the overflow.
 */
async function readPart(request: Request, length: CdbLength): Promise<Result<Outcome, Fault>> {
  const { cdb, task } = request;
  const { device } = request.unit;
  const { blockLength } = device.geometry;
  const blocksNamed = blocksOf(cdb, length);
  const blocks = Math.min(blocksNamed, Math.ceil(task.dataInBufferLength / blockLength));
  const result = blocks === 0 ? NOTHING : await device.read(lbaOf(cdb, length), blocks, request);
  if (!result.ok || blocks === blocksNamed) return lend(result);
  const loan = result.value;
  const segments = [...loan.segments];
  for (let left = (blocksNamed - blocks) * blockLength; left > 0; left -= FILLER.length) {
    segments.push(FILLER.subarray(0, left));
  }
  return lend({ ok: true, value: { segments, release: () => loan.release() } });
}

const NOTHING: Result<Loan, DeviceFault> = { ok: true, value: { segments: [], release: () => undefined } };

/** FUA: what is cached goes to the medium first (SBC-3 §4.15.2). */
async function readFromMedium(request: Request, length: CdbLength): Promise<Result<Outcome, Fault>> {
  const { device } = request.unit;
  const flushed = await device.flush(request);
  if (!flushed.ok) return deviceFault(flushed.fault);
  return request.aborted ? GOOD : readPart(request, length);
}

function lend(result: Result<Loan, DeviceFault>): Result<Outcome, Fault> {
  if (!result.ok) return deviceFault(result.fault);
  return { ok: true, value: { status: Status.GOOD, dataIn: result.value } };
}

function write(opcode: number, length: CdbLength): Command {
  return {
    name: `WRITE (${length})`,
    opcode,
    usage: blockUsage(opcode, length, DPO | FUA),
    access: 'write',
    writesMedium: true,
    takesLessData: true,
    plan: (request) => planTransfer(request, length),
    execute(request) {
      if (request.dataOut.length === 0) return GOOD;
      const { cdb } = request;
      const durability = length === 6 ? 'cached' : durabilityOf(cdb);
      const result = request.unit.device.write(lbaOf(cdb, length), request.dataOut, durability, request);
      return isAsync(result) ? result.then(goodUnless) : goodUnless(result);
    },
  };
}

export const READ_WRITE_COMMANDS: readonly Command[] = [
  read(0x08, 6),
  read(0x28, 10),
  read(0xa8, 12),
  read(0x88, 16),
  write(0x0a, 6),
  write(0x2a, 10),
  write(0xaa, 12),
  write(0x8a, 16),
];
