/**
 * Where the map of each partner lies on disk: behind the log, in places of one length. The maps themselves say whose they are,
 * so that partners come and go while the others keep their places.
 *
 *   offset   log │ place 0 │ place 1 │ place 2
 *
 * Who is named in a place keeps it; who is named in none gets the lowest of those that no partner has, one that cannot be
 * read only when there is no other.
 *
 * Invariants
 *  1. A map is begun when no other place has a record of its partner, and its own none of anybody else.
 *  2. Of two records of one partner none counts: which of them is older is not known.
 *  3. A partner that is added has no record, however often it was one before.
 */

import { assert } from '../base/assert.ts';
import { DONE, type Result } from '../base/result.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Disk, DiskFault, GrowFault } from '../ports/disk.ts';
import { DirtyMap } from './dirty-map.ts';
import { DirtyMapFile, type MapPlace, mapFileLength, type StoredMap, unreadable } from './dirty-map-file.ts';
import { type MapIdentity, NOBODY } from './dirty-map-format.ts';

/** A device has up to four replicas. */
export const PARTNERS_MAX = 3;

export interface MapPlacesOptions {
  readonly device: Uuid;
  readonly blockLength: number;
  readonly disk: Disk;
  /** Of the first place. */
  readonly offset: number;
}

interface Place {
  file: DirtyMapFile;
  partner: number | undefined;
  isReadable: boolean;
  /** No record lies here, or that of its partner. */
  isCleared: boolean;
}

export class MapPlaces {
  readonly #options: MapPlacesOptions;
  readonly #places: readonly Place[];
  #blockCount: number;
  #growing: Promise<unknown> = Promise.resolve();

  constructor(options: MapPlacesOptions, blockCount: number) {
    this.#options = options;
    this.#blockCount = blockCount;
    this.#places = Array.from({ length: PARTNERS_MAX }, (_, index) => ({
      file: new DirtyMapFile(this.#placeAt(index)),
      partner: undefined,
      isReadable: true,
      isCleared: false,
    }));
  }

  /** Finds the places of these partners and reads what their maps say; first of all, once. */
  async load(partners: readonly number[]): Promise<ReadonlyMap<number, StoredMap>> {
    const { device, blockLength } = this.#options;
    const holders: (number | undefined)[] = [];
    for (const [index, place] of this.#places.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- three places
      const holder = this.#isOnDisk(index) ? await place.file.holder(device) : NOBODY;
      place.isReadable = holder !== undefined;
      holders.push(holder);
    }
    const maps = new Map<number, StoredMap>();
    const next = this.#assigned(holders, partners);
    for (const [index, place] of this.#places.entries()) {
      const partner = next[index];
      const holder = holders[index];
      place.partner = partner;
      place.isCleared =
        this.#isOnDisk(index) && place.isReadable && (holder === NOBODY || holder === partner);
      if (partner === undefined) continue;
      // oxlint-disable-next-line no-await-in-loop
      const stored = this.#isOnDisk(index) ? await place.file.load(device, partner) : undefined;
      const isAlone = holders.indexOf(partner) === holders.lastIndexOf(partner);
      const nothing = (): StoredMap => unreadable(new DirtyMap(this.#blockCount, blockLength));
      maps.set(partner, stored !== undefined && isAlone ? stored : nothing());
    }
    return maps;
  }

  /** The map of a partner. */
  fileOf(partner: number): DirtyMapFile {
    const place = this.#places.find((each) => each.partner === partner);
    assert(place !== undefined, 'a partner has a place');
    return place.file;
  }

  /**
   * Room on the disk for the maps of these partners, or those there are, for a device of this size. Durable when it answers;
   * nothing else changes.
   */
  makeRoom(blockCount: number, partners?: readonly number[]): Promise<Result<void, GrowFault>> {
    const { disk, offset, blockLength } = this.#options;
    const now = this.#places.map(({ partner }) => partner);
    const taken = partners === undefined ? now : this.#assigned(now, partners);
    const count = taken.findLastIndex((partner) => partner !== undefined) + 1;
    const length = offset + count * mapFileLength(blockCount, blockLength);
    // One at a time: each begins where the last one has ended.
    const grown = this.#growing.then(() =>
      disk.length >= length ? DONE : disk.grow(disk.length, length, true),
    );
    this.#growing = grown;
    return grown;
  }

  /**
   * Others are partners; there is room for them. Nothing on disk is about one that was not a partner before, or is none any
   * more, when it answers. A crash leaves the records of those who stay as they were.
   */
  setPartners(partners: readonly number[]): Promise<Result<void, DiskFault>> {
    const next = this.#assigned(
      this.#places.map(({ partner }) => partner),
      partners,
    );
    for (const [index, place] of this.#places.entries()) {
      if (next[index] === place.partner) continue;
      // Also when the directory names nobody: pages may lie there of a map whose directory has not arrived.
      place.isCleared = false;
      place.partner = next[index];
    }
    return this.#clear();
  }

  /** Begins the map of a partner anew (`DirtyMapFile.begin`). */
  async begin(identity: MapIdentity, map: DirtyMap): Promise<Result<void, GrowFault>> {
    const room = await this.makeRoom(this.#blockCount);
    if (!room.ok) return room;
    const cleared = await this.#clear();
    return cleared.ok ? this.fileOf(identity.partner).begin(identity, map) : cleared;
  }

  /** The device has another size, and there is room: all maps lie elsewhere, and nothing in them. To be flushed by the caller. */
  async resize(blockCount: number): Promise<Result<void, DiskFault>> {
    this.#blockCount = blockCount;
    for (const [index, place] of this.#places.entries()) {
      place.isCleared = this.#isOnDisk(index);
      if (!place.isCleared) {
        place.file = new DirtyMapFile(this.#placeAt(index));
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- three places
      const moved = await place.file.moveTo(this.#placeAt(index), this.#options.device);
      if (!moved.ok) return moved;
    }
    return DONE;
  }

  /** Removes what is there of others than the partners of each place. */
  async #clear(): Promise<Result<void, DiskFault>> {
    for (const [index, place] of this.#places.entries()) {
      if (place.isCleared || !this.#isOnDisk(index)) continue;
      // oxlint-disable-next-line no-await-in-loop -- three places
      const vacated = await place.file.vacate(this.#options.device);
      if (!vacated.ok) return vacated;
      place.isCleared = true;
      place.isReadable = true;
    }
    return DONE;
  }

  /** By place, the partner that has it: `holders` as before, and who is named in none. */
  #assigned(
    holders: readonly (number | undefined)[],
    partners: readonly number[],
  ): readonly (number | undefined)[] {
    assert(partners.length <= PARTNERS_MAX, 'every partner has a place');
    const next = holders.map((holder, index) =>
      holder !== undefined && partners.includes(holder) && holders.indexOf(holder) === index
        ? holder
        : undefined,
    );
    for (const partner of partners) {
      if (next.includes(partner)) continue;
      const free = [...next.keys()].filter((index) => next[index] === undefined);
      next[free.find((index) => this.#places[index]!.isReadable) ?? free[0]!] = partner;
    }
    return next;
  }

  #placeAt(index: number): MapPlace {
    const { disk, offset, blockLength } = this.#options;
    const blockCount = this.#blockCount;
    return { disk, offset: offset + index * mapFileLength(blockCount, blockLength), blockCount, blockLength };
  }

  #isOnDisk(index: number): boolean {
    const { disk, offset, blockLength } = this.#options;
    return offset + (index + 1) * mapFileLength(this.#blockCount, blockLength) <= disk.length;
  }
}
