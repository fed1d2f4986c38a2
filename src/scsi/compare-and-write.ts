/** COMPARE AND WRITE (SBC-3 §5.2) and ORWRITE (16) (SBC-3 §5.7): what a device does atomically, and what is built on it. */

import { fail, isAsync, type MaybeAsync, ok, type Result } from '../base/result.ts';
import { copyTo, lengthOf, slice } from '../base/segments.ts';
import type { BlockDevice, DeviceFault, Loan } from '../ports/block-device.ts';
import { blockUsage, blocksOf, DPO, durabilityOf, FUA, lbaOf, planTransfer, rangeFault } from './blocks.ts';
import { type Command, type Outcome, type Request, ticketOfStep } from './command.ts';
import { COMPARE_AND_WRITE_BLOCKS_MAX } from './limits.ts';
import { deviceFault, GOOD, goodUnless, refuse } from './outcome.ts';
import { type Fault, invalidCdbField } from './sense.ts';

const COUNT_BYTE = 13;

const COMPARE_AND_WRITE: Command = {
  name: 'COMPARE AND WRITE',
  opcode: 0x89,
  usage: [
    0x89,
    DPO | FUA,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0xff,
    0x00,
    0x00,
    0x00,
    0xff,
    0x1f,
    0x00,
  ],
  access: 'write',
  writesMedium: true,
  plan(request) {
    const { cdb, task } = request;
    const blocks = cdb[COUNT_BYTE]!;
    if (blocks > COMPARE_AND_WRITE_BLOCKS_MAX) return fail(invalidCdbField(COUNT_BYTE));
    const wrong = rangeFault(request, lbaOf(cdb, 16), blocks);
    if (wrong !== undefined) return fail(wrong);
    const bytes = 2 * blocks * request.unit.device.geometry.blockLength;
    // More data than the CDB accounts for: the two disagree on what is to be compared.
    if (task.dataOutBufferLength > bytes) return fail(invalidCdbField(COUNT_BYTE));
    return ok(bytes);
  },
  execute(request) {
    const { cdb, unit } = request;
    const half = cdb[COUNT_BYTE]! * unit.device.geometry.blockLength;
    if (half === 0) return GOOD;
    const expected = slice(request.dataOut, 0, half);
    const data = slice(request.dataOut, half, half);
    const result = unit.device.compareAndWrite(lbaOf(cdb, 16), expected, data, durabilityOf(cdb), request);
    return isAsync(result) ? result.then(goodUnless) : goodUnless(result);
  },
};

/** Pieces of one ORWRITE; each is atomic, the whole need not be. */
const PIECE_BYTES = 256 << 10;
/** Somebody else was faster each time. */
const ATTEMPTS_MAX = 64;

const ORWRITE_16: Command = {
  name: 'ORWRITE (16)',
  opcode: 0x8b,
  usage: blockUsage(0x8b, 16, DPO | FUA),
  access: 'write',
  writesMedium: true,
  plan: (request) => planTransfer(request, 16),
  execute: (request) => (blocksOf(request.cdb, 16) === 0 ? GOOD : orwrite(request)),
};

async function orwrite(request: Request): Promise<Result<Outcome, Fault>> {
  const { blockLength } = request.unit.device.geometry;
  const lba = lbaOf(request.cdb, 16);
  const blocks = blocksOf(request.cdb, 16);
  const pieceBlocks = PIECE_BYTES / blockLength;
  for (let done = 0; done < blocks; done += pieceBlocks) {
    const count = Math.min(pieceBlocks, blocks - done);
    const mask = slice(request.dataOut, done * blockLength, count * blockLength);
    const result = await orPiece(request, lba + done, count, mask);
    if (!result.ok) return result;
  }
  return GOOD;
}

/** Reads, ORs, and writes if nobody has written in between; otherwise again. */
async function orPiece(
  request: Request,
  lba: number,
  blocks: number,
  mask: readonly Uint8Array[],
): Promise<Result<Outcome, Fault>> {
  const { device } = request.unit;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    if (request.aborted) return GOOD;
    const before = await device.read(lba, blocks, ticketOfStep(request));
    if (!before.ok) return deviceFault(before.fault);
    const written = await orInto(device, lba, before.value, mask, request);
    if (written.ok) return GOOD;
    if (written.fault.kind !== 'miscompare') return deviceFault(written.fault);
  }
  return refuse('busy');
}

function orInto(
  device: BlockDevice,
  lba: number,
  before: Loan,
  mask: readonly Uint8Array[],
  request: Request,
): MaybeAsync<Result<void, DeviceFault>> {
  if (request.aborted) {
    before.release();
    return { ok: true, value: undefined };
  }
  const result = device.compareAndWrite(
    lba,
    before.segments,
    [combined(before.segments, mask)],
    durabilityOf(request.cdb),
    ticketOfStep(request),
  );
  const settle = (value: Result<void, DeviceFault>): Result<void, DeviceFault> => {
    before.release();
    return value;
  };
  return isAsync(result) ? result.then(settle) : settle(result);
}

function combined(before: readonly Uint8Array[], mask: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(lengthOf(before));
  copyTo(before, bytes, 0);
  let at = 0;
  for (const segment of mask) {
    for (let i = 0; i < segment.length; i += 1) bytes[at + i]! |= segment[i]!;
    at += segment.length;
  }
  return bytes;
}

export const COMPARE_AND_WRITE_COMMANDS: readonly Command[] = [COMPARE_AND_WRITE, ORWRITE_16];
