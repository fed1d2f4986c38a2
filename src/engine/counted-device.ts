/** A device that counts what is asked of it, for statistics. Adds two additions to a read or write and nothing else. */

import type { BlockDevice, Extent, WriteCache, Durability } from '../ports/block-device.ts';

export interface DeviceCounts {
  reads: number;
  writes: number;
  blocksRead: number;
  blocksWritten: number;
}

export interface CountedDevice extends BlockDevice {
  readonly counts: Readonly<DeviceCounts>;
}

export function countedDevice(device: BlockDevice): CountedDevice {
  return new Counted(device);
}

class Counted implements CountedDevice {
  readonly counts: DeviceCounts = { reads: 0, writes: 0, blocksRead: 0, blocksWritten: 0 };
  readonly #device: BlockDevice;

  constructor(device: BlockDevice) {
    this.#device = device;
  }

  get geometry() {
    return this.#device.geometry;
  }

  get writeCache() {
    return this.#device.writeCache;
  }

  setWriteCache(mode: WriteCache) {
    return this.#device.setWriteCache(mode);
  }

  read(lba: number, blocks: number) {
    this.counts.reads += 1;
    this.counts.blocksRead += blocks;
    return this.#device.read(lba, blocks);
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability) {
    let bytes = 0;
    for (const segment of data) bytes += segment.length;
    this.#wrote(bytes / this.#device.geometry.blockLength);
    return this.#device.write(lba, data, durability);
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array, durability: Durability) {
    this.#wrote(blocks);
    return this.#device.writeSame(lba, blocks, pattern, durability);
  }

  unmap(extents: readonly Extent[], durability: Durability) {
    return this.#device.unmap(extents, durability);
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
  ) {
    let bytes = 0;
    for (const segment of data) bytes += segment.length;
    this.#wrote(bytes / this.#device.geometry.blockLength);
    return this.#device.compareAndWrite(lba, expected, data, durability);
  }

  flush() {
    return this.#device.flush();
  }

  mapping(lba: number, blocks: number, runsMax: number) {
    return this.#device.mapping(lba, blocks, runsMax);
  }

  close() {
    return this.#device.close();
  }

  #wrote(blocks: number): void {
    this.counts.writes += 1;
    this.counts.blocksWritten += blocks;
  }
}
