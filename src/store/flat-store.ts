/**
 * Blocks one after the other on a disk: LBA times block length is the byte offset, and nothing else is stored. Any
 * file that other programs wrote as a raw image is one.
 *
 * Invariants
 *  1. Of operations that overlap, a change excludes all others; the medium does not promise it (Linux takes no lock
 *     between a buffered read and a write, and the thread pool has no order). A block is therefore atomic, and of two
 *     writes one is wholly the later.
 *  2. A write that promises durability keeps its blocks until the flush has ended: nobody reads what a power loss could take
 *     back after it was promised to be kept.
 *  3. A fault concerns its command only; the device lives on. But once a flush has failed, no later one succeeds until
 *     the disk is opened again (see ports/disk).
 */

import { assert } from '../base/assert.ts';
import { type HeldRange, RangeLock } from '../base/range-lock.ts';
import { DONE, fail, isAsync, type MaybeAsync, ok, type Result, then } from '../base/result.ts';
import { firstDifference, isZero, lengthOf, slice } from '../base/segments.ts';
import type {
  BlockLength,
  DeviceFault,
  Durability,
  Extent,
  Geometry,
  GrowableDevice,
  GrowthFault,
  Loan,
  MappedExtent,
  WriteCache,
} from '../ports/block-device.ts';
import type { Disk, DiskFault, GrowFault } from '../ports/disk.ts';
import { type Attempt, deviceFault, locateFault } from './fault-location.ts';
import { mappingOf } from './flat-mapping.ts';
import { GroupCommit } from './group-commit.ts';

export interface FlatStoreOptions {
  readonly disk: Disk;
  readonly blockLength: BlockLength;
  readonly writeCache: WriteCache;
  /** Unmapped blocks give their space back. Not given: if the disk can. False: all space stays reserved. */
  readonly thin?: boolean;
}

export interface FlatStoreFault {
  readonly kind: 'notWholeBlocks' | 'tooSmall';
  /** A clause for people, naming the disk. */
  readonly message: string;
}

/** The store owns the disk from now on, if it answers well. */
export function openFlatStore(options: FlatStoreOptions): Result<GrowableDevice, FlatStoreFault> {
  const { disk, blockLength } = options;
  if (disk.length < blockLength) {
    const message = `${disk.name} has ${disk.length} bytes, less than one block of ${blockLength}`;
    return fail({ kind: 'tooSmall', message });
  }
  const excess = disk.length % blockLength;
  if (excess !== 0) {
    const message = `${disk.name} has ${disk.length} bytes, ${excess} more than whole blocks of ${blockLength}`;
    return fail({ kind: 'notWholeBlocks', message });
  }
  return ok(new FlatStore(options));
}

const WRITE_PROTECTED = fail<DeviceFault>({ kind: 'writeProtected' });

type Answer = MaybeAsync<Result<void, DeviceFault>>;
type DiskAnswer = MaybeAsync<Result<void, DiskFault>>;

/** Zeros and patterns are written from a buffer of this length, repeated up to the other in one write. */
const FILL_LENGTH = 64 * 1024;
const FILL_WRITE_LENGTH = 1024 * 1024;
const ZEROS = new Uint8Array(FILL_LENGTH);
/** A larger granule is not read to learn whether it is empty. */
const GRANULE_READ_LENGTH_MAX = 64 * 1024;

class FlatStore implements GrowableDevice {
  geometry: Geometry;
  writeCache: WriteCache;
  readonly #disk: Disk;
  readonly #blockLength: number;
  readonly #locks = new RangeLock();
  readonly #commits: GroupCommit<DiskFault>;
  #growing: Promise<unknown> = Promise.resolve();

