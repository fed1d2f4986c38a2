/** The parts of an extent that none of the others touches, in order. */

interface Placed {
  readonly lba: number;
  readonly blocks: number;
}

export function untouched(extent: Placed, touched: readonly Placed[]): Placed[] {
  const parts: Placed[] = [];
  const end = extent.lba + extent.blocks;
  let at = extent.lba;
  for (const other of touched.toSorted((a, b) => a.lba - b.lba)) {
    if (other.lba >= end) break;
    if (other.lba > at) parts.push({ lba: at, blocks: other.lba - at });
    at = Math.max(at, other.lba + other.blocks);
    if (at >= end) return parts;
  }
  parts.push({ lba: at, blocks: end - at });
  return parts;
}
