/**
 * SANITIZE (SBC-3 §5.29) and the sanitize operation behind it (§4.11). The operation belongs to the unit, not to the
 * task: aborts, resets and the loss of every nexus leave it running, and REQUEST SENSE tells how far it is. It ends with
 * everything flushed, or in the failed state, which only another SANITIZE leaves.
 *
 *   idle ──► in progress (02/04/1B) ──► idle
 *               └── device fault ──► failed (03/31/03) ──► EXIT FAILURE MODE, if AUSE allowed it ──► idle
 *                                                     └──► in progress
 *
 * BLOCK ERASE overwrites what is mapped with zeros and then unmaps all of it: a hole alone would leave the data on
 * the medium beneath. CRYPTOGRAPHIC ERASE is refused: no key stands between a block and its medium here.
 */

import { assert } from '../base/assert.ts';
import { DONE, fail, isAsync, ok, type Result } from '../base/result.ts';
import type { BlockDevice, DeviceFault, MappedExtent } from '../ports/block-device.ts';
import type { Command, Outcome, Request } from './command.ts';
import { abortTasks } from './execution.ts';
import { joined, u16 } from './fields.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { GOOD } from './outcome.ts';
import { createPace, type Pace } from './pace.ts';
import { type Fault, fault, invalidCdbField, invalidParameter } from './sense.ts';

/** Bytes written at a time: at the default rate some 16 ms of work. */
const CHUNK_BYTES = 1 << 20;
/** The same piece of pattern is written over and over within a chunk. */
const PIECE_BYTES = 64 << 10;
/** What the operation may take of the medium, so that other units on it go on. */
const SANITIZE_BYTES_PER_SECOND_MAX = 64 << 20;
const RUNS_MAX = 64;

const SANITIZE = 0x48;
const PATTERN_OFFSET = 4;
const PROGRESS_WHOLE = 65536;

interface Method {
  readonly passes: number;
  pattern(pass: number): Uint8Array;
  /** Unmaps everything at the end, and need not write where nothing is mapped. */
  readonly erases: boolean;
}

/** Units whose last operation failed; true when AUSE allowed to leave that state without another one. */
const failedUnits = new WeakMap<LogicalUnit, { readonly mayExit: boolean }>();

function isInProgress(unit: LogicalUnit): boolean {
  return unit.sanitizing !== undefined && !failedUnits.has(unit);
}

/** What every SANITIZE checks first: only one operation, and the restricted mode stays restricted. */
function checkState({ unit, cdb }: Request): Fault | undefined {
  if (isInProgress(unit)) return unit.sanitizing;
  const unrestricted = (cdb[1]! & 0x20) !== 0;
  if (unrestricted && failedUnits.get(unit)?.mayExit === false) return invalidCdbField(1, 5);
  return undefined;
}

function planOverwrite(request: Request): Result<number, Fault> {
  const wrong = checkState(request);
  if (wrong !== undefined) return fail(wrong);
  const length = u16(request.cdb, 7);
  const longest = PATTERN_OFFSET + request.unit.device.geometry.blockLength;
  return length > PATTERN_OFFSET && length <= longest ? ok(length) : fail(invalidCdbField(7));
}

/** SBC-3 table 110: 0 INVERT (bit 7), TEST (6-5), OVERWRITE COUNT (4-0), 2 pattern length (2), 4 pattern. */
function decodeOverwrite(list: Uint8Array, blockLength: number): Result<Method, Fault> {
  const passes = list[0]! & 0x1f;
  if ((list[0]! & 0x60) !== 0) return fail(invalidParameter(0, 6));
  if (passes === 0) return fail(invalidParameter(0, 4));
  const length = u16(list, 2);
  if (length === 0 || length !== list.length - PATTERN_OFFSET) return fail(invalidParameter(2));
  const plain = repeated(list.subarray(PATTERN_OFFSET), blockLength);
  const inverted = plain.map((byte) => ~byte);
  const inverts = (list[0]! & 0x80) !== 0;
  // The last pass leaves the pattern as it was given.
  const pattern = (pass: number): Uint8Array => (inverts && (passes - 1 - pass) % 2 === 1 ? inverted : plain);
  return ok({ passes, pattern, erases: false });
}

