/**
 * Bytes from one end to the other in chunks: read, then written from the same loan. Blocks that are only partly covered
 * at the destination keep their other bytes, whatever is written beside the copy. Overlapping ranges of one unit come
 * out as if everything had been read before anything was written.
 */

import { assert } from '../../base/assert.ts';
import { DONE, type MaybeAsync, type Result } from '../../base/result.ts';
import { slice } from '../../base/segments.ts';
import type { BlockDevice, DeviceFault, Loan, Ticket } from '../../ports/block-device.ts';
import { joined } from '../fields.ts';
import type { Pace } from '../pace.ts';
import type { CopyEnd, EndResult } from './ends.ts';
import { CHUNK_BYTES } from './limits.ts';

export interface Range {
  readonly end: CopyEnd;
  /** Byte address on the device. */
  readonly start: number;
}

/** COMPARE AND WRITE of a partly covered block loses against other writers at most this often. */
const ATTEMPTS_MAX = 32;

interface Piece {
  /** Bytes from the start of the range. */
  readonly at: number;
  readonly length: number;
}

export async function transfer(
  source: Range,
  destination: Range,
  length: number,
  progress: {
    readonly pace: Pace;
    /** From the start on, even over itself. */
    readonly inOrder?: true;
    moved(bytes: number): void;
  },
): Promise<EndResult> {
  const { blockLength } = destination.end.device.geometry;
  const pieces = cut(destination.start, length, blockLength);
  const backwards =
    progress.inOrder === undefined &&
    source.end.unit === destination.end.unit &&
    destination.start > source.start;
  for (const piece of backwards ? pieces.toReversed() : pieces) {
    const result = await movePiece(source, destination, piece);
    if (result !== 'done') return result;
    progress.moved(piece.length);
    await progress.pace.worked(piece.length);
  }
  return 'done';
}

/** Pieces that begin and end at destination blocks, but for the first and the last. */
function cut(start: number, length: number, blockLength: number): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < length) {
    const misaligned = (start + at) % blockLength;
    const left = length - at;
    let size = left;
    if (misaligned !== 0) size = Math.min(left, blockLength - misaligned);
    else if (left >= blockLength) size = Math.min(CHUNK_BYTES, left - (left % blockLength));
    pieces.push({ at, length: size });
    at += size;
  }
  return pieces;
}

async function movePiece(source: Range, destination: Range, piece: Piece): Promise<EndResult> {
  const to = destination.start + piece.at;
  const { blockLength } = destination.end.device.geometry;
  const whole = to % blockLength === 0 && piece.length % blockLength === 0;
  if (whole && (await isHole(source, piece, destination))) {
    const extent = { lba: to / blockLength, blocks: piece.length / blockLength };
    return destination.end.use('write', (device, ticket) => device.unmap([extent], 'cached', ticket));
  }
  const read = await readBytes(source.end, source.start + piece.at, piece.length);
  if (typeof read === 'string') return read;
  try {
    if (!whole) return await mergeInto(destination.end, to, joined(read.segments));
    return await destination.end.use('write', (device, ticket) =>
      device.write(to / blockLength, read.segments, 'cached', ticket),
    );
  } finally {
    read.release();
  }
}

/** Nothing is mapped where the piece comes from, and the destination can be so too: thin stays thin. */
async function isHole(source: Range, piece: Piece, destination: Range): Promise<boolean> {
  const from = source.end.device;
  const { blockLength, thin } = from.geometry;
  const start = source.start + piece.at;
  if (!thin || !destination.end.device.geometry.thin) return false;
  if (start % blockLength !== 0 || piece.length % blockLength !== 0) return false;
  let hole = false;
  const blocks = piece.length / blockLength;
  const asked = await source.end.use('read', async (device): Promise<Result<void, DeviceFault>> => {
    const mapping = await device.mapping(start / blockLength, blocks, 1);
    if (!mapping.ok) return mapping;
    const first = mapping.value[0];
    hole = first !== undefined && !first.mapped && first.blocks >= blocks;
    return DONE;
  });
  return asked === 'done' && hole;
}

/** A loan of exactly these bytes. */
async function readBytes(end: CopyEnd, start: number, length: number): Promise<Loan | EndResult> {
  const { blockLength } = end.device.geometry;
  const lba = Math.floor(start / blockLength);
  const blocks = Math.ceil((start + length) / blockLength) - lba;
  let loan: Loan | undefined;
  const result = await end.use('read', async (device, ticket): Promise<Result<void, DeviceFault>> => {
    const read = await device.read(lba, blocks, ticket);
    if (!read.ok) return read;
    loan = read.value;
    return DONE;
  });
  if (result !== 'done') {
    loan?.release();
    return result;
  }
  assert(loan !== undefined, 'a read that is done has lent its bytes');
  const lent = loan;
  const skip = start - lba * blockLength;
  return { segments: slice(lent.segments, skip, length), release: () => lent.release() };
}

/** Puts `bytes` into part of a block. */
async function mergeInto(end: CopyEnd, start: number, bytes: Uint8Array): Promise<EndResult> {
  const { blockLength } = end.device.geometry;
  const lba = Math.floor(start / blockLength);
  const skip = start - lba * blockLength;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    let lost = false;
    const result = await end.use('write', async (device, ticket) => {
      const merged = await merge(device, ticket, lba, skip, bytes);
      lost = !merged.ok && merged.fault.kind === 'miscompare';
      return lost ? DONE : merged;
    });
    if (result !== 'done' || !lost) return result;
  }
  return 'copyThirdPartyDeviceFailure';
}

async function merge(
  device: BlockDevice,
  ticket: Ticket,
  lba: number,
  skip: number,
  bytes: Uint8Array,
): Promise<Result<void, DeviceFault>> {
  const read: Result<Loan, DeviceFault> = await device.read(lba, 1, ticket);
  if (!read.ok) return read;
  const before = Uint8Array.from(joined(read.value.segments));
  read.value.release();
  const after = Uint8Array.from(before);
  after.set(bytes, skip);
  const written: MaybeAsync<Result<void, DeviceFault>> = device.compareAndWrite(
    lba,
    [before],
    [after],
    'cached',
    ticket,
  );
  return written;
}
