/**
 * A device whose mutations can be watched: the watcher hears of each one before it begins, with its extent. Without
 * a watcher that is one comparison per mutation, and nothing for reads.
 */

import type { MaybeAsync, Result } from '../base/result.ts';
import { lengthOf } from '../base/segments.ts';
import type {
  BlockDevice,
  DeviceFault,
  Durability,
  Extent,
  Geometry,
  Loan,
  MappedExtent,
  Ticket,
  WriteCache,
} from '../ports/block-device.ts';

export class WatchedDevice implements BlockDevice {
  readonly #device: BlockDevice;
  watcher: ((lba: number, blocks: number) => void) | undefined = undefined;

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  get geometry(): Geometry {
    return this.#device.geometry;
  }

  get writeCache(): WriteCache {
    return this.#device.writeCache;
  }

  setWriteCache(mode: WriteCache): MaybeAsync<Result<void, DeviceFault>> {
    return this.#device.setWriteCache(mode);
  }

  read(lba: number, blocks: number, ticket?: Ticket): MaybeAsync<Result<Loan, DeviceFault>> {
    return this.#device.read(lba, blocks, ticket);
  }

  write(
    lba: number,
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>> {
    this.watcher?.(lba, lengthOf(data) / this.geometry.blockLength);
    return this.#device.write(lba, data, durability, ticket);
  }

  writeSame(
    lba: number,
    blocks: number,
    pattern: Uint8Array,
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>> {
    this.watcher?.(lba, blocks);
    return this.#device.writeSame(lba, blocks, pattern, durability, ticket);
  }

  unmap(
    extents: readonly Extent[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>> {
    for (const { lba, blocks } of extents) this.watcher?.(lba, blocks);
    return this.#device.unmap(extents, durability, ticket);
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>> {
    this.watcher?.(lba, lengthOf(data) / this.geometry.blockLength);
    return this.#device.compareAndWrite(lba, expected, data, durability, ticket);
  }

  flush(ticket?: Ticket): MaybeAsync<Result<void, DeviceFault>> {
    return this.#device.flush(ticket);
  }

  mapping(
    lba: number,
    blocks: number,
    runsMax: number,
  ): MaybeAsync<Result<readonly MappedExtent[], DeviceFault>> {
    return this.#device.mapping(lba, blocks, runsMax);
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}