/** The pattern over each block, and the block over a whole piece. */
function repeated(pattern: Uint8Array, blockLength: number): Uint8Array {
  const piece = new Uint8Array(PIECE_BYTES);
  for (let at = 0; at < blockLength; at += 1) piece[at] = pattern[at % pattern.length]!;
  for (let at = blockLength; at < PIECE_BYTES; at += blockLength) piece.copyWithin(at, 0, blockLength);
  return piece;
}

async function perform(request: Request, method: Method): Promise<Result<Outcome, Fault>> {
  const { unit, cdb } = request;
  const operation = operate(request, method);
  if ((cdb[1]! & 0x80) !== 0) return GOOD;
  // An aborted task ends, and lets go of the unit's task set; the operation goes on.
  const aborted = whenAborted(request, unit);
  return Promise.race([operation, aborted]);
}

/** Ends once the task is aborted, which is looked for after each chunk. */
function whenAborted(request: Request, unit: LogicalUnit): Promise<Result<Outcome, Fault>> {
  return new Promise((resolve) => {
    const watchers = abortWatchers.get(unit) ?? new Set();
    watchers.add(() => {
      if (request.aborted) resolve(GOOD);
    });
    abortWatchers.set(unit, watchers);
  });
}

const abortWatchers = new WeakMap<LogicalUnit, Set<() => void>>();

async function operate(request: Request, method: Method): Promise<Result<Outcome, Fault>> {
  const { unit, cdb } = request;
  failedUnits.delete(unit);
  unit.sanitizing = { reason: 'sanitizeInProgress', progress: 0 };
  // What was admitted before may still be on its way to the medium.
  const others = abortTasks(
    unit,
    (other) => other !== request && other.phase !== 'dormant' && other.command.access !== 'none',
    'deviceServer',
  );
  if (isAsync(others)) await others;
  const result = await sanitize(unit, method);
  abortWatchers.delete(unit);
  if (result.ok) {
    unit.sanitizing = undefined;
    return GOOD;
  }
  unit.sanitizing = fault('sanitizeCommandFailed');
  failedUnits.set(unit, { mayExit: (cdb[1]! & 0x20) !== 0 });
  return fail(unit.sanitizing);
}

async function sanitize(unit: LogicalUnit, method: Method): Promise<Result<void, DeviceFault>> {
  const { device } = unit;
  const { blockCount } = device.geometry;
  const rounds = method.passes + (method.erases ? 1 : 0);
  const pace = createPace(unit.clock, SANITIZE_BYTES_PER_SECOND_MAX);
  const report = (round: number, lba: number): void => {
    const part = (round + lba / blockCount) / rounds;
    unit.sanitizing = { reason: 'sanitizeInProgress', progress: progressOf(part) };
    for (const watcher of abortWatchers.get(unit) ?? []) watcher();
  };
  for (let pass = 0; pass < method.passes; pass += 1) {
    const written = await overwrite(device, method, pass, pace, (lba) => report(pass, lba));
    if (!written.ok) return written;
    // Each pass reaches the medium, or a cache would keep only the last.
    const flushed = await device.flush();
    if (!flushed.ok) return flushed;
  }
  if (!method.erases) return DONE;
  const erased = await unmapAll(device, pace, (lba) => report(method.passes, lba));
  return erased.ok ? device.flush() : erased;
}

function progressOf(part: number): number {
  return Math.min(PROGRESS_WHOLE - 1, Math.floor(part * PROGRESS_WHOLE));
}

async function overwrite(
  device: BlockDevice,
  method: Method,
  pass: number,
  pace: Pace,
  report: (lba: number) => void,
): Promise<Result<void, DeviceFault>> {
  const { blockLength, blockCount } = device.geometry;
  const piece = method.pattern(pass);
  let lba = 0;
  while (lba < blockCount) {
    const blocks = Math.min(CHUNK_BYTES / blockLength, blockCount - lba);
    const runs = method.erases ? await mappedRuns(device, lba, blocks) : ok([{ lba, blocks, mapped: true }]);
    if (!runs.ok) return runs;
    let reached = lba;
    for (const run of runs.value) {
      reached = run.lba + run.blocks;
      if (!run.mapped) continue;
      const written = await device.write(run.lba, pieces(piece, run.blocks * blockLength), 'cached');
      if (!written.ok) return written;
    }
    assert(reached > lba, 'a sanitize operation moves on');
    await pace.worked((reached - lba) * blockLength);
    lba = reached;
    report(lba);
  }
  return DONE;
}

