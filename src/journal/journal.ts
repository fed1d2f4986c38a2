/**
 * The journal of one replica: what is marked when, and what is durable before a write may be acknowledged.
 *
 *                in sync                       a partner is absent                    clean stop
 *   ram          unflushed maps (memory)       + its map in memory                    maps written
 *   failure      unflushed maps (memory)       + its map begun on disk, log on        maps written, log emptied
 *   continuous   unflushed maps, log on        + its map begun on disk                maps written, log emptied
 *
 * While the log is on, a write waits until its extents are in the log; map pages follow only when an extent is evicted
 * (invariant 2), so that a map costs no write of its own on the path of a write.
 *
 * Invariants
 *  1. Before a write is put on this medium, it is marked in the map of every absent partner.
 *  2. map on disk ∪ extents of the log ⊇ map in memory, for each absent partner, while the log is on.
 *  3. No write is under way while partners leave or return: the core has sealed the device.
 *  4. What is never acknowledged may be marked; what is acknowledged is always marked.
 */

import { assert } from '../base/assert.ts';
import { DONE, isAsync, type MaybeAsync, ok, type Result } from '../base/result.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Disk, DiskFault, GrowFault } from '../ports/disk.ts';
import { ActivityLog, EXTENT_LENGTH } from './activity-log.ts';
import { ActivityLogFile, loadLog, LOG_FILE_LENGTH } from './activity-log-file.ts';
import type { Replay } from './activity-log-replay.ts';
import { CHUNK_LENGTH, DirtyMap } from './dirty-map.ts';
import { mapFileLength, type StoredMap } from './dirty-map-file.ts';
import { MapPlaces } from './map-places.ts';
import { type Ending, type JournalStrategy, type Proof, proofAfter } from './recovery.ts';
import { UnflushedMap } from './unflushed-map.ts';

const CHUNKS_PER_EXTENT = EXTENT_LENGTH / CHUNK_LENGTH;

export interface JournalOptions {
  readonly strategy: JournalStrategy;
  readonly device: Uuid;
  /** When it is opened. */
  readonly blockCount: number;
  readonly blockLength: number;
  /** Slots of the activity log. */
  readonly slotCount: number;
  /** The other data nodes, when it is opened (`setPartners`). */
  readonly partners: readonly number[];
  /** Where all of this lies: the log first, then the maps. */
  readonly disk: Disk;
  readonly offset: number;
}

/** The last epoch of which an absent partner was a member. */
export interface BaseEpoch {
  readonly term: number;
  readonly id: Uuid;
  /** The sequence of the partner's records, as it told last in that epoch; undefined: it has not. */
  readonly recorded?: number;
}

/** What the records on disk said when the journal was opened. */
export interface FoundRecords {
  /** Not, if they were being replaced when the node stopped: the superblock knows. */
  readonly areTrusted: boolean;
  readonly maps: ReadonlyMap<number, StoredMap>;
  readonly log: Replay;
}

export interface AbsentPartner {
  readonly base: BaseEpoch;
  readonly map: DirtyMap;
}

export type WriteEnd = 'durable' | 'cached';

