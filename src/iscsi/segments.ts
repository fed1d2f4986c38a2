/** Walks a list of byte pieces without joining them. */

export interface SegmentCursor {
  readonly segments: readonly Uint8Array[];
  /** Where the next byte stands. */
  index: number;
  offset: number;
}

export function segmentsLength(segments: readonly Uint8Array[]): number {
  let length = 0;
  for (const segment of segments) length += segment.length;
  return length;
}

/** The first `length` bytes; the same list when that is all there is. */
export function trimSegments(segments: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  if (segmentsLength(segments) <= length) return segments;
  const kept: Uint8Array[] = [];
  for (const segment of segments) {
    if (length <= 0) break;
    kept.push(segment.length <= length ? segment : segment.subarray(0, length));
    length -= segment.length;
  }
  return kept;
}

/** A copy in one piece. */
export function joinSegments(segments: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(segmentsLength(segments));
  let at = 0;
  for (const segment of segments) {
    joined.set(segment, at);
    at += segment.length;
  }
  return joined;
}
