/**
 * A RAM disk. Sparse: memory is taken page by page as blocks are written and given back when the last block of a page
 * is unmapped, so that a device of 1 TiB costs nothing while it is empty. Everything is answered at once; no call of
 * it is ever a promise (but `close`), which also makes every mutation atomic.
 *
 * It has no medium, so nothing is ever durable: `flush` and durable writes answer at once, for there is no more that
 * could be done, and `writeCache` is only remembered for the initiator that set it. Whoever exports it knows that its
 * content ends with the process.
 *
 * Reads lend views of the pages, without a copy. A write into bytes that are lent leaves the page to its readers and
 * goes to a copy (invariant 5 of BlockDevice); a write beside them does not.
 */

import { assert } from '../base/assert.ts';
import { DONE, fail, ok, type Result } from '../base/result.ts';
import { firstDifference, lengthOf } from '../base/segments.ts';
import type {
  BlockLength,
  DeviceFault,
  Extent,
  Geometry,
  GrowableDevice,
  GrowthFault,
  Loan,
  MappedExtent,
  WriteCache,
} from '../ports/block-device.ts';
import { type Frame, PAGE_LENGTH, PagePool } from './page-pool.ts';

export interface RamStoreOptions {
  readonly blockLength: BlockLength;
  readonly blockCount: number;
  /** log2 of logical blocks per physical block; 0 if not given. */
  readonly physicalBlockExponent?: number;
  /** Unmapped blocks are reported as such; true if not given. */
  readonly thin?: boolean;
  readonly readOnly?: boolean;
  /** Bytes of memory the content may take; no limit if not given. Beyond it writes are `noSpace`. */
  readonly memoryMax?: number;
}

/** A RAM store's calls are known to answer at once. */
export interface RamStore extends GrowableDevice {
  read(lba: number, blocks: number): Result<Loan, DeviceFault>;
  mapping(lba: number, blocks: number, runsMax: number): Result<readonly MappedExtent[], DeviceFault>;
  /** Bytes of memory that the content takes. */
  readonly memoryUsed: number;
}

export function createRamStore(options: RamStoreOptions): RamStore {
  return new PagedRam(options);
}

interface Page {
  frame: Frame;
  /** One byte per block: 1 if mapped. */
  readonly mapped: Uint8Array;
  mappedCount: number;
}

type Leaf = (Page | undefined)[];

/** Pages per leaf of the page table: an empty leaf stands for 256 MiB. */
const LEAF_PAGES = 4096;
/** What unmapped blocks are read from; never written. */
const ZEROS = new Uint8Array(PAGE_LENGTH);
const WRITE_PROTECTED = fail<DeviceFault>({ kind: 'writeProtected' });

class PagedRam implements RamStore {
  geometry: Geometry;
  writeCache: WriteCache = 'back';
  readonly #blockLength: number;
  readonly #blocksPerPage: number;
  readonly #pagesMax: number;
  readonly #pool = new PagePool();
  readonly #leaves: (Leaf | undefined)[] = [];
  #pages = 0;

  constructor(options: RamStoreOptions) {
    const { blockLength, blockCount } = options;
    assert(Number.isSafeInteger(blockCount * blockLength) && blockCount > 0, 'size of a RAM store');
    this.geometry = {
      blockLength,
      blockCount,
      physicalBlockExponent: options.physicalBlockExponent ?? 0,
      readOnly: options.readOnly ?? false,
      thin: options.thin ?? true,
      // Blocks are counted one by one: their page goes when the last of them has been given back.
      unmapGranularity: 1,
    };
    this.#blockLength = blockLength;
    this.#blocksPerPage = PAGE_LENGTH / blockLength;
    this.#pagesMax = Math.floor((options.memoryMax ?? Number.MAX_SAFE_INTEGER) / PAGE_LENGTH);
  }

  get memoryUsed(): number {
    return this.#pages * PAGE_LENGTH;
  }

