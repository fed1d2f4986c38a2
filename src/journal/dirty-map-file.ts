/**
 * Keeps one dirty map on disk: one write-out at a time, only pages that changed, a bounded number per step, all that
 * asked before a write-out begins share the next one. After a fault the file is given up: what a failed flush left
 * behind is not known (ports/disk.ts), so nothing may be promised by it any more.
 */

import { assert } from '../base/assert.ts';
import { DONE, fail, ok, type Result } from '../base/result.ts';
import { copyTo, lengthOf } from '../base/segments.ts';
import { NO_UUID, type Uuid } from '../base/uuid.ts';
import type { Disk, DiskFault } from '../ports/disk.ts';
import { chunkCountOf, DirtyMap } from './dirty-map.ts';
import {
  addGroup,
  decodeDirectory,
  decodePage,
  DIRECTORY_COPIES,
  encodeDirectory,
  encodePage,
  groupShift,
  hasGroup,
  makeGroups,
  type MapDirectory,
  type MapIdentity,
  NOBODY,
  PAGE_LENGTH,
  pageGeneration,
} from './dirty-map-format.ts';

/** Pages written or read in one step: 256 KiB, so that the journal never keeps the disk from the data for long. */
const PAGES_PER_STEP = 64;

export interface MapPlace {
  readonly disk: Disk;
  readonly offset: number;
  readonly blockCount: number;
  readonly blockLength: number;
}

export type StoredMap =
  /** `damaged`: pages that read as all ones. */
  | {
      readonly kind: 'readable';
      readonly map: DirtyMap;
      readonly base: MapIdentity;
      readonly damaged: number;
    }
  /** There was one, or may have been, and it cannot be told what it said: everything is dirty. */
  | { readonly kind: 'unreadable'; readonly map: DirtyMap };

/** Bytes that a map takes on disk. */
export function mapFileLength(blockCount: number, blockLength: number): number {
  const { pageCount } = new DirtyMap(blockCount, blockLength);
  return (DIRECTORY_COPIES + pageCount) * PAGE_LENGTH;
}

export class DirtyMapFile {
  #place: MapPlace;
  /** And nobody's map has been begun there: nothing is written, and nobody counts on it. */
  #isVacant = false;
  #directory: MapDirectory | undefined;
  /** Highest sequence and generation seen anywhere, so that a new directory always counts. */
  #sequence = 0;
  #fault: DiskFault | undefined;
  #underWay: Promise<Result<void, DiskFault>> | undefined;
  #next: Promise<Result<void, DiskFault>> | undefined;

  constructor(place: MapPlace) {
    this.#place = place;
  }

  /** True if no write-out is under way: all that is not `isChanged` is durable. */
  get isIdle(): boolean {
    return this.#underWay === undefined;
  }

  /**
   * From here on the map lies elsewhere, with nothing in it: what other records lay there is not taken for it. To be flushed
   * by the caller; counts again when it is begun.
   */
  async moveTo(place: MapPlace, device: Uuid): Promise<Result<void, DiskFault>> {
    const free = await this.#vacated();
    if (!free.ok) return free;
    this.#place = place;
    const written = await this.#writeVacant(device);
    return written.ok ? this.#writeVacant(device) : written;
  }

  /**
   * From here on nobody's map lies here, whoever's did; counts again when one is begun. Durable when it answers, in both
   * copies of the directory, so that damage to one does not bring back what was. A crash leaves what was, or nobody's.
   */
  async vacate(device: Uuid): Promise<Result<void, DiskFault>> {
    const free = await this.#vacated();
    if (!free.ok) return free;
    // For the sequences: pages may have come from a map whose directory has not.
    await this.load(device, NOBODY);
    for (let copy = 0; copy < DIRECTORY_COPIES; copy++) {
      // oxlint-disable-next-line no-await-in-loop -- the newer copy is overwritten when the other one is durable
      const written = await this.#writeVacant(device);
      // oxlint-disable-next-line no-await-in-loop
      const done = written.ok ? await this.#flush() : written;
      if (!done.ok) return done;
    }
    return DONE;
  }

  /**
   * Whose map lies here, as far as the directory says; `NOBODY` when there is none of this device and size, undefined when
   * that cannot be read.
   */
  async holder(device: Uuid): Promise<number | undefined> {
    const { blockCount, blockLength } = this.#place;
    const { newest, isReadable } = await this.#newestDirectory();
    if (newest === undefined) return isReadable ? NOBODY : undefined;
    const isOurs = newest.device === device && newest.chunkCount === chunkCountOf(blockCount, blockLength);
    return isOurs ? newest.partner : NOBODY;
  }

