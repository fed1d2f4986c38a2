/**
 * The simplest write-back cache: blocks in the memory of the process, written to the store beneath at random times and
 * at a flush. Stands in for the product's cache in front of a store.
 *
 * Invariant: one operation of the store at a time, in order; what is written out is the newest of each block.
 */

import type { Result } from '../../src/base/result.ts';
import { DONE, isAsync, ok } from '../../src/base/result.ts';
import { copyTo, lengthOf, slice } from '../../src/base/segments.ts';
import type { Prng } from '../../src/base/prng.ts';
import type { DeviceFault, Extent, GrowableDevice, GrowthFault, Loan } from '../../src/ports/block-device.ts';
import type { Clock } from '../../src/ports/clock.ts';

type Answer = Promise<Result<void, DeviceFault>>;

const DESTAGE_MS = 300;

export interface RamCache extends GrowableDevice {
  /** What is in memory only. */
  peek(lba: number): Uint8Array | undefined;
}

export function createRamCache(store: GrowableDevice, clock: Clock, random: Prng): RamCache {
  const { blockLength } = store.geometry;
  /** What the store does not have yet. */
  const dirty = new Map<number, Uint8Array>();
  let last: Promise<unknown> = Promise.resolve();
  let failed: DeviceFault | undefined;

  function inOrder<T>(step: () => Promise<T>): Promise<T> {
    const next = last.then(step);
    last = next;
    return next;
  }

  function put(lba: number, data: readonly Uint8Array[]): void {
    const blocks = lengthOf(data) / blockLength;
    for (let i = 0; i < blocks; i++) {
      const block = new Uint8Array(blockLength);
      copyTo(slice(data, i * blockLength, blockLength), block, 0);
      dirty.set(lba + i, block);
    }
  }

  async function destage(lbas: readonly number[]): Answer {
    for (const lba of lbas) {
      const block = dirty.get(lba);
      if (block === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const written = await store.write(lba, [block], 'cached');
      if (!written.ok) {
        failed = written.fault;
        return written;
      }
      if (dirty.get(lba) === block) dirty.delete(lba);
    }
    return DONE;
  }

  function flush(): Answer {
    return inOrder(async () => {
      const destaged = await destage([...dirty.keys()]);
      return destaged.ok ? store.flush() : destaged;
    });
  }

  async function write(lba: number, data: readonly Uint8Array[], durability: string): Answer {
    if (failed !== undefined) return { ok: false, fault: failed };
    put(lba, data);
    if (durability === 'cached') {
      if (dirty.size === lengthOf(data) / blockLength || random.chance(0.3))
        clock.after(random.exponential(DESTAGE_MS), () => {
          void inOrder(() => destage([...dirty.keys()].filter(() => random.chance(0.7))));
        });
      return DONE;
    }
    return flush();
  }

  function read(lba: number, blocks: number): ReturnType<GrowableDevice['read']> {
    const below = store.read(lba, blocks);
    const lay = (result: Result<Loan, DeviceFault>): Result<Loan, DeviceFault> => {
      if (!result.ok || dirty.size === 0) return result;
      const bytes = new Uint8Array(blocks * blockLength);
      copyTo(result.value.segments, bytes, 0);
      result.value.release();
      for (let i = 0; i < blocks; i++) {
        const block = dirty.get(lba + i);
        if (block !== undefined) bytes.set(block, i * blockLength);
      }
      return ok({ segments: [bytes], release: () => undefined });
    };
    return isAsync(below) ? below.then(lay) : lay(below);
  }

  async function grow(blockCount: number, from: number): Promise<Result<void, GrowthFault>> {
    for (const lba of dirty.keys()) if (lba >= from) dirty.delete(lba);
    return store.grow(blockCount, from);
  }

  return {
    get geometry() {
      return store.geometry;
    },
    grow: (blockCount, from = store.geometry.blockCount) => inOrder(() => grow(blockCount, from)),
    peek: (lba) => dirty.get(lba),
    writeCache: 'back',
    setWriteCache: () => DONE,
    read: (lba, blocks) => inOrder(async () => read(lba, blocks)),
    write,
    writeSame(lba, blocks, pattern, durability) {
      return write(
        lba,
        Array.from({ length: blocks }, () => pattern),
        durability,
      );
    },
    async unmap(extents: readonly Extent[], durability) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      for (const { lba, blocks } of extents)
        await write(lba, [new Uint8Array(blocks * blockLength)], durability);
      return DONE;
    },
    compareAndWrite: () => ({ ok: false, fault: { kind: 'busy' } }),
    flush,
    mapping: (lba, blocks, runs) => store.mapping(lba, blocks, runs),
    close: () => store.close(),
  };
}
