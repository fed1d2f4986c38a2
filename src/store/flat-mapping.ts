/** Provisioning of a flat store, from the disk's map of data and holes: a block with any data in it is mapped. */

import { fail, isAsync, ok, type Result } from '../base/result.ts';
import type { DeviceFault, Extent, MappedExtent } from '../ports/block-device.ts';
import type { Disk } from '../ports/disk.ts';
import { deviceFault } from './fault-location.ts';

/** Runs of a badly fragmented disk that one answer may look at; the answer is then shorter than asked for. */
const DISK_EXTENTS_MAX = 4096;

export async function mappingOf(
  disk: Disk,
  blockLength: number,
  extent: Extent,
  runsMax: number,
): Promise<Result<readonly MappedExtent[], DeviceFault>> {
  const end = (extent.lba + extent.blocks) * blockLength;
  const runs: { lba: number; blocks: number; mapped: boolean }[] = [];
  let next = extent.lba;
  let offset = next * blockLength;
  for (let looked = 0; offset < end && looked < DISK_EXTENTS_MAX; looked++) {
    const answer = disk.extentAt(offset);
    // oxlint-disable-next-line no-await-in-loop -- where to ask next is in the answer
    const found = isAsync(answer) ? await answer : answer;
    if (!found.ok) return fail(deviceFault(found.fault, extent, blockLength));
    offset = Math.min(found.value.end, end);
    // Data reaches to the end of the block it ends in, a hole to the start of it.
    const blockEnd = found.value.data ? Math.ceil(offset / blockLength) : Math.floor(offset / blockLength);
    if (blockEnd <= next) continue;
    const last = runs.at(-1);
    if (last?.mapped === found.value.data) last.blocks += blockEnd - next;
    else if (runs.length === runsMax) break;
    else runs.push({ lba: next, blocks: blockEnd - next, mapped: found.value.data });
    next = blockEnd;
  }
  return ok(runs);
}
