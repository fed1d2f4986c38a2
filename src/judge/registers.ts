/**
 * Per-block linearizability over a whole run, in O(n log n). Every written value is unique, so all operations on one
 * value form a cluster, and the cluster's zone decides (Gibbons & Korach, "Testing shared memories", 1997):
 *
 *   f = the earliest return, s = the latest invocation among the write of v and the reads of v
 *   f < s   forward zone [f, s]: the register held v during all of it
 *   f >= s  backward zone [s, f]: one instant inside it is enough
 *
 *   1. No two forward zones overlap.
 *   2. No backward zone lies inside a forward zone.
 *   3. Every value read was written, by a write invoked before the read returned.
 *
 * A write without an answer may or may not have happened: unread it is ignored, read it counts with an open end. Each
 * attempt of a retried write is a value of its own that may take effect until the whole command has returned; that is
 * what finds ghost writes.
 */

export interface WriteAttempt {
  readonly block: number;
  readonly value: number;
  readonly invokedAt: number;
  /** When the initiator's whole command returned, by this or another attempt; Infinity if it never did. */
  readonly returnedAt: number;
  /** This very attempt was answered GOOD. */
  readonly acknowledged: boolean;
}

export interface ReadResult {
  readonly block: number;
  readonly value: number;
  readonly invokedAt: number;
  readonly returnedAt: number;
}

export interface RegisterViolation {
  readonly block: number;
  readonly rule: 'unwrittenValue' | 'readFromTheFuture' | 'forwardZonesOverlap' | 'backwardInsideForward';
  readonly values: readonly number[];
  readonly explanation: string;
}

/** What a block holds before its first write. */
export const INITIAL_VALUE = 0;

interface Zone {
  readonly value: number;
  /** f */
  firstReturn: number;
  /** s */
  lastInvocation: number;
  readonly invokedAt: number;
  happened: boolean;
}

/** The first violation by block, or undefined. */
export function checkRegisters(
  writes: readonly WriteAttempt[],
  reads: readonly ReadResult[],
): RegisterViolation | undefined {
  const blocks = new Map<number, Map<number, Zone>>();
  for (const write of writes) {
    zonesOf(blocks, write.block).set(write.value, {
      value: write.value,
      firstReturn: write.returnedAt,
      lastInvocation: write.invokedAt,
      invokedAt: write.invokedAt,
      happened: write.acknowledged,
    });
  }
  for (const read of reads) {
    const zone = zonesOf(blocks, read.block).get(read.value);
    if (zone === undefined) {
      return violation(read.block, 'unwrittenValue', [read.value], 'a read returned a value nobody wrote');
    }
    if (read.returnedAt < zone.invokedAt) {
      return violation(
        read.block,
        'readFromTheFuture',
        [read.value],
        'a read returned before the write was sent',
      );
    }
    zone.firstReturn = Math.min(zone.firstReturn, read.returnedAt);
    zone.lastInvocation = Math.max(zone.lastInvocation, read.invokedAt);
    zone.happened = true;
  }
  for (const [block, zones] of blocks) {
    const found = checkZones(
      block,
      [...zones.values()].filter((zone) => zone.happened),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

function zonesOf(blocks: Map<number, Map<number, Zone>>, block: number): Map<number, Zone> {
  let zones = blocks.get(block);
  if (zones === undefined) {
    const initial = {
      value: INITIAL_VALUE,
      firstReturn: -1,
      lastInvocation: -1,
      invokedAt: -1,
      happened: true,
    };
    zones = new Map([[INITIAL_VALUE, initial]]);
    blocks.set(block, zones);
  }
  return zones;
}

function checkZones(block: number, zones: readonly Zone[]): RegisterViolation | undefined {
  const forward = zones.filter((z) => z.firstReturn < z.lastInvocation);
  const backward = zones.filter((z) => z.firstReturn >= z.lastInvocation);
  forward.sort((a, b) => a.firstReturn - b.firstReturn);
  for (let i = 1; i < forward.length; i++) {
    const [left, right] = [forward[i - 1]!, forward[i]!];
    if (right.firstReturn < left.lastInvocation) {
      const text = `${show(left)} and ${show(right)} overlap: an old value was seen after a new one, or a write was lost`;
      return violation(block, 'forwardZonesOverlap', [left.value, right.value], text);
    }
  }
  backward.sort((a, b) => a.lastInvocation - b.lastInvocation);
  let i = 0;
  for (const inner of backward) {
    while (i < forward.length && forward[i]!.lastInvocation < inner.lastInvocation) i++;
    const outer = forward[i];
    if (outer === undefined) break;
    if (outer.firstReturn < inner.lastInvocation && inner.firstReturn < outer.lastInvocation) {
      const text = `${show(inner)} lies inside ${show(outer)}: the value was overwritten while it was still being seen`;
      return violation(block, 'backwardInsideForward', [inner.value, outer.value], text);
    }
  }
  return undefined;
}

function show(zone: Zone): string {
  const ends = [zone.firstReturn, zone.lastInvocation].sort((a, b) => a - b);
  return `value ${zone.value} [${ends[0]}, ${ends[1]}]`;
}

function violation(
  block: number,
  rule: RegisterViolation['rule'],
  values: readonly number[],
  text: string,
): RegisterViolation {
  return { block, rule, values, explanation: `block ${block}: ${text}` };
}
