/**
 * Logical unit numbers as they travel (SAM-5 §4.7): eight bytes, here two 32-bit halves. Lockstep uses single-level
 * structure: peripheral device addressing below 256, flat space addressing up to 16383.
 */

/** The REPORT LUNS well-known logical unit (SAM-5 §4.7.7.5, W-LUN 01h). */
export const LUN_REPORT_LUNS = -1;
/** Not a number that any logical unit of ours can have. */
const LUN_UNADDRESSABLE = -2;
export const LUN_MAX = 0x3fff;

/** 0..16383, or one of the two constants above. */
export function decodeLun(high: number, low: number): number {
  if (low !== 0 || (high & 0xffff) !== 0) return LUN_UNADDRESSABLE;
  const first = high >>> 16;
  switch (first >>> 14) {
    case 0: // peripheral device addressing, bus 0 only
      return first <= 0xff ? first : LUN_UNADDRESSABLE;
    case 1: // flat space addressing
      return first & LUN_MAX;
    case 3:
      return first === 0xc101 ? LUN_REPORT_LUNS : LUN_UNADDRESSABLE;
    default:
      return LUN_UNADDRESSABLE;
  }
}

/** The upper half for a LUN of ours; the lower half is zero. */
export function encodeLun(lun: number): number {
  return (lun <= 0xff ? lun << 16 : (0x4000 | lun) << 16) >>> 0;
}