  /** What the disk says about this device and partner. Call before anything else; reads every page. */
  async load(device: string, partner: number): Promise<StoredMap> {
    const { blockCount, blockLength } = this.#place;
    const map = new DirtyMap(blockCount, blockLength);
    const directory = await this.#loadDirectory(device, partner, map.chunkCount);
    let outOfDate = directory === undefined;
    let damaged = 0;
    for (let first = 0; first < map.pageCount; first += PAGES_PER_STEP) {
      const count = Math.min(PAGES_PER_STEP, map.pageCount - first);
      // oxlint-disable-next-line no-await-in-loop -- bounded steps
      const pages = await this.#readPages(DIRECTORY_COPIES + first, count);
      for (let i = 0; i < count; i++) {
        const page = pages[i];
        if (page !== undefined) this.#sequence = Math.max(this.#sequence, pageGeneration(page));
        if (directory === undefined) continue;
        const verdict = decodePage(page, first + i, directory, map);
        if (verdict === 'newer') outOfDate = true;
        if (verdict === 'allOnes') damaged += 1;
        else map.pageTaken(first + i);
      }
    }
    if (directory === undefined || outOfDate) return unreadable(map);
    this.#directory = directory;
    return { kind: 'readable', map, base: directory, damaged };
  }

  /**
   * Begins a map against a new base, with all that `map` has; what was on disk no longer counts. Durable when it answers.
   * Whatever of it arrives: the former map as it was, this one, or one that says more.
   */
  async begin(identity: MapIdentity, map: DirtyMap): Promise<Result<void, DiskFault>> {
    while (this.#underWay !== undefined) await this.#underWay;
    if (this.#fault !== undefined) return fail(this.#fault);
    this.#isVacant = false;
    const sequence = this.#sequence + 1;
    const { chunkCount } = map;
    this.#directory = { ...identity, sequence, generation: sequence, chunkCount, groups: makeGroups() };
    for (let chunk = map.next(0); chunk >= 0; chunk = map.nextPage(chunk)) map.pageLost(map.pageOf(chunk));
    return this.#lead(map, true);
  }

  /** Makes every bit durable that is set at this moment. */
  commit(map: DirtyMap): Promise<Result<void, DiskFault>> {
    if (this.#next !== undefined) return this.#next;
    if (this.#underWay !== undefined) {
      this.#next = this.#underWay.then(() => {
        this.#next = undefined;
        return this.#lead(map);
      });
      return this.#next;
    }
    return this.#lead(map);
  }

  /** Writes pages whose record says more than is true, at most one step of them; false when none is left. */
  async tidy(map: DirtyMap): Promise<Result<boolean, DiskFault>> {
    const page = map.nextCleared(0);
    if (page < 0) return ok(false);
    for (let at = page, taken = 0; at >= 0 && taken < PAGES_PER_STEP; at = map.nextCleared(at + 1), taken++)
      if (map.nextChanged(at) === at || hasGroup(this.#known().groups, at >>> groupShift(map.pageCount)))
        map.pageLost(at);
      else map.pageTaken(at);
    const done = await this.commit(map);
    return done.ok ? ok(map.nextCleared(0) >= 0) : done;
  }

  #lead(map: DirtyMap, isNew = false): Promise<Result<void, DiskFault>> {
    const running = this.#writeOut(map, isNew).then((result) => {
      this.#underWay = undefined;
      return result;
    });
    this.#underWay = running;
    return running;
  }