  constructor({ disk, blockLength, writeCache, thin }: FlatStoreOptions) {
    this.#disk = disk;
    this.#blockLength = blockLength;
    this.writeCache = writeCache;
    this.#commits = new GroupCommit(() => disk.flush());
    this.geometry = {
      blockLength,
      blockCount: disk.length / blockLength,
      physicalBlockExponent: Math.max(0, Math.round(Math.log2(disk.physicalSectorLength / blockLength))),
      readOnly: disk.readOnly,
      thin: thin ?? disk.punchGranularity > 0,
      unmapGranularity: Math.max(1, Math.ceil(disk.punchGranularity / blockLength)),
    };
  }

  setWriteCache(mode: WriteCache): Answer {
    const former = this.writeCache;
    this.writeCache = mode;
    if (mode === 'back' || former === 'through') return DONE;
    // New writes are durable from now on; the switch is answered when the old ones are.
    return then(this.flush(), (flushed) => {
      if (!flushed.ok) this.writeCache = former;
      return flushed;
    });
  }

  read(lba: number, blocks: number): MaybeAsync<Result<Loan, DeviceFault>> {
    this.#assertRange(lba, blocks);
    if (!this.#locks.isFree(lba, blocks, 'shared')) {
      return then(this.#locks.hold(lba, blocks, 'shared'), (held) =>
        this.#readEnd(lba, blocks, held, undefined),
      );
    }
    const answer = this.#disk.read(lba * this.#blockLength, blocks * this.#blockLength);
    // The usual case: the page cache had it, nobody came in between, no lock is needed.
    if (!isAsync(answer) && answer.ok) return answer;
    const held = this.#locks.hold(lba, blocks, 'shared');
    assert(!isAsync(held), 'a range that was free is granted at once');
    return this.#readEnd(lba, blocks, held, answer);
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability): Answer {
    const blocks = lengthOf(data) / this.#blockLength;
    return this.#change(lba, blocks, durability, () => this.#writeBlocks(lba, blocks, data));
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array, durability: Durability): Answer {
    assert(pattern.length === this.#blockLength, 'the pattern is one block');
    if (isZero(pattern)) return this.unmap([{ lba, blocks }], durability);
    const fill = new Uint8Array(FILL_LENGTH);
    for (let at = 0; at < FILL_LENGTH; at += pattern.length) fill.set(pattern, at);
    return this.#change(lba, blocks, durability, () => this.#fill(lba, blocks, fill));
  }

  async unmap(extents: readonly Extent[], durability: Durability): Promise<Result<void, DeviceFault>> {
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    for (const { lba, blocks } of extents) {
      if (blocks === 0) continue;
      // oxlint-disable-next-line no-await-in-loop -- extents may overlap, and one fault ends the command
      const result = await this.#clear(lba, blocks);
      if (!result.ok) return result;
    }
    return this.#isDurable(durability) ? this.flush() : DONE;
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
  ): Answer {
    const blocks = lengthOf(expected) / this.#blockLength;
    assert(lengthOf(data) === blocks * this.#blockLength, 'as much to write as to compare');
    return this.#change(lba, blocks, durability, () =>
      then(this.#readEnd(lba, blocks, undefined, undefined), (present) => {
        if (!present.ok) return present;
        const offset = firstDifference(expected, present.value.segments);
        present.value.release();
        return offset === -1 ? this.#writeBlocks(lba, blocks, data) : fail({ kind: 'miscompare', offset });
      }),
    );
  }