/** Bytes that a journal takes on disk. */
export function journalLength(blockCount: number, blockLength: number, partners: number): number {
  return LOG_FILE_LENGTH + partners * mapFileLength(blockCount, blockLength);
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #places: MapPlaces;
  readonly #absent = new Map<number, AbsentPartner>();
  /** Of those, the ones that receive every write again while the rest is brought up to date. */
  readonly #learning = new Set<number>();
  /** Maps of those that do not: what every write is marked in. */
  #marked: readonly DirtyMap[] = [];
  /** By partner; what this node itself has not on its medium is under `SELF`. */
  readonly #unflushed = new Map<number, UnflushedMap>();
  #log: ActivityLogFile | undefined;
  #logBefore: Replay = { kind: 'absent' };
  #strategy: JournalStrategy;
  #underWay = 0;
  #blockCount: number;

  constructor(options: JournalOptions) {
    const { device, disk, offset, blockCount, blockLength, partners } = options;
    this.#options = options;
    this.#strategy = options.strategy;
    this.#blockCount = blockCount;
    this.#places = new MapPlaces({ device, disk, offset: offset + LOG_FILE_LENGTH, blockLength }, blockCount);
    for (const node of [...partners, SELF])
      this.#unflushed.set(node, new UnflushedMap(blockCount, blockLength));
  }

  /** Reads what is on disk; first of all, once. `areTrusted`: by the superblock. */
  async load(areTrusted: boolean): Promise<FoundRecords> {
    const maps = await this.#places.load(this.#options.partners);
    this.#logBefore = await loadLog(this.#logPlace());
    return { areTrusted, maps, log: this.#logBefore };
  }

  /** A map without anything in it, for the device as it is now. */
  emptyMap(): DirtyMap {
    return new DirtyMap(this.#blockCount, this.#options.blockLength);
  }

  /**
   * Room on the disk for the records of a device of this size, with these partners or those there are; durable when it
   * answers. Nothing else changes.
   */
  makeRoom(blockCount: number, partners?: readonly number[]): Promise<Result<void, GrowFault>> {
    return this.#places.makeRoom(blockCount, partners);
  }

  /**
   * Others are partners, three at most: those who stay keep their places and maps, what was known of one that is removed is
   * forgotten, and of one that is added nothing is known, also if it was a partner before: until `partnerLeft` or `start`
   * begins its map it is unreadable. The device is sealed, and a configuration with other replicas is accepted only
   * afterwards. Durable when it answers. A fault of `grow`: nothing has changed.
   */
  async setPartners(partners: readonly number[]): Promise<Result<void, GrowFault>> {
    assert(this.#underWay === 0, 'the device is sealed while its partners change');
    const room = await this.#places.makeRoom(this.#blockCount, partners);
    if (!room.ok) return room;
    for (const [node, map] of this.#unflushed) {
      assert(!map.underWay, 'no marker is under way while partners change');
      if (node === SELF || partners.includes(node)) continue;
      this.#absent.delete(node);
      this.#learning.delete(node);
      this.#unflushed.delete(node);
    }
    this.#chooseMarked();
    for (const partner of partners)
      if (!this.#unflushed.has(partner))
        this.#unflushed.set(partner, new UnflushedMap(this.#blockCount, this.#options.blockLength));
    return this.#places.setPartners(partners);
  }

  /**
   * The device has another size. Where the records on disk lie depends on it: from here on they do not count before maps
   * are begun again for all who are absent, and it has to be durable already that they do not. Durable when it answers.
   */
  async resize(blockCount: number): Promise<Result<void, GrowFault>> {
    assert(this.#underWay === 0, 'the device is sealed while its size changes');
    const room = await this.makeRoom(blockCount);
    if (!room.ok) return room;
    this.#blockCount = blockCount;
    this.#log?.log.resize(blockCount);
    for (const [partner, { base, map: before }] of this.#absent) {
      const map = this.emptyMap();
      map.union(before);
      this.#absent.set(partner, { base, map });
    }
    this.#chooseMarked();
    for (const [partner, map] of this.#unflushed)
      this.#unflushed.set(partner, map.resized(blockCount, this.#options.blockLength));
    const moved = await this.#places.resize(blockCount);
    return moved.ok ? this.#options.disk.flush() : moved;
  }

  /** False: nothing of what was found on disk is touched by `start`. */
  get replacesRecords(): boolean {
    return this.#strategy !== 'ram';
  }

  /**
   * Goes on with these partners absent, whose maps hold everything that the records proved (`recoveredMap`). From
   * here the former records do not count any more, and it has to be durable already that they do not: maps and log are
   * replaced one after the other, and between them they prove too little. Durable when it answers.
   */
  async start(absent: ReadonlyMap<number, AbsentPartner>): Promise<Result<void, GrowFault>> {
    for (const [partner, { base, map }] of absent) {
      this.#absent.set(partner, { base, map });
      // oxlint-disable-next-line no-await-in-loop -- three partners at most
      const kept = this.#strategy === 'ram' ? DONE : await this.#keepMap(partner);
      if (!kept.ok) return kept;
    }
    this.#chooseMarked();
    return this.#logWanted() ? this.#beginLog() : DONE;
  }

  /** Answers when the write may be put on a medium. Every call that went well is ended by `written`. */
  beforeWrite(lba: number, blocks: number): MaybeAsync<Result<void, DiskFault>> {
    for (const map of this.#marked) map.mark(lba, blocks);
    if (this.#log === undefined) {
      this.#underWay += 1;
      return DONE;
    }
    const admitted = this.#log.admit(lba, blocks);
    if (!isAsync(admitted)) return this.#counted(admitted);
    return admitted.then((result) => this.#counted(result));
  }

  /** The write is on the media of all members (`durable`), or acknowledged by all of them (`cached`). */
  written(lba: number, blocks: number, end: WriteEnd): void {
    this.#underWay -= 1;
    // Also what is durable: a partner's disk may come back as it was some time ago, and is asked how long.
    for (const [partner, map] of this.#unflushed) if (this.#receives(partner)) map.mark(lba, blocks);
    if (end === 'cached') this.#log?.log.settleAtFlush(lba, blocks);
    else this.#log?.settle(lba, blocks);
  }

  /** A flush marker goes to every member that is present, and to this node's own cache. */
  sealUnflushed(): void {
    for (const [partner, map] of this.#unflushed) if (this.#receives(partner)) map.seal();
    this.#log?.log.seal();
  }

  /** The configuration has ended before all confirmed: what the markers covered stays unflushed. */
  abandonUnflushed(): void {
    for (const map of this.#unflushed.values()) map.abandon();
    this.#log?.log.abandon();
  }

  /** One of them, or this node itself (`SELF`), has confirmed it. */
  confirmUnflushed(partner: number): void {
    this.#unflushed.get(partner)?.confirm();
    for (const map of this.#unflushed.values()) if (map.underWay) return;
    this.#log?.confirm();
  }

  /**
   * A partner is out: what it, or this node, may not have on its medium is dirty for it, and so is what was pending and
   * what others know. `base`: the last epoch that included it. Durable when it answers (not for `ram`); only then may the
   * epoch without it be installed.
   */
  async partnerLeft(
    partner: number,
    base: BaseEpoch,
    pending: readonly { readonly lba: number; readonly blocks: number }[],
    known?: DirtyMap,
  ): Promise<Result<void, GrowFault>> {
    assert(this.#underWay === 0, 'the device is sealed while a partner leaves');
    const before = this.#absent.get(partner);
    const map = before?.map ?? this.emptyMap();
    if (known !== undefined) map.union(known);
    this.#absent.set(partner, { base, map });
    this.#learning.delete(partner);
    this.#chooseMarked();
    this.#unflushed.get(partner)?.moveTo(map);
    this.#unflushed.get(SELF)!.copyTo(map);
    for (const { lba, blocks } of pending) map.mark(lba, blocks);
    if (this.#strategy === 'ram') return DONE;
    const kept = await this.#keepMap(partner);
    if (!kept.ok) return kept;
    return this.#log === undefined ? this.#beginLog() : DONE;
  }

  /** From now on every write goes to the partner, too; what its map says is still to be sent. */
  partnerLearns(partner: number): void {
    assert(this.#underWay === 0 && this.#absent.has(partner), 'an absent partner learns, after a seal');
    this.#learning.add(partner);
    this.#chooseMarked();
  }

  /** The partner was proven equal, whatever this node's map of it says, and is a member again. */
  partnerReturned(partner: number): void {
    assert(this.#underWay === 0, 'the device is sealed while a partner returns');
    this.#absent.delete(partner);
    this.#learning.delete(partner);
    this.#chooseMarked();
  }

  /**
   * A log that is not wanted any more ends when nothing is under way in it. Not before it is durable that partners have
   * returned: until then it is this log that tells what they may lack.
   */
  async endLogIfIdle(): Promise<Result<void, DiskFault>> {
    if (this.#logWanted() || this.#log === undefined || !this.#log.log.isIdle) return DONE;
    const emptied = await this.#log.clear();
    if (emptied.ok) {
      this.#logBefore = await loadLog(this.#logPlace());
      this.#log = undefined;
    }
    return emptied;
  }

  /** Absent partners, learning or not, and since which epoch. */
  absentPartners(): ReadonlyMap<number, AbsentPartner> {
    return this.#absent;
  }

  /** What a partner may have in memory only. */
  unflushedOf(partner: number, into: DirtyMap): void {
    this.#unflushed.get(partner)?.copyTo(into);
  }

  /** A crash leaves a record of where this copy was being changed. */
  get hasLog(): boolean {
    return this.#log !== undefined;
  }

  /** What an absent partner lacks; the resync walks it and clears what is durable there. */
  mapOf(partner: number): DirtyMap | undefined {
    return this.#absent.get(partner)?.map;
  }

  /**
   * A resync has brought this to a partner. Until the next marker that it confirms the partner's disk may still come back
   * as it was before, and nothing would show it.
   */
  brought(partner: number, lba: number, blocks: number): void {
    this.#unflushed.get(partner)?.mark(lba, blocks);
  }

  /** Writes a bounded part of what a resync has cleared; true when there is more. */
  saveProgress(partner: number): Promise<Result<boolean, DiskFault>> {
    const absent = this.#absent.get(partner);
    if (absent === undefined || this.#strategy === 'ram') return Promise.resolve(ok(false));
    return this.#places.fileOf(partner).tidy(absent.map);
  }

  /** Everything is flushed and no write is under way: makes every strategy's map durable and empties the log. */
  async stop(): Promise<Result<void, GrowFault>> {
    assert(this.#underWay === 0, 'no write is under way at a clean stop');
    for (const [partner, { map }] of this.#absent) {
      // oxlint-disable-next-line no-await-in-loop -- three partners at most
      const kept = await (this.#strategy === 'ram'
        ? this.#keepMap(partner)
        : this.#places.fileOf(partner).commit(map));
      if (!kept.ok) return kept;
    }
    if (this.#log === undefined) return DONE;
    // What partners have in their caches they write out when they stop, or they have not stopped in order.
    this.#log.log.seal();
    this.#log.confirm();
    return this.#log.clear();
  }

  /** The journal's disk failed, and the superblock says so already: from now on as `ram`. */
  declareLost(): void {
    this.#strategy = 'ram';
    this.#log = undefined;
  }

  #receives(partner: number): boolean {
    return !this.#absent.has(partner) || this.#learning.has(partner);
  }

  #chooseMarked(): void {
    this.#marked = [...this.#absent].filter(([id]) => !this.#learning.has(id)).map(([, { map }]) => map);
  }

  #counted(result: Result<void, DiskFault>): Result<void, DiskFault> {
    if (result.ok) this.#underWay += 1;
    return result;
  }

  #logWanted(): boolean {
    return this.#strategy === 'continuous' || (this.#strategy === 'failure' && this.#absent.size > 0);
  }

  /** Begins the partner's map on disk and writes all of it. */
  #keepMap(partner: number): Promise<Result<void, GrowFault>> {
    const { base, map } = this.#absent.get(partner)!;
    const { device } = this.#options;
    const { term: baseTerm, id: baseId, recorded = 0 } = base;
    return this.#places.begin({ device, partner, baseTerm, baseId, recorded }, map);
  }

  async #beginLog(): Promise<Result<void, DiskFault>> {
    const { blockLength, slotCount } = this.#options;
    const log = new ActivityLog(this.#blockCount, blockLength, slotCount);
    const begun = await ActivityLogFile.begin(log, this.#logPlace(), this.#logBefore, (extents) =>
      this.#coverEvicted(extents),
    );
    if (!begun.ok) return begun;
    this.#log = begun.value;
    return DONE;
  }

  #logPlace(): { disk: Disk; offset: number; device: Uuid } {
    const { device, disk, offset } = this.#options;
    return { disk, offset, device };
  }

  /** Invariant 2: an extent leaves the log after the pages that say what is dirty in it. */
  #coverEvicted(extents: readonly number[]): MaybeAsync<Result<void, DiskFault>> {
    const behind: Promise<Result<void, DiskFault>>[] = [];
    for (const [partner, { map }] of this.#absent)
      if (
        extents.some((extent) => map.isChanged(extent * CHUNKS_PER_EXTENT)) ||
        !this.#places.fileOf(partner).isIdle
      )
        behind.push(this.#places.fileOf(partner).commit(map));
    if (behind.length === 0) return DONE;
    return Promise.all(behind).then((results) => results.find(({ ok: well }) => !well) ?? DONE);
  }
}

/** This node itself among those that have unflushed data; node ids begin at 1. */
export const SELF = 0;

/** The proof about one partner, and the map that goes with it: all of the device when there is none. */
export function recoveredMap(
  options: JournalOptions,
  found: FoundRecords,
  after: { readonly partner: number; readonly ending: Ending; readonly base: BaseEpoch },
): { readonly proof: Proof; readonly map: DirtyMap } {
  const stored = found.maps.get(after.partner);
  const map = new DirtyMap(options.blockCount, options.blockLength);
  const proof = proofAfter(options.strategy, after.ending, {
    areTrusted: found.areTrusted,
    map:
      stored === undefined || stored.kind === 'unreadable' ? 'unreadable' : mapState(stored.base, after.base),
    log: found.log.kind === 'readable' ? 'readable' : 'unreadable',
  });
  if (proof.kind === 'full') map.markAll();
  else {
    if (proof.from.includes('map') && stored !== undefined) map.union(stored.map);
    if (proof.from.includes('log') && found.log.kind === 'readable') markExtents(map, found.log.extents);
  }
  return { proof, map };
}

function mapState(
  found: { readonly baseTerm: number; readonly baseId: Uuid },
  wanted: BaseEpoch,
): 'readable' | 'otherEpoch' {
  return found.baseTerm === wanted.term && found.baseId === wanted.id ? 'readable' : 'otherEpoch';
}

function markExtents(map: DirtyMap, extents: readonly number[]): void {
  for (const extent of extents) {
    const first = extent * CHUNKS_PER_EXTENT;
    // Of a device that is smaller now.
    if (first >= map.chunkCount) continue;
    map.markChunks(first, Math.min(first + CHUNKS_PER_EXTENT, map.chunkCount) - 1);
  }
}