  async #writeOut(map: DirtyMap, isNew: boolean): Promise<Result<void, DiskFault>> {
    if (this.#fault !== undefined) return fail(this.#fault);
    if (this.#isVacant || (map.isWritten && !isNew)) return DONE;
    const directoryChanged = this.#joinGroups(map) || isNew;
    for (let page = map.nextChanged(0); page >= 0; page = map.nextChanged(page)) {
      const run: Uint8Array[] = [];
      const first = page;
      do {
        map.pageTaken(page);
        run.push(encodePage(map, page, this.#known()));
        page += 1;
      } while (run.length < PAGES_PER_STEP && map.nextChanged(page) === page);
      // oxlint-disable-next-line no-await-in-loop -- bounded steps
      const written = await this.#write((DIRECTORY_COPIES + first) * PAGE_LENGTH, run);
      if (!written.ok) return written;
    }
    // In the same flush: a directory that knows a page which did not arrive makes it all ones, and nothing that was
    // promised is lost when the pages arrive and the directory does not.
    if (directoryChanged) {
      const written = await this.#writeDirectory();
      if (!written.ok) return written;
    }
    return this.#flush();
  }

  /** Takes the groups of all changed pages into the directory; a group that is new is written whole. */
  #joinGroups(map: DirtyMap): boolean {
    const shift = groupShift(map.pageCount);
    const { groups } = this.#known();
    let news = false;
    for (let page = map.nextChanged(0); page >= 0; page = map.nextChanged(page + 1)) {
      const group = page >>> shift;
      if (hasGroup(groups, group)) continue;
      addGroup(groups, group);
      news = true;
      const last = Math.min((group + 1) << shift, map.pageCount);
      for (let other = group << shift; other < last; other++) map.pageLost(other);
    }
    return news;
  }

  async #loadDirectory(
    device: string,
    partner: number,
    chunkCount: number,
  ): Promise<MapDirectory | undefined> {
    const { newest } = await this.#newestDirectory();
    if (newest === undefined || newest.device !== device || newest.partner !== partner) return undefined;
    return newest.chunkCount === chunkCount ? newest : undefined;
  }

  /** Not readable: a copy that the disk does not give could be a directory, too. */
  async #newestDirectory(): Promise<{ newest: MapDirectory | undefined; isReadable: boolean }> {
    let newest: MapDirectory | undefined;
    const copies = await this.#readPages(0, DIRECTORY_COPIES);
    for (const bytes of copies) {
      const directory = bytes && decodeDirectory(bytes);
      if (directory === undefined) continue;
      this.#sequence = Math.max(this.#sequence, directory.sequence);
      if (newest === undefined || directory.sequence > newest.sequence) newest = directory;
    }
    return { newest, isReadable: !copies.includes(undefined) };
  }

  /** Nothing is under way, and nothing begins. */
  async #vacated(): Promise<Result<void, DiskFault>> {
    // oxlint-disable-next-line no-await-in-loop -- each may lead to the next
    while (this.#underWay !== undefined) await (this.#next ?? this.#underWay);
    if (this.#fault !== undefined) return fail(this.#fault);
    this.#isVacant = true;
    return DONE;
  }

  /** Into one of the two copies. */
  #writeVacant(device: Uuid): Promise<Result<void, DiskFault>> {
    const { blockCount, blockLength } = this.#place;
    const sequence = this.#sequence + 1;
    const chunkCount = chunkCountOf(blockCount, blockLength);
    const identity = { device, partner: NOBODY, baseTerm: 0, baseId: NO_UUID, recorded: 0 };
    this.#directory = { ...identity, sequence, generation: sequence, chunkCount, groups: makeGroups() };
    return this.#writeDirectory();
  }

  async #readPages(first: number, count: number): Promise<(Uint8Array | undefined)[]> {
    const { disk, offset } = this.#place;
    const all = await disk.read(offset + first * PAGE_LENGTH, count * PAGE_LENGTH);
    const pages: (Uint8Array | undefined)[] = [];
    if (all.ok) {
      const bytes = new Uint8Array(lengthOf(all.value.segments));
      copyTo(all.value.segments, bytes, 0);
      all.value.release();
      for (let i = 0; i < count; i++) pages.push(bytes.subarray(i * PAGE_LENGTH, (i + 1) * PAGE_LENGTH));
      return pages;
    }
    if (count === 1) return [undefined];
    // oxlint-disable-next-line no-await-in-loop -- one page after the other, to lose only the bad one
    for (let i = 0; i < count; i++) pages.push(...(await this.#readPages(first + i, 1)));
    return pages;
  }

  #writeDirectory(): Promise<Result<void, DiskFault>> {
    const sequence = this.#sequence + 1;
    this.#sequence = sequence;
    this.#directory = { ...this.#known(), sequence };
    return this.#write((sequence % DIRECTORY_COPIES) * PAGE_LENGTH, [encodeDirectory(this.#directory)]);
  }

  #known(): MapDirectory {
    assert(this.#directory !== undefined, 'a map is loaded or begun before it is written');
    return this.#directory;
  }

  async #write(offset: number, pages: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    const written = await this.#place.disk.write(this.#place.offset + offset, pages);
    if (!written.ok) this.#fault = written.fault;
    return written;
  }

  async #flush(): Promise<Result<void, DiskFault>> {
    const flushed = await this.#place.disk.flush();
    if (!flushed.ok) this.#fault = flushed.fault;
    return flushed;
  }
}

export function unreadable(map: DirtyMap): StoredMap {
  map.markAll();
  return { kind: 'unreadable', map };
}
