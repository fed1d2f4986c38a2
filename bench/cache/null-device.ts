/** A device that answers at once, keeps nothing and reads as zeros: what a cache costs shows without it. */

import { DONE, ok, type Result } from '../../src/base/result.ts';
import type {
  DeviceFault,
  Geometry,
  GrowableDevice,
  Loan,
  MappedExtent,
} from '../../src/ports/block-device.ts';

export class NullDevice implements GrowableDevice {
  readonly geometry: Geometry;
  writeCache = 'back' as const;
  readonly #zeros: Uint8Array;

  constructor(blockCount: number, blocksMax: number) {
    const blockLength = 4096;
    this.geometry = {
      blockLength,
      blockCount,
      physicalBlockExponent: 0,
      readOnly: false,
      thin: true,
      unmapGranularity: 1,
    };
    this.#zeros = new Uint8Array(blocksMax * blockLength);
  }

  setWriteCache(): Result<void, DeviceFault> {
    return DONE;
  }

  read(_lba: number, blocks: number): Result<Loan, DeviceFault> {
    const segments = [this.#zeros.subarray(0, blocks * this.geometry.blockLength)];
    return ok({ segments, release: () => undefined });
  }

  write(): Result<void, DeviceFault> {
    return DONE;
  }

  grow(): Promise<Result<void, never>> {
    return Promise.resolve(DONE);
  }

  writeSame(): Result<void, DeviceFault> {
    return DONE;
  }

  unmap(): Result<void, DeviceFault> {
    return DONE;
  }

  compareAndWrite(): Result<void, DeviceFault> {
    return DONE;
  }

  flush(): Result<void, DeviceFault> {
    return DONE;
  }

  mapping(lba: number, blocks: number): Result<readonly MappedExtent[], DeviceFault> {
    return ok([{ lba, blocks, mapped: true }]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
