/** Changing the memory of a device's cache while the device is served. */

import { fail, type Result } from '../base/result.ts';
import { MEMORY_MIN } from '../cache/cache.ts';
import type { OpenDevice } from './devices.ts';
import { faultText } from './mirror/fault-text.ts';

/**
 * To `bytes`; 0: to none. Whether the device is served here does not matter: it is this node's memory, over this node's copy. The
 * fault is a sentence, and nothing has changed: what is dirty stays where it is until it could be written out.
 */
export async function setCache(
  { spec, cache }: Pick<OpenDevice, 'spec' | 'cache'>,
  bytes: number,
): Promise<Result<void, string>> {
  const refused = (why: string): Result<void, string> =>
    fail(`The cache of device ${spec.name} was not changed: ${why}.`);
  if (spec.kind === 'ram' || cache === undefined) return refused('it is a disk in memory, which needs none');
  const isSize = Number.isSafeInteger(bytes) && (bytes === 0 || bytes >= MEMORY_MIN);
  if (!isSize) return refused('that is no size for a cache');
  const isHeldBack = spec.kind === 'file' && !spec.isPowerProtected && cache.writeCache === 'back';
  if (isHeldBack && bytes > 0)
    return refused(
      'its writes are answered before they are on the medium, and then only memory would have them: with an uninterruptible power supply, confirm that by power_protected = true in the configuration; otherwise set write_cache = "through" there',
    );
  const resized = await cache.resize(bytes);
  return resized.ok ? resized : refused(faultText(resized.fault));
}
