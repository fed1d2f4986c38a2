/**
 * From a disk's fault to the block it concerns. A medium says "this transfer failed"; SCSI wants the LBA (INFORMATION
 * field of MEDIUM ERROR, SBC-3 §4.18.1). The transfer is halved and repeated until one block is left: at most
 * log2(blocks) further transfers on a medium that is in trouble, where block by block could be thousands.
 */

import { isAsync, type MaybeAsync, type Result } from '../base/result.ts';
import type { DeviceFault, Extent } from '../ports/block-device.ts';
import type { DiskFault } from '../ports/disk.ts';

export type Attempt = (lba: number, blocks: number) => MaybeAsync<Result<void, DiskFault>>;

/** The fault of the first block of `extent` that fails. `attempt` repeats a part of the transfer that failed. */
export async function locateFault(
  fault: DiskFault,
  extent: Extent,
  blockLength: number,
  attempt: Attempt,
): Promise<DeviceFault> {
  if (fault.kind === 'noSpace') return deviceFault(fault, extent, blockLength);
  let { lba: first, blocks } = extent;
  let last = fault;
  while (blocks > 1) {
    const half = blocks >> 1;
    const answer = attempt(first, half);
    // oxlint-disable-next-line no-await-in-loop -- each step depends on the one before
    const result = isAsync(answer) ? await answer : answer;
    if (result.ok) {
      first += half;
      blocks -= half;
    } else {
      if (result.fault.kind === 'noSpace') return deviceFault(result.fault, extent, blockLength);
      last = result.fault;
      blocks = half;
    }
  }
  return deviceFault({ ...last, offset: first * blockLength }, extent, blockLength);
}

/** The same by the offset alone. */
export function deviceFault(fault: DiskFault, extent: Extent, blockLength: number): DeviceFault {
  const block = Math.floor(fault.offset / blockLength);
  const lba = Math.min(Math.max(block, extent.lba), extent.lba + extent.blocks - 1);
  if (fault.kind === 'noSpace') return { kind: 'noSpace', lba };
  const operation = fault.operation === 'read' ? 'read' : 'write';
  return { kind: 'mediumError', operation, lba, cause: `${fault.operation}: ${fault.cause}` };
}
