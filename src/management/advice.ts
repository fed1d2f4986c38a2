/** What is allowed but worth a second thought: told when it is set up, never a refusal. */

import type { DeviceSpec } from '../engine/spec.ts';
import { formatSize } from '../base/units.ts';

/** Beyond it, bringing a copy up to date and restoring a backup take days rather than hours. */
const COMFORTABLE_BYTES_MAX = 6 * 2 ** 40;

/** What is in use of most disks has room in no less. */
const USEFUL_CACHE_BYTES_MIN = 128 * 2 ** 20;

/** One sentence per piece of advice, naming the device. */
export function adviceOn(devices: readonly DeviceSpec[]): readonly string[] {
  return devices.flatMap((device) => [...onSize(device), ...onWriteCache(device), ...onCache(device)]);
}

function onSize({ name, length }: DeviceSpec): readonly string[] {
  if (length === undefined || length <= COMFORTABLE_BYTES_MAX) return [];
  const limit = formatSize(COMFORTABLE_BYTES_MAX);
  return [
    `Device ${name} has ${formatSize(length)}: above ${limit} a full synchronization or a restore takes very long; consider several smaller devices.`,
  ];
}

function onWriteCache({ name, kind, writeCache }: DeviceSpec): readonly string[] {
  if (kind === 'ram' || writeCache === 'through') return [];
  return [
    `Device ${name} acknowledges writes before they are on the medium: without an uninterruptible power supply a power failure loses what initiators have not flushed.`,
  ];
}

function onCache(device: DeviceSpec): readonly string[] {
  return device.kind === 'ram' ? [] : cacheAdvice(device.name, device.cacheMemory);
}

/** `bytes`: of the cache of that device; 0: it has none. */
export function cacheAdvice(name: string, bytes: number): readonly string[] {
  if (bytes === 0 || bytes >= USEFUL_CACHE_BYTES_MIN) return [];
  return [
    `Device ${name} has a cache of ${formatSize(bytes)}: below ${formatSize(USEFUL_CACHE_BYTES_MIN)} it holds little of what is in use.`,
  ];
}
