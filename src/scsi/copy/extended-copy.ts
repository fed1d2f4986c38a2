/**
 * EXTENDED COPY (LID1) (SPC-4 §6.4): the segments one after the other. What is wrong with the list is said before
 * anything is copied; what is wrong with a segment ends the copy there with COPY ABORTED, the number of the segment in
 * COMMAND-SPECIFIC INFORMATION, and what was copied stays copied.
 */

import { fail, type Result } from '../../base/result.ts';
import type { Outcome, Request } from '../command.ts';
import { joined } from '../fields.ts';
import { GOOD } from '../outcome.ts';
import { createPace, type Pace } from '../pace.ts';
import { type Fault, fault, type SenseReason } from '../sense.ts';
import { type CopyEnd, openEnd } from './ends.ts';
import { beginOperation, type CopyOperation, endOperation } from './operations.ts';
import { type CopyList, decodeCopyList, HEADER_LENGTH, type Segment } from './parameter-list.ts';
import { type Range, transfer } from './transfer.ts';

export async function extendedCopy(request: Request): Promise<Result<Outcome, Fault>> {
  const bytes = Uint8Array.from(joined(request.dataOut));
  if (bytes.length < HEADER_LENGTH)
    return bytes.length === 0 ? GOOD : fail(fault('parameterListLengthError'));
  const list = decodeCopyList(bytes);
  if (!list.ok) return list;
  const operation = beginOperation(request.link, list.value);
  if (typeof operation === 'string') return fail(fault(operation));
  const failed = await copySegments(request, list.value, operation);
  endOperation(request.link, list.value, operation, failed);
  return failed === undefined ? GOOD : fail(failed);
}

async function copySegments(
  request: Request,
  list: CopyList,
  operation: CopyOperation,
): Promise<Fault | undefined> {
  const ends = list.targets.map((target) => openEnd(request, target.designator));
  const pace = createPace(request.unit.clock);
  for (const [index, segment] of list.segments.entries()) {
    const failed = await copySegment({ list, ends, operation, pace }, segment);
    if (failed !== undefined) return { reason: failed, commandSpecific: index };
    operation.segmentsProcessed += 1;
  }
  return undefined;
}

interface Copy {
  readonly list: CopyList;
  readonly ends: readonly (CopyEnd | undefined)[];
  readonly operation: CopyOperation;
  readonly pace: Pace;
}

async function copySegment(copy: Copy, segment: Segment): Promise<SenseReason | undefined> {
  const source = endOf(copy, segment.source);
  const destination = endOf(copy, segment.destination);
  if (typeof source === 'string') return source;
  if (typeof destination === 'string') return destination;
  const plan = planSegment(segment, source, destination);
  if (typeof plan === 'string') return plan;
  const { from, to, length } = plan;
  if (isBeyondEnd(from, length) || isBeyondEnd(to, length)) return 'copyAborted';
  const result = await transfer(from, to, length, {
    pace: copy.pace,
    moved: (bytes) => {
      copy.operation.bytesTransferred += bytes;
    },
  });
  return result === 'done' ? undefined : result;
}

function endOf({ list, ends }: Copy, index: number): CopyEnd | SenseReason {
  const end = ends[index];
  if (end === undefined) return 'copyTargetDeviceNotReachable';
  // An initiator that is wrong about the size of a block would be wrong about every address.
  const sameLength = list.targets[index]!.blockLength === end.device.geometry.blockLength;
  return sameLength ? end : 'copySegmentInvalidField';
}

interface Plan {
  readonly from: Range;
  readonly to: Range;
  readonly length: number;
}

function planSegment(segment: Segment, source: CopyEnd, destination: CopyEnd): Plan | SenseReason {
  const sourceBlock = source.device.geometry.blockLength;
  const destinationBlock = destination.device.geometry.blockLength;
  const sourceStart = segment.sourceLba * sourceBlock;
  const destinationStart = segment.destinationLba * destinationBlock;
  if (segment.kind === 'bytes') {
    return {
      from: { end: source, start: sourceStart + segment.sourceOffset },
      to: { end: destination, start: destinationStart + segment.destinationOffset },
      length: segment.bytes,
    };
  }
  const length = segment.blocks * (segment.countedIn === 'source' ? sourceBlock : destinationBlock);
  // Between units of different block lengths only whole blocks of both; there is no residual data to pad or keep.
  if (length % sourceBlock !== 0 || length % destinationBlock !== 0) return 'copyUnexpectedInexactSegment';
  return {
    from: { end: source, start: sourceStart },
    to: { end: destination, start: destinationStart },
    length,
  };
}

function isBeyondEnd({ end, start }: Range, length: number): boolean {
  const { blockLength, blockCount } = end.device.geometry;
  return start + length > blockLength * blockCount;
}
