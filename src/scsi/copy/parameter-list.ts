/**
 * EXTENDED COPY (LID1) parameter list (SPC-4 §6.4.1, §6.4.5, §6.4.6).
 *
 *   header   0 LIST IDENTIFIER, 1 LIST ID USAGE (bits 4-3), 2 CSCD descriptor list length (2),
 *            8 segment descriptor list length (4), 12 inline data length (4)
 *   CSCD     E4h: 1 PERIPHERAL DEVICE TYPE (bits 4-0), 4 designation descriptor (24), 29 disk block length (3)
 *   segment  02h: 1 DC (bit 1), 4 source (2), 6 destination (2), 10 blocks (2), 12 source LBA (8), 20 destination LBA (8)
 *            0Ah: 4 and 6 as above, 8 bytes (4), 12 and 20 as above, 28 source byte offset (2), 30 destination's (2)
 */

import { fail, ok, type Result } from '../../base/result.ts';
import { u16, u24, u32, u64 } from '../fields.ts';
import { type Fault, fault, invalidParameter } from '../sense.ts';
import { CSCD_DESCRIPTORS_MAX, SEGMENT_DESCRIPTORS_MAX, SEGMENT_LENGTH_MAX } from './limits.ts';

export const HEADER_LENGTH = 16;
const CSCD_LENGTH = 32;

/** A copy source or copy destination. */
export interface CopyTarget {
  readonly designator: Uint8Array;
  /** As the initiator believes. */
  readonly blockLength: number;
}

interface SegmentEnds {
  /** Indexes of CSCD descriptors. */
  readonly source: number;
  readonly destination: number;
  readonly sourceLba: number;
  readonly destinationLba: number;
}

export type Segment =
  | (SegmentEnds & {
      readonly kind: 'blocks';
      readonly blocks: number;
      /** DC: whose blocks are counted. */
      readonly countedIn: 'source' | 'destination';
    })
  | (SegmentEnds & {
      readonly kind: 'bytes';
      readonly bytes: number;
      readonly sourceOffset: number;
      readonly destinationOffset: number;
    });

export interface CopyList {
  readonly listIdentifier: number;
  /** Undefined LIST IDENTIFIER (usage 11b): the copy cannot be asked about. `discard` (10b): only while it runs. */
  readonly usage: 'hold' | 'discard' | 'none';
  readonly targets: readonly CopyTarget[];
  readonly segments: readonly Segment[];
}

export function decodeCopyList(list: Uint8Array): Result<CopyList, Fault> {
  const targetsEnd = HEADER_LENGTH + u16(list, 2);
  const segmentsEnd = targetsEnd + u32(list, 8);
  const inline = u32(list, 12);
  if (segmentsEnd + inline > list.length) return fail(fault('parameterListLengthError'));
  if (inline > 0) return fail(fault('inlineDataLengthExceeded'));
  const usage = usageOf(list);
  if (usage === undefined) return fail(invalidParameter(1, 4));
  const targets = decodeTargets(list.subarray(0, targetsEnd));
  if (!targets.ok) return targets;
  const segments = decodeSegments(list.subarray(0, segmentsEnd), targetsEnd);
  if (!segments.ok) return segments;
  return ok({ listIdentifier: list[0]!, usage, targets: targets.value, segments: segments.value });
}

function usageOf(list: Uint8Array): CopyList['usage'] | undefined {
  switch ((list[1]! >>> 3) & 3) {
    case 0:
      return 'hold';
    case 2:
      return 'discard';
    case 3:
      return list[0] === 0 ? 'none' : undefined;
    default:
      return undefined;
  }
}

function decodeTargets(list: Uint8Array): Result<CopyTarget[], Fault> {
  const targets: CopyTarget[] = [];
  if (list.length - HEADER_LENGTH > CSCD_DESCRIPTORS_MAX * CSCD_LENGTH) {
    return fail(fault('tooManyTargetDescriptors'));
  }
  for (let at = HEADER_LENGTH; at < list.length; at += CSCD_LENGTH) {
    if (list[at] !== 0xe4) {
      return fail({ reason: 'unsupportedTargetDescriptorType', field: { in: 'parameterList', byte: at } });
    }
    if (at + CSCD_LENGTH > list.length) return fail(fault('parameterListLengthError'));
    // LU ID TYPE and NUL are obsolete in SPC-4; only block devices are known here.
    if ((list[at + 1]! & 0x1f) !== 0) return fail(invalidParameter(at + 1, 4));
    targets.push({ designator: list.subarray(at + 4, at + 28), blockLength: u24(list, at + 29) });
  }
  return ok(targets);
}

function decodeSegments(list: Uint8Array, start: number): Result<Segment[], Fault> {
  const segments: Segment[] = [];
  let at = start;
  while (at < list.length) {
    if (segments.length === SEGMENT_DESCRIPTORS_MAX) return fail(fault('tooManySegmentDescriptors'));
    const type = list[at]!;
    if (type !== 0x02 && type !== 0x0a) {
      return fail({ reason: 'unsupportedSegmentDescriptorType', field: { in: 'parameterList', byte: at } });
    }
    const length = type === 0x02 ? 28 : 32;
    if (at + length > list.length) return fail(fault('parameterListLengthError'));
    if (u16(list, at + 2) !== length - 4) return fail(invalidParameter(at + 2));
    const segment = decodeSegment(list, at, type);
    if (segment.kind === 'bytes' && segment.bytes > SEGMENT_LENGTH_MAX) return fail(invalidParameter(at + 8));
    segments.push(segment);
    at += length;
  }
  return ok(segments);
}

function decodeSegment(list: Uint8Array, at: number, type: 0x02 | 0x0a): Segment {
  const ends: SegmentEnds = {
    source: u16(list, at + 4),
    destination: u16(list, at + 6),
    sourceLba: u64(list, at + 12),
    destinationLba: u64(list, at + 20),
  };
  if (type === 0x02) {
    const countedIn = (list[at + 1]! & 0x02) === 0 ? 'source' : 'destination';
    return { ...ends, kind: 'blocks', blocks: u16(list, at + 10), countedIn };
  }
  return {
    ...ends,
    kind: 'bytes',
    bytes: u32(list, at + 8),
    sourceOffset: u16(list, at + 28),
    destinationOffset: u16(list, at + 30),
  };
}
