/**
 * The store of a copy, as long as its device is. The medium may be longer: it grows before the device does, and what lies
 * behind the device's end is nobody's.
 *
 *   makeRoom    the medium is longer, with zeros behind the end of the device; the device is as it was
 *   resize      … and now the device is as long
 *
 * Invariant: one of them at a time, in order of their calls.
 */

import { assert } from '../../base/assert.ts';
import { DONE, type Result } from '../../base/result.ts';
import type { Geometry, GrowableDevice, GrowthFault } from '../../ports/block-device.ts';
import type { ReplicaStore } from '../../replication/ports.ts';

export class SizedCopy implements ReplicaStore {
  geometry: Geometry;
  readonly read: ReplicaStore['read'];
  readonly write: ReplicaStore['write'];
  readonly writeSame: ReplicaStore['writeSame'];
  readonly unmap: ReplicaStore['unmap'];
  readonly flush: ReplicaStore['flush'];
  readonly #store: GrowableDevice;
  /** There are zeros from the end of the device up to here, durably. */
  #roomTo: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: GrowableDevice, blockCount: number) {
    assert(blockCount <= store.geometry.blockCount, 'the medium is as long as the device');
    this.#store = store;
    this.geometry = { ...store.geometry, blockCount };
    this.#roomTo = blockCount;
    this.read = (lba, blocks) => store.read(lba, blocks);
    this.write = (lba, data, durability) => store.write(lba, data, durability);
    this.writeSame = (lba, blocks, pattern, durability) => store.writeSame(lba, blocks, pattern, durability);
    this.unmap = (extents, durability) => store.unmap(extents, durability);
    this.flush = () => store.flush();
  }

  makeRoom(blockCount: number): Promise<Result<void, GrowthFault>> {
    return this.#inOrder(() => this.#makeRoom(blockCount));
  }

  /** Smaller is right only for a copy that takes over the device of others. */
  resize(blockCount: number): Promise<Result<void, GrowthFault>> {
    return this.#inOrder(async () => {
      const room = await this.#makeRoom(blockCount);
      if (!room.ok) return room;
      this.#roomTo = blockCount < this.geometry.blockCount ? blockCount : this.#roomTo;
      this.geometry = { ...this.geometry, blockCount };
      return DONE;
    });
  }

  /** Nothing of this is under way. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #makeRoom(blockCount: number): Promise<Result<void, GrowthFault>> {
    if (blockCount <= this.#roomTo) return DONE;
    const made = await this.#store.grow(blockCount, this.geometry.blockCount);
    if (made.ok) this.#roomTo = blockCount;
    return made;
  }

  #inOrder(step: () => Promise<Result<void, GrowthFault>>): Promise<Result<void, GrowthFault>> {
    const next = this.#last.then(step);
    this.#last = next;
    return next;
  }
}