  async grow(blockCount: number, from?: number): Promise<Result<void, GrowthFault>> {
    const { blockCount: end, readOnly } = this.geometry;
    assert(from === undefined || (from <= end && from <= blockCount), 'a device grows from within');
    assert(Number.isSafeInteger(blockCount * this.#blockLength), 'size of a RAM store');
    if (readOnly) return fail({ kind: 'readOnly', message: 'a disk in memory is read-only' });
    if (from !== undefined && from < end) this.unmap([{ lba: from, blocks: end - from }]);
    this.geometry = { ...this.geometry, blockCount: Math.max(end, blockCount) };
    return DONE;
  }

  setWriteCache(mode: WriteCache): Result<void, DeviceFault> {
    this.writeCache = mode;
    return DONE;
  }

  read(lba: number, blocks: number): Result<Loan, DeviceFault> {
    this.#assertRange(lba, blocks);
    const blockLength = this.#blockLength;
    const offset = lba * blockLength;
    const length = blocks * blockLength;
    const start = offset % PAGE_LENGTH;
    if (start + length <= PAGE_LENGTH) {
      const page = this.#pageAt((offset - start) / PAGE_LENGTH);
      if (page === undefined) return ok(new PageLoan(this.#pool, undefined, ZEROS.subarray(0, length)));
      this.#pool.lend(page.frame, start, start + length);
      const view = page.frame.bytes.subarray(start, start + length);
      return ok(new PageLoan(this.#pool, page.frame, view));
    }
    return ok(this.#readAcross(offset, length));
  }

  write(lba: number, data: readonly Uint8Array[]): Result<void, DeviceFault> {
    const blockLength = this.#blockLength;
    const length = lengthOf(data);
    const blocks = length / blockLength;
    this.#assertRange(lba, blocks);
    const refusal = this.#refusal(lba, blocks);
    if (refusal !== undefined) return refusal;
    const offset = lba * blockLength;
    let position = offset;
    let page: Page | undefined;
    for (const segment of data) {
      let taken = 0;
      while (taken < segment.length) {
        const start = position % PAGE_LENGTH;
        if (page === undefined || start === 0) page = this.#pageToWrite(position - start, offset, length);
        const run = Math.min(segment.length - taken, PAGE_LENGTH - start);
        const whole = run === segment.length;
        page.frame.bytes.set(whole ? segment : segment.subarray(taken, taken + run), start);
        taken += run;
        position += run;
      }
    }
    return DONE;
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array): Result<void, DeviceFault> {
    this.#assertRange(lba, blocks);
    assert(pattern.length === this.#blockLength, 'the pattern is one block');
    const refusal = this.#refusal(lba, blocks);
    if (refusal !== undefined) return refusal;
    const offset = lba * this.#blockLength;
    const length = blocks * this.#blockLength;
    for (let position = offset; position < offset + length; ) {
      const start = position % PAGE_LENGTH;
      const end = Math.min(PAGE_LENGTH, start + offset + length - position);
      const { bytes } = this.#pageToWrite(position - start, offset, length).frame;
      for (let at = start; at < end; at += pattern.length) bytes.set(pattern, at);
      position += end - start;
    }
    return DONE;
  }

  unmap(extents: readonly Extent[]): Result<void, DeviceFault> {
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    for (const { lba, blocks } of extents) {
      if (blocks === 0) continue;
      this.#assertRange(lba, blocks);
      for (let block = lba; block < lba + blocks; ) {
        const first = block % this.#blocksPerPage;
        const pageIndex = (block - first) / this.#blocksPerPage;
        const last = Math.min(this.#blocksPerPage, first + lba + blocks - block);
        const empty = this.#emptyLeafPages(pageIndex);
        if (empty === 0) this.#unmapInPage(pageIndex, first, last);
        block += empty === 0 ? last - first : empty * this.#blocksPerPage - first;
      }
    }
    return DONE;
  }

  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
  ): Result<void, DeviceFault> {
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const present = this.read(lba, lengthOf(expected) / this.#blockLength);
    if (!present.ok) return present;
    const offset = firstDifference(expected, present.value.segments);
    present.value.release();
    return offset === -1 ? this.write(lba, data) : fail({ kind: 'miscompare', offset });
  }

  flush(): Result<void, DeviceFault> {
    return DONE;
  }

  mapping(lba: number, blocks: number, runsMax: number): Result<readonly MappedExtent[], DeviceFault> {
    this.#assertRange(lba, blocks);
    if (!this.geometry.thin) return ok([{ lba, blocks, mapped: true }]);
    const end = lba + blocks;
    const runs: MappedExtent[] = [];
    let runStart = lba;
    let runMapped = this.#stateAt(lba).mapped;
    for (let block = lba; block < end; ) {
      const state = this.#stateAt(block);
      if (state.mapped !== runMapped) {
        runs.push({ lba: runStart, blocks: block - runStart, mapped: runMapped });
        if (runs.length === runsMax) return ok(runs);
        [runStart, runMapped] = [block, state.mapped];
      }
      block = state.end;
    }
    runs.push({ lba: runStart, blocks: end - runStart, mapped: runMapped });
    return ok(runs);
  }

  close(): Promise<void> {
    this.#leaves.length = 0;
    this.#pages = 0;
    return Promise.resolve();
  }

  #assertRange(lba: number, blocks: number): void {
    assert(
      Number.isInteger(lba) && Number.isInteger(blocks) && lba >= 0 && blocks > 0,
      'LBA and length are counts',
    );
    assert(lba + blocks <= this.geometry.blockCount, 'the blocks lie within the device');
  }

  /** Checked before anything is changed, so that a refused write leaves all blocks as they were. */
  #refusal(lba: number, blocks: number): Result<void, DeviceFault> | undefined {
    if (this.geometry.readOnly) return WRITE_PROTECTED;
    const firstPage = Math.floor(lba / this.#blocksPerPage);
    const lastPage = Math.floor((lba + blocks - 1) / this.#blocksPerPage);
    let room = this.#pagesMax - this.#pages;
    if (room > lastPage - firstPage) return undefined;
    for (let index = firstPage; index <= lastPage; index++) {
      if (this.#pageAt(index) !== undefined) continue;
      if (room === 0) return fail({ kind: 'noSpace', lba: Math.max(lba, index * this.#blocksPerPage) });
      room -= 1;
    }
    return undefined;
  }

  #pageAt(index: number): Page | undefined {
    return this.#leaves[Math.floor(index / LEAF_PAGES)]?.[index % LEAF_PAGES];
  }

  /** The page at `pageOffset`, ready to be overwritten where it overlaps the extent; those blocks become mapped. */
  #pageToWrite(pageOffset: number, offset: number, length: number): Page {
    const index = pageOffset / PAGE_LENGTH;
    const from = Math.max(0, offset - pageOffset);
    const to = Math.min(PAGE_LENGTH, offset + length - pageOffset);
    let page = this.#pageAt(index);
    if (page === undefined) {
      page = { frame: this.#pool.take(), mapped: new Uint8Array(this.#blocksPerPage), mappedCount: 0 };
      (this.#leaves[Math.floor(index / LEAF_PAGES)] ??= [])[index % LEAF_PAGES] = page;
      this.#pages += 1;
    } else {
      this.#leaveToReaders(page, from, to);
    }
    if (page.mappedCount < this.#blocksPerPage) {
      for (let block = from / this.#blockLength; block < to / this.#blockLength; block++) {
        page.mappedCount += 1 - page.mapped[block]!;
        page.mapped[block] = 1;
      }
    }
    return page;
  }

  /** Copy-on-write. The page's readers bound the memory this takes beyond `memoryMax`. */
  #leaveToReaders(page: Page, from: number, to: number): void {
    const { frame } = page;
    if (frame.loans === 0 || to <= frame.lentFrom || from >= frame.lentTo) return;
    page.frame = this.#pool.take();
    page.frame.bytes.set(frame.bytes);
    this.#pool.drop(frame);
  }

  #readAcross(offset: number, length: number): Loan {
    const frames: Frame[] = [];
    const segments: Uint8Array[] = [];
    for (let position = offset; position < offset + length; ) {
      const start = position % PAGE_LENGTH;
      const end = Math.min(PAGE_LENGTH, start + offset + length - position);
      const frame = this.#pageAt((position - start) / PAGE_LENGTH)?.frame;
      if (frame !== undefined) {
        this.#pool.lend(frame, start, end);
        frames.push(frame);
      }
      segments.push((frame?.bytes ?? ZEROS).subarray(start, end));
      position += end - start;
    }
    return new PagesLoan(this.#pool, frames, segments);
  }

  /** Pages from `index` to the end of its leaf if there is no leaf, else 0. */
  #emptyLeafPages(index: number): number {
    const inLeaf = index % LEAF_PAGES;
    return this.#leaves[(index - inLeaf) / LEAF_PAGES] === undefined ? LEAF_PAGES - inLeaf : 0;
  }

  #unmapInPage(index: number, first: number, last: number): void {
    const page = this.#pageAt(index);
    if (page === undefined) return;
    for (let block = first; block < last; block++) {
      page.mappedCount -= page.mapped[block]!;
      page.mapped[block] = 0;
    }
    if (page.mappedCount === 0) {
      this.#leaves[Math.floor(index / LEAF_PAGES)]![index % LEAF_PAGES] = undefined;
      this.#pages -= 1;
      this.#pool.drop(page.frame);
      return;
    }
    this.#leaveToReaders(page, first * this.#blockLength, last * this.#blockLength);
    page.frame.bytes.fill(0, first * this.#blockLength, last * this.#blockLength);
  }

  /** Whether `block` is mapped, and up to where (at least one block further) that is known to stay so. */
  #stateAt(block: number): { readonly mapped: boolean; readonly end: number } {
    const inPage = block % this.#blocksPerPage;
    const index = (block - inPage) / this.#blocksPerPage;
    const pageStart = block - inPage;
    const empty = this.#emptyLeafPages(index);
    if (empty > 0) return { mapped: false, end: pageStart + empty * this.#blocksPerPage };
    const page = this.#pageAt(index);
    if (page === undefined) return { mapped: false, end: pageStart + this.#blocksPerPage };
    if (page.mappedCount === this.#blocksPerPage)
      return { mapped: true, end: pageStart + this.#blocksPerPage };
    return { mapped: page.mapped[inPage] === 1, end: block + 1 };
  }
}

/** The usual loan: within one page. */
class PageLoan implements Loan {
  readonly segments: readonly Uint8Array[];
  readonly #pool: PagePool;
  #frame: Frame | undefined;
  #released = false;

  constructor(pool: PagePool, frame: Frame | undefined, view: Uint8Array) {
    this.segments = [view];
    this.#pool = pool;
    this.#frame = frame;
  }

  release(): void {
    assert(!this.#released, 'a loan is released once');
    this.#released = true;
    if (this.#frame !== undefined) this.#pool.release(this.#frame);
  }
}

class PagesLoan implements Loan {
  readonly segments: readonly Uint8Array[];
  readonly #pool: PagePool;
  readonly #frames: readonly Frame[];
  #released = false;

  constructor(pool: PagePool, frames: readonly Frame[], segments: readonly Uint8Array[]) {
    this.segments = segments;
    this.#pool = pool;
    this.#frames = frames;
  }

  release(): void {
    assert(!this.#released, 'a loan is released once');
    this.#released = true;
    for (const frame of this.#frames) this.#pool.release(frame);
  }
}