async function mappedRuns(
  device: BlockDevice,
  lba: number,
  blocks: number,
): Promise<Result<readonly MappedExtent[], DeviceFault>> {
  const mapping = await device.mapping(lba, blocks, RUNS_MAX);
  if (!mapping.ok || mapping.value.length > 0) return mapping;
  return ok([{ lba, blocks, mapped: true }]);
}

function pieces(piece: Uint8Array, length: number): Uint8Array[] {
  const segments: Uint8Array[] = [];
  for (let left = length; left > 0; left -= PIECE_BYTES) {
    segments.push(left >= PIECE_BYTES ? piece : piece.subarray(0, left));
  }
  return segments;
}

async function unmapAll(
  device: BlockDevice,
  pace: Pace,
  report: (lba: number) => void,
): Promise<Result<void, DeviceFault>> {
  const { blockLength, blockCount } = device.geometry;
  const step = (CHUNK_BYTES * 64) / blockLength;
  for (let lba = 0; lba < blockCount; lba += step) {
    const blocks = Math.min(step, blockCount - lba);
    const unmapped = await device.unmap([{ lba, blocks }], 'cached');
    if (!unmapped.ok) return unmapped;
    await pace.worked(0);
    report(lba + blocks);
  }
  return DONE;
}

const ZEROS = new Uint8Array(PIECE_BYTES);
const BLOCK_ERASE: Method = { passes: 1, pattern: () => ZEROS, erases: true };

/** Parameter lists of these service actions are empty. */
function planWithoutList(request: Request): Result<number, Fault> {
  const wrong = checkState(request);
  if (wrong !== undefined) return fail(wrong);
  return u16(request.cdb, 7) === 0 ? ok(0) : fail(invalidCdbField(7));
}

function exitFailureMode({ unit }: Request): Result<Outcome, Fault> {
  const failed = failedUnits.get(unit);
  if (failed === undefined) return GOOD;
  if (!failed.mayExit) return fail(invalidCdbField(1, 4));
  failedUnits.delete(unit);
  unit.sanitizing = undefined;
  return GOOD;
}

const BITS = 0xa0; // IMMED, AUSE
const COMMON = { opcode: SANITIZE, access: 'write', whileSanitizing: true } as const;

function usage(serviceAction: number, flags: number): number[] {
  return [SANITIZE, flags | serviceAction, 0, 0, 0, 0, 0, 0xff, 0xff, 0];
}

export const SANITIZE_COMMANDS: readonly Command[] = [
  {
    name: 'SANITIZE, OVERWRITE',
    ...COMMON,
    serviceAction: 0x01,
    usage: usage(0x01, BITS),
    writesMedium: true,
    plan: planOverwrite,
    execute: (request) => {
      const busy = checkState(request);
      if (busy !== undefined) return fail(busy);
      const method = decodeOverwrite(joined(request.dataOut), request.unit.device.geometry.blockLength);
      return method.ok ? perform(request, method.value) : method;
    },
  },
  {
    name: 'SANITIZE, BLOCK ERASE',
    ...COMMON,
    serviceAction: 0x02,
    usage: usage(0x02, BITS),
    writesMedium: true,
    isSupportedBy: (unit) => unit.device.geometry.thin,
    plan: planWithoutList,
    execute: (request) => perform(request, BLOCK_ERASE),
  },
  {
    name: 'SANITIZE, EXIT FAILURE MODE',
    ...COMMON,
    serviceAction: 0x1f,
    usage: usage(0x1f, 0x80),
    plan: (request) => {
      if (isInProgress(request.unit)) return fail(request.unit.sanitizing!);
      return u16(request.cdb, 7) === 0 ? ok(0) : fail(invalidCdbField(7));
    },
    execute: exitFailureMode,
  },
];
