/** Options that several commands share, and how their values are read. */

import { InvalidArgumentError, Option } from 'commander';
import { parseSize } from '../../base/units.ts';
import type { BlockLength, WriteCache } from '../../ports/block-device.ts';
import { CACHE_BYTES_MIN } from '../config/schema.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export function size(text: string): number {
  const bytes = parseSize(text);
  if (!bytes.ok) throw new InvalidArgumentError(`${bytes.fault.why}.`);
  return bytes.value;
}

/** Of a cache. */
export function cacheSize(text: string): number {
  const bytes = size(text);
  if (bytes >= CACHE_BYTES_MIN) return bytes;
  throw new InvalidArgumentError('the smallest cache has 1M.');
}

export interface CacheChoice {
  readonly writeCache: WriteCache;
  /** Bytes of memory; 0: no cache. */
  readonly cache: number;
}

/** 'wb:128M', 'wt:128M' or 'none'. */
export function cacheChoice(text: string): CacheChoice {
  if (text === 'none') return { writeCache: 'through', cache: 0 };
  const [mode, rest] = text.split(':', 2);
  if ((mode === 'wb' || mode === 'wt') && rest !== undefined)
    return { writeCache: mode === 'wb' ? 'back' : 'through', cache: cacheSize(rest) };
  throw new InvalidArgumentError('write wb:SIZE for write-back, wt:SIZE for write-through, or none.');
}

export function sizes(text: string, former: readonly number[] | undefined): number[] {
  return [...(former ?? []), size(text)];
}

export function list(text: string, former: readonly string[] | undefined): string[] {
  return [...(former ?? []), text];
}

export function sector(text: string): BlockLength {
  if (text === '512') return 512;
  if (text === '4096') return 4096;
  throw new InvalidArgumentError('write 512 or 4096.');
}

export function wholeNumber(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new InvalidArgumentError(`write a whole number from ${minimum} to ${maximum}.`);
  };
}

export function logLevel(initial: (typeof LOG_LEVELS)[number]): Option {
  return new Option('--log-level <level>', 'what goes to the log on standard error')
    .choices(LOG_LEVELS)
    .default(initial);
}

export function json(): Option {
  return new Option('--json', 'print one line of JSON once logins are accepted');
}