  flush(): Answer {
    if (this.geometry.readOnly) return DONE;
    return then(this.#commits.commit(), (result) => (result.ok ? result : this.#flushFault(result.fault, 0)));
  }

  mapping(
    lba: number,
    blocks: number,
    runsMax: number,
  ): MaybeAsync<Result<readonly MappedExtent[], DeviceFault>> {
    this.#assertRange(lba, blocks);
    if (!this.geometry.thin) return ok([{ lba, blocks, mapped: true }]);
    return mappingOf(this.#disk, this.#blockLength, { lba, blocks }, runsMax);
  }

  grow(blockCount: number, from?: number): Promise<Result<void, GrowthFault>> {
    const grown = this.#growing.then(() => this.#grow(blockCount, from));
    this.#growing = grown;
    return grown;
  }

  async close(): Promise<void> {
    await this.#growing;
    // Waits for everything that was asked for before.
    await this.#locks.hold(0, this.geometry.blockCount, 'exclusive');
    await this.flush();
    await this.#disk.close();
  }

  async #grow(blockCount: number, givenUp: number | undefined): Promise<Result<void, GrowthFault>> {
    const from = givenUp ?? this.geometry.blockCount;
    // Another call has made it longer.
    if (givenUp === undefined && blockCount <= from) return DONE;
    assert(from <= this.geometry.blockCount && from <= blockCount, 'a device grows from within');
    if (this.geometry.readOnly) return fail({ kind: 'readOnly', message: `${this.#disk.name} is read-only` });
    const length = this.#blockLength;
    const grown = await this.#disk.grow(from * length, blockCount * length, !this.geometry.thin);
    if (!grown.ok) return fail(growthFault(grown.fault, this.#disk, blockCount * length));
    // A raw medium may end with part of a block.
    this.geometry = { ...this.geometry, blockCount: Math.floor(this.#disk.length / length) };
    return DONE;
  }

  #assertRange(lba: number, blocks: number): void {
    assert(
      Number.isInteger(lba) && Number.isInteger(blocks) && lba >= 0 && blocks > 0,
      'LBA and length are counts',
    );
    assert(lba + blocks <= this.geometry.blockCount, 'the blocks lie within the device');
  }

  #isDurable(durability: Durability): boolean {
    return durability === 'durable' || this.writeCache === 'through';
  }

  /** Runs `work` alone on its blocks, and makes it durable if that was asked for. */
  #change(lba: number, blocks: number, durability: Durability, work: () => Answer): Answer {
    this.#assertRange(lba, blocks);
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const held = this.#locks.hold(lba, blocks, 'exclusive');
    const run = (range: HeldRange): Answer =>
      then(work(), (result) => {
        if (!result.ok || !this.#isDurable(durability)) {
          range.release();
          return result;
        }
        return then(this.#commits.commit(), (committed) => {
          range.release();
          return committed.ok ? committed : this.#flushFault(committed.fault, lba);
        });
      });
    return isAsync(held) ? held.then(run) : run(held);
  }

  /** Finishes a read that has been begun with `begun`, or does all of it; then lets go of `held`. */
  #readEnd(
    lba: number,
    blocks: number,
    held: HeldRange | undefined,
    begun: MaybeAsync<Result<Loan, DiskFault>> | undefined,
  ): MaybeAsync<Result<Loan, DeviceFault>> {
    const answer = begun ?? this.#disk.read(lba * this.#blockLength, blocks * this.#blockLength);
    return then(answer, (result) => {
      if (result.ok) {
        held?.release();
        return result;
      }
      const reread: Attempt = (at, count) => this.#probe(at, count);
      return locateFault(result.fault, { lba, blocks }, this.#blockLength, reread).then((fault) => {
        held?.release();
        return fail(fault);
      });
    });
  }

  #probe(lba: number, blocks: number): DiskAnswer {
    return then(this.#disk.read(lba * this.#blockLength, blocks * this.#blockLength), (result) => {
      if (!result.ok) return result;
      result.value.release();
      return DONE;
    });
  }

  /** What the disk has answered may have changed it, faults too. */
  #diskWrite(lba: number, data: readonly Uint8Array[]): DiskAnswer {
    return then(this.#disk.write(lba * this.#blockLength, data), (result) => {
      this.#commits.answered();
      return result;
    });
  }

  #writeBlocks(lba: number, blocks: number, data: readonly Uint8Array[]): Answer {
    const length = this.#blockLength;
    return then(this.#diskWrite(lba, data), (result) => {
      if (result.ok) return result;
      const rewrite: Attempt = (at, count) =>
        this.#diskWrite(at, slice(data, (at - lba) * length, count * length));
      return locateFault(result.fault, { lba, blocks }, length, rewrite).then(fail<DeviceFault>);
    });
  }

  /** Repeats `fill`, a whole number of blocks, over the extent; the caller holds it. */
  async #fill(lba: number, blocks: number, fill: Uint8Array): Promise<Result<void, DeviceFault>> {
    const end = lba + blocks;
    for (let at = lba; at < end; ) {
      const count = Math.min(end - at, FILL_WRITE_LENGTH / this.#blockLength);
      const data: Uint8Array[] = [];
      for (let left = count * this.#blockLength; left > 0; left -= fill.length) {
        data.push(left >= fill.length ? fill : fill.subarray(0, left));
      }
      // oxlint-disable-next-line no-await-in-loop -- one write at a time leaves room for others
      const result = await this.#writeBlocks(at, count, data);
      if (!result.ok) return result;
      at += count;
    }
    return DONE;
  }

  /**
   * Zeros, with the space given back where whole granules allow it. Holds the granules at both ends too, because what
   * else is in them decides whether they can go.
   */
  async #clear(lba: number, blocks: number): Promise<Result<void, DeviceFault>> {
    this.#assertRange(lba, blocks);
    const { thin, unmapGranularity: granule, blockCount } = this.geometry;
    const end = lba + blocks;
    const first = thin ? lba - (lba % granule) : lba;
    const last = thin ? Math.min(Math.ceil(end / granule) * granule, blockCount) : end;
    const held = await this.#locks.hold(first, last - first, 'exclusive');
    const innerFirst = Math.ceil(lba / granule) * granule;
    const innerLast = end - (end % granule);
    let result: Result<void, DeviceFault>;
    if (!thin) {
      result = await this.#fill(lba, blocks, ZEROS);
    } else if (innerFirst > innerLast) {
      result = await this.#clearWithin(lba, end);
    } else {
      result = await this.#clearWithin(lba, innerFirst);
      if (result.ok) result = await this.#punch(innerFirst, innerLast);
      if (result.ok) result = await this.#clearWithin(innerLast, end);
    }
    held.release();
    return result;
  }

  async #punch(first: number, end: number): Promise<Result<void, DeviceFault>> {
    if (first === end) return DONE;
    const length = this.#blockLength;
    const result = await this.#disk.punch(first * length, (end - first) * length);
    this.#commits.answered();
    return result.ok ? result : fail(deviceFault(result.fault, { lba: first, blocks: end - first }, length));
  }

  /** Clears part of one granule, and gives it back if nothing else is in it. */
  async #clearWithin(lba: number, end: number): Promise<Result<void, DeviceFault>> {
    if (lba === end) return DONE;
    const { unmapGranularity: granule, blockCount } = this.geometry;
    const first = lba - (lba % granule);
    const written = await this.#fill(lba, end - lba, ZEROS);
    const whole = first + granule <= blockCount && granule * this.#blockLength <= GRANULE_READ_LENGTH_MAX;
    if (!written.ok || !whole) return written;
    const present = await this.#disk.read(first * this.#blockLength, granule * this.#blockLength);
    // It has been cleared all the same.
    if (!present.ok) return DONE;
    const empty = present.value.segments.every(isZero);
    present.value.release();
    return empty ? this.#punch(first, first + granule) : DONE;
  }

  #flushFault(fault: DiskFault, lba: number): Result<void, DeviceFault> {
    return fail(deviceFault(fault, { lba, blocks: 1 }, this.#blockLength));
  }
}

function growthFault(fault: GrowFault, { name }: Disk, wanted: number): GrowthFault {
  switch (fault.kind) {
    case 'mediumEnds':
      return {
        kind: 'mediumEnds',
        message: `${name} has ${fault.length} bytes, and ${wanted} are wanted: enlarge it first`,
      };
    case 'noSpace':
      return { kind: 'noSpace', message: `there is no room for ${wanted} bytes where ${name} lies` };
    case 'ioError':
      return {
        kind: fault.operation === 'flush' ? 'flushFailed' : 'failed',
        message: `${name} could not be enlarged (${fault.operation}: ${fault.cause})`,
      };
  }
}
