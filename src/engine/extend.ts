/** Making a device larger while it is served, by its name. */

import { DONE, fail, type Result } from '../base/result.ts';
import type { GrowableDevice } from '../ports/block-device.ts';
import { raiseOnAll } from '../scsi/unit-attention.ts';
import type { OpenDevice } from './devices.ts';

/**
 * To `bytes`, on every node that serves it. Answers when it is so and initiators are told (CAPACITY DATA HAS CHANGED); else
 * with a sentence: nothing has changed, unless it says otherwise. A device that is as large already is a success.
 */
export async function extendDevice(
  name: string,
  opened: OpenDevice,
  bytes: number,
): Promise<Result<void, string>> {
  const why = await grow(opened, bytes);
  return why === undefined ? DONE : fail(`Device ${name} was not extended to ${bytes} bytes: ${why}.`);
}

/** Undefined: it is so large; else a clause. */
async function grow(opened: OpenDevice, bytes: number): Promise<string | undefined> {
  const { device, mirror, store } = opened;
  if (!Number.isSafeInteger(bytes) || bytes <= 0) return 'that is no size';
  const { blockCount, blockLength } = device.geometry;
  if (bytes % blockLength !== 0) return `it is no multiple of its sector length ${blockLength}`;
  if (store === undefined) {
    const grown = await mirror!.host.grow(bytes);
    return grown.ok ? undefined : grown.fault;
  }
  if (bytes < blockCount * blockLength) return 'a device never becomes smaller';
  return bytes === blockCount * blockLength ? undefined : growStore(opened, store, bytes / blockLength);
}

async function growStore(
  { unit }: OpenDevice,
  store: GrowableDevice,
  blockCount: number,
): Promise<string | undefined> {
  const before = store.geometry.blockCount;
  const grown = await store.grow(blockCount);
  if (store.geometry.blockCount !== before) raiseOnAll(unit, 'capacityDataChanged');
  return grown.ok ? undefined : grown.fault.message;
}
