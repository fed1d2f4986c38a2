/**
 * For tests only: a device in an array that can be made slow or broken. Each operation first awaits `before`, when one
 * is set, and fails with what it answers.
 */

import { assert } from '../../base/assert.ts';
import { DONE, fail, type MaybeAsync, ok, type Result, then } from '../../base/result.ts';
import type {
  BlockDevice,
  BlockLength,
  DeviceFault,
  Extent,
  Geometry,
  Loan,
  MappedExtent,
} from '../../ports/block-device.ts';

export type Operation = 'read' | 'write' | 'unmap' | 'flush';

export type Before = (operation: Operation, lba: number) => MaybeAsync<DeviceFault | undefined>;

export interface MemoryDeviceOptions {
  readonly blockLength?: BlockLength;
  readonly thin?: boolean;
  readonly readOnly?: boolean;
}

export class MemoryDevice implements BlockDevice {
  readonly geometry: Geometry;
  readonly writeCache = 'back';
  readonly bytes: Uint8Array;
  readonly mapped: Uint8Array;
  /** Every operation, as 'write 8+4'. */
  readonly log: string[] = [];
  before: Before | undefined = undefined;
  flushes = 0;

  constructor(geometry: Geometry) {
    this.geometry = geometry;
    this.bytes = new Uint8Array(geometry.blockLength * geometry.blockCount);
    this.mapped = new Uint8Array(geometry.blockCount);
  }

  setWriteCache(): Result<void, DeviceFault> {
    return DONE;
  }

  read(lba: number, blocks: number): MaybeAsync<Result<Loan, DeviceFault>> {
    const { blockLength } = this.geometry;
    return this.#guarded('read', { lba, blocks }, () => {
      const data = this.bytes.slice(lba * blockLength, (lba + blocks) * blockLength);
      // Bytes used after their release are seen in the result.
      return ok({ segments: [data], release: () => void data.fill(0xee) });
    });
  }

  write(lba: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DeviceFault>> {
    const { blockLength } = this.geometry;
    const blocks = data.reduce((sum, segment) => sum + segment.length, 0) / blockLength;
    assert(Number.isInteger(blocks), 'a write is of whole blocks');
    return this.#guarded('write', { lba, blocks }, () => {
      let at = lba * blockLength;
      for (const segment of data) {
        this.bytes.set(segment, at);
        at += segment.length;
      }
      this.mapped.fill(1, lba, lba + blocks);
      return DONE;
    });
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array): MaybeAsync<Result<void, DeviceFault>> {
    return this.#guarded('write', { lba, blocks }, () => {
      for (let i = 0; i < blocks; i += 1) this.bytes.set(pattern, (lba + i) * this.geometry.blockLength);
      this.mapped.fill(1, lba, lba + blocks);
      return DONE;
    });
  }

  unmap(extents: readonly Extent[]): MaybeAsync<Result<void, DeviceFault>> {
    const { blockLength } = this.geometry;
    return this.#guarded('unmap', extents[0]!, () => {
      for (const { lba, blocks } of extents) {
        this.bytes.fill(0, lba * blockLength, (lba + blocks) * blockLength);
        this.mapped.fill(0, lba, lba + blocks);
      }
      return DONE;
    });
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
  ): MaybeAsync<Result<void, DeviceFault>> {
    const { blockLength } = this.geometry;
    const whole = expected.flatMap((segment) => [...segment]);
    return this.#guarded('write', { lba, blocks: whole.length / blockLength }, () => {
      const offset = whole.findIndex((byte, at) => byte !== this.bytes[lba * blockLength + at]);
      if (offset !== -1) return fail({ kind: 'miscompare', offset });
      let at = lba * blockLength;
      for (const segment of data) {
        this.bytes.set(segment, at);
        at += segment.length;
      }
      return DONE;
    });
  }

  flush(): MaybeAsync<Result<void, DeviceFault>> {
    return this.#guarded('flush', { lba: 0, blocks: 0 }, () => {
      this.flushes += 1;
      return DONE;
    });
  }

  mapping(lba: number, blocks: number): Result<readonly MappedExtent[], DeviceFault> {
    return ok([{ lba, blocks, mapped: this.mapped[lba] === 1 }]);
  }

  async close(): Promise<void> {
    this.log.push('close');
  }

  #guarded<T>(
    operation: Operation,
    { lba, blocks }: Extent,
    action: () => Result<T, DeviceFault>,
  ): MaybeAsync<Result<T, DeviceFault>> {
    const { blockCount } = this.geometry;
    assert(lba >= 0 && lba + blocks <= blockCount, `${operation} of ${lba}+${blocks} is out of range`);
    this.log.push(`${operation} ${lba}+${blocks}`);
    return then(this.before?.(operation, lba), (fault) => (fault === undefined ? action() : fail(fault)));
  }
}

export function createMemoryDevice(blockCount: number, options: MemoryDeviceOptions = {}): MemoryDevice {
  return new MemoryDevice({
    blockLength: options.blockLength ?? 512,
    blockCount,
    physicalBlockExponent: 0,
    readOnly: options.readOnly ?? false,
    thin: options.thin ?? true,
    unmapGranularity: 1,
  });
}
