/**
 * VERIFY and WRITE AND VERIFY (10), (12), (16) (SBC-3 §5.27 ff., §5.36 ff.). BYTCHK 00b reads the blocks from the medium, 01b
 * compares them with the data-out, 11b compares each with one block of data-out.
 */

import { fail, isAsync, type MaybeAsync, ok, type Result } from '../base/result.ts';
import { lengthOf } from '../base/segments.ts';
import type { DeviceFault, Loan } from '../ports/block-device.ts';
import {
  blocksOf,
  blockUsage,
  type CdbLength,
  DPO,
  lbaOf,
  PLAN_NOTHING,
  planTransfer,
  rangeFault,
  transferFault,
} from './blocks.ts';
import { type Command, type Outcome, type Request, ticketOfStep } from './command.ts';
import { deviceFault, GOOD } from './outcome.ts';
import { createPace } from './pace.ts';
import { type Fault, invalidCdbField } from './sense.ts';
import { firstDifference } from './compare.ts';

const BYTCHK_MASK = 0x06;

/** Blocks are read and compared in pieces of this size, so that a big VERIFY holds little memory. */
const PIECE_BYTES = 1 << 20;

function bytchkOf(cdb: Uint8Array): number {
  return (cdb[1]! & BYTCHK_MASK) >>> 1;
}

const BYTCHK_RESERVED = 2;
const BYTCHK_NONE = 0;
const BYTCHK_ONE_BLOCK = 3;

function verify(opcode: number, length: CdbLength): Command {
  return {
    name: `VERIFY (${length})`,
    opcode,
    usage: blockUsage(opcode, length, DPO | BYTCHK_MASK),
    access: 'read',
    plan(request) {
      const bytchk = bytchkOf(request.cdb);
      if (bytchk === BYTCHK_RESERVED) return fail(invalidCdbField(1, 2));
      if (bytchk === 1) return planTransfer(request, length);
      const blocks = blocksOf(request.cdb, length);
      // Nothing is transferred without a comparison: the whole medium may be verified at once.
      const wrong =
        bytchk === BYTCHK_NONE
          ? rangeFault(request, lbaOf(request.cdb, length), blocks)
          : transferFault(request, length);
      if (wrong !== undefined) return fail(wrong);
      if (bytchk === BYTCHK_NONE || blocks === 0) return PLAN_NOTHING;
      return ok(request.unit.device.geometry.blockLength);
    },
    execute(request) {
      const { device } = request.unit;
      const verifyNow = (): MaybeAsync<Result<Outcome, Fault>> =>
        request.aborted ? GOOD : verifyBlocks(request, length, bytchkOf(request.cdb));
      // It is the medium that is verified: what is cached goes there first (SBC-3 §4.15.2).
      return device.writeCache === 'back' ? onceDurable(device.flush(request), verifyNow) : verifyNow();
    },
  };
}

function onceDurable(
  written: MaybeAsync<Result<void, DeviceFault>>,
  next: () => MaybeAsync<Result<Outcome, Fault>>,
): MaybeAsync<Result<Outcome, Fault>> {
  if (!isAsync(written)) return written.ok ? next() : deviceFault(written.fault);
  return written.then((done) => (done.ok ? next() : deviceFault(done.fault)));
}

function writeAndVerify(opcode: number, length: CdbLength): Command {
  return {
    name: `WRITE AND VERIFY (${length})`,
    opcode,
    usage: blockUsage(opcode, length, DPO | BYTCHK_MASK),
    access: 'write',
    writesMedium: true,
    takesLessData: true,
    plan(request) {
      // 11b makes no sense with data for every block, and is reserved here.
      return bytchkOf(request.cdb) >= BYTCHK_RESERVED
        ? fail(invalidCdbField(1, 2))
        : planTransfer(request, length);
    },
    execute(request) {
      if (request.dataOut.length === 0) return GOOD;
      // On the medium before it is verified, or the cache would be compared with itself.
      const written = request.unit.device.write(
        lbaOf(request.cdb, length),
        request.dataOut,
        'durable',
        request,
      );
      const verifyNow = (): MaybeAsync<Result<Outcome, Fault>> =>
        request.aborted ? GOOD : verifyBlocks(request, length, bytchkOf(request.cdb));
      return onceDurable(written, verifyNow);
    },
  };
}

/** Reads the blocks, or as many as there is data for, and compares. */
function verifyBlocks(
  request: Request,
  length: CdbLength,
  bytchk: number,
): MaybeAsync<Result<Outcome, Fault>> {
  const { blockLength } = request.unit.device.geometry;
  const lba = lbaOf(request.cdb, length);
  let blocks = blocksOf(request.cdb, length);
  if (bytchk === 1) blocks = Math.min(blocks, lengthOf(request.dataOut) / blockLength);
  const work = { request, lba, blocks, bytchk, pieceBlocks: PIECE_BYTES / blockLength };
  if (blocks === 0) return GOOD;
  if (blocks > work.pieceBlocks) return verifyPieces(work);
  const answer = verifyPiece(work, 0);
  return isAsync(answer) ? answer.then((wrong) => wrong ?? GOOD) : (answer ?? GOOD);
}

interface Work {
  readonly request: Request;
  readonly lba: number;
  readonly blocks: number;
  readonly bytchk: number;
  readonly pieceBlocks: number;
}

/** A device that answers at once would keep everybody else waiting until the whole medium has been read. */
async function verifyPieces(work: Work): Promise<Result<Outcome, Fault>> {
  const pace = createPace(work.request.unit.clock);
  for (let at = 0; at < work.blocks; at += work.pieceBlocks) {
    if (work.request.aborted) return GOOD;
    const answer = verifyPiece(work, at);
    const wrong = isAsync(answer) ? await answer : answer;
    if (wrong !== undefined) return wrong;
    const turn = isAsync(answer) ? undefined : pace.worked(PIECE_BYTES);
    if (isAsync(turn)) await turn;
  }
  return GOOD;
}

/** Undefined: the piece is as it should be. */
function verifyPiece(work: Work, at: number): MaybeAsync<Result<Outcome, Fault> | undefined> {
  const { request, lba, blocks, pieceBlocks } = work;
  const settle = (loan: Result<Loan, DeviceFault>): Result<Outcome, Fault> | undefined =>
    loan.ok ? comparePiece(work, at, loan.value) : deviceFault(loan.fault);
  const result = request.unit.device.read(
    lba + at,
    Math.min(pieceBlocks, blocks - at),
    ticketOfStep(request),
  );
  return isAsync(result) ? result.then(settle) : settle(result);
}

function comparePiece(work: Work, at: number, loan: Loan): Result<Outcome, Fault> | undefined {
  const { request, bytchk } = work;
  let difference = -1;
  if (bytchk !== BYTCHK_NONE) {
    const { blockLength } = request.unit.device.geometry;
    const start = bytchk === BYTCHK_ONE_BLOCK ? 0 : at * blockLength;
    const period = bytchk === BYTCHK_ONE_BLOCK ? blockLength : Number.POSITIVE_INFINITY;
    difference = firstDifference(loan.segments, request.dataOut, start, period);
    if (difference >= 0) difference += at * blockLength;
  }
  loan.release();
  if (difference < 0) return undefined;
  return fail({ reason: 'miscompareDuringVerify', information: difference });
}

export const VERIFY_COMMANDS: readonly Command[] = [
  verify(0x2f, 10),
  verify(0xaf, 12),
  verify(0x8f, 16),
  writeAndVerify(0x2e, 10),
  writeAndVerify(0xae, 12),
  writeAndVerify(0x8e, 16),
];
