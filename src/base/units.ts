/**
 * Sizes as people write them: '512M', '10G', '1.5T', '4096'. Binary units (K = 1024), as disks are sized and as
 * `truncate` and `qemu-img` read them. Nothing here rounds: a size that is no whole number of bytes is refused.
 */

import { fail, ok, type Result } from './result.ts';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;
const SIZE = /^(\d{1,16})(?:\.(\d{1,12}))?\s*([KMGTP]?)(?:i?B)?$/i;

export interface SizeFault {
  readonly kind: 'notASize';
  /** One clause that fits after 'size "…": '. */
  readonly why: string;
}

/** Bytes of a size as text. */
export function parseSize(text: string): Result<number, SizeFault> {
  const match = SIZE.exec(text.trim());
  if (match === null) return refuse('write a number and K, M, G, T or P, for example 512M or 10G');
  const [, whole = '', fraction = '', unit = ''] = match;
  const exponent = UNITS.findIndex((name) => name === unit.toUpperCase());
  const scale = 1024 ** exponent;
  // In units of the last decimal place, exactly, because 0.1 is no binary fraction.
  const places = 10n ** BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * BigInt(scale);
  if (scaled % places !== 0n) return refuse('this is no whole number of bytes');
  const bytes = scaled / places;
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) return refuse('the largest size is 8191T');
  return ok(Number(bytes));
}

/** The largest unit that leaves a short exact number: 1 GiB is '1 GiB', 1.5 GiB is '1.5 GiB', 1000 is '1000 B'. */
export function formatSize(bytes: number): string {
  let exponent = 0;
  while (exponent < UNITS.length - 1 && bytes >= 1024 ** (exponent + 1)) exponent += 1;
  const value = bytes / 1024 ** exponent;
  const text = Number.isInteger(value)
    ? String(value)
    : value.toFixed(2).replace(/0+$/, '').replace(/\.$/, '');
  return `${text} ${UNITS[exponent]}${exponent === 0 ? 'B' : 'iB'}`;
}

function refuse(why: string): Result<number, SizeFault> {
  return fail({ kind: 'notASize', why });
}
