/**
 * A device as it is served: what is asked of it is counted, for statistics, and it has the physical block length that
 * the administrator says, where the medium says another. Costs a read or write two additions.
 */

import type { BlockDevice, Durability, Extent, Geometry, Ticket, WriteCache } from '../ports/block-device.ts';

export interface DeviceCounts {
  reads: number;
  writes: number;
  blocksRead: number;
  blocksWritten: number;
}

export interface ServedDevice extends BlockDevice {
  readonly counts: Readonly<DeviceCounts>;
}

export function servedDevice(device: BlockDevice, physicalBlockExponent: number | undefined): ServedDevice {
  return new Served(device, physicalBlockExponent);
}

class Served implements ServedDevice {
  readonly counts: DeviceCounts = { reads: 0, writes: 0, blocksRead: 0, blocksWritten: 0 };
  readonly #device: BlockDevice;
  readonly #physicalBlockExponent: number | undefined;
  /** The device's geometry, and what is made of it: made again when the device's changes. */
  #beneath: Geometry;
  #shown: Geometry;

  constructor(device: BlockDevice, physicalBlockExponent: number | undefined) {
    this.#device = device;
    this.#physicalBlockExponent = physicalBlockExponent;
    this.#beneath = device.geometry;
    this.#shown = this.#show();
  }

  get geometry() {
    if (this.#device.geometry !== this.#beneath) {
      this.#beneath = this.#device.geometry;
      this.#shown = this.#show();
    }
    return this.#shown;
  }

  get writeCache() {
    return this.#device.writeCache;
  }

  setWriteCache(mode: WriteCache) {
    return this.#device.setWriteCache(mode);
  }

  read(lba: number, blocks: number, ticket?: Ticket) {
    this.counts.reads += 1;
    this.counts.blocksRead += blocks;
    return this.#device.read(lba, blocks, ticket);
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability, ticket?: Ticket) {
    let bytes = 0;
    for (const segment of data) bytes += segment.length;
    this.#wrote(bytes / this.#device.geometry.blockLength);
    return this.#device.write(lba, data, durability, ticket);
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array, durability: Durability, ticket?: Ticket) {
    this.#wrote(blocks);
    return this.#device.writeSame(lba, blocks, pattern, durability, ticket);
  }

  unmap(extents: readonly Extent[], durability: Durability, ticket?: Ticket) {
    return this.#device.unmap(extents, durability, ticket);
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ) {
    let bytes = 0;
    for (const segment of data) bytes += segment.length;
    this.#wrote(bytes / this.#device.geometry.blockLength);
    return this.#device.compareAndWrite(lba, expected, data, durability, ticket);
  }

  flush(ticket?: Ticket) {
    return this.#device.flush(ticket);
  }

  mapping(lba: number, blocks: number, runsMax: number) {
    return this.#device.mapping(lba, blocks, runsMax);
  }

  close() {
    return this.#device.close();
  }

  #show(): Geometry {
    const physicalBlockExponent = this.#physicalBlockExponent ?? this.#beneath.physicalBlockExponent;
    return { ...this.#beneath, physicalBlockExponent };
  }

  #wrote(blocks: number): void {
    this.counts.writes += 1;
    this.counts.blocksWritten += blocks;
  }
}
