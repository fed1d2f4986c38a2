/** Logical units by designation descriptor (SPC-4 §7.8.6.1): code set, designator type and value must agree. */

import { unitDesignators } from '../device-identification.ts';
import type { LogicalUnit } from '../logical-unit.ts';

/** The unit of `units` that `designator` names. */
export function findAmong(units: Iterable<LogicalUnit>, designator: Uint8Array): LogicalUnit | undefined {
  for (const unit of units) {
    if (unitDesignators(unit).some((known) => isSameDesignator(known, designator))) return unit;
  }
  return undefined;
}

/** Protocol identifier, PIV and reserved bits say nothing about a logical unit and are not compared. */
function isSameDesignator(a: Uint8Array, b: Uint8Array): boolean {
  if (b.length < 4 || b.length < 4 + b[3]!) return false;
  if ((a[0]! & 0x0f) !== (b[0]! & 0x0f) || (a[1]! & 0x3f) !== (b[1]! & 0x3f) || a[3] !== b[3]) return false;
  for (let i = 0; i < a[3]!; i += 1) if (a[4 + i] !== b[4 + i]) return false;
  return true;
}
