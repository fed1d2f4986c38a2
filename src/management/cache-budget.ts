/** How much memory the caches of a node may take together. */

import { formatSize } from '../base/units.ts';
import type { DeviceSpec } from '../engine/spec.ts';

/** The rest is for the programs, and for what the system keeps in memory itself. */
const SHARE_MAX = 0.8;

/** What is told of memory is told in these, lest a size changes with each kernel. */
const UNIT = 2 ** 20;

/** What a device takes of the memory of its machine, in bytes. */
interface Taken {
  /** As a disk in memory, or by its cache; Infinity: as much as there is. */
  readonly bytes: number;
}

/**
 * Bytes that each of those that want as much as there is gets beside the others; less than nothing: there is not enough. `memory`:
 * of the machine, in bytes.
 */
export function largestCache(all: readonly Taken[], memory: number): number {
  const others = all.filter(({ bytes }) => bytes !== Infinity);
  const left = memory * SHARE_MAX - sum(others, ({ bytes }) => bytes);
  const each = left / Math.max(1, all.length - others.length);
  return Math.floor(each / UNIT) * UNIT;
}

/** Why the caches do not fit, beside disks in memory, as a clause; undefined: they do. `memory`: of the machine, in bytes. */
export function faultOfCaches(devices: readonly DeviceSpec[], memory: number): string | undefined {
  const caches = sum(devices, (device) => (device.kind === 'ram' ? 0 : device.cacheMemory));
  const disks = sum(devices, (device) => (device.kind === 'ram' ? device.length : 0));
  const most = Math.floor(memory * SHARE_MAX);
  if (caches === 0 || caches + disks <= most) return undefined;
  const beside = disks === 0 ? '' : ` and disks in memory ${formatSize(disks)}`;
  return `caches take ${formatSize(caches)}${beside}, and at most ${formatSize(most)} may be taken, 80 % of this machine's memory: make them smaller`;
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
