/**
 * A disk in memory whose power can be cut at any write: what was flushed is kept, and of what was written since, `fate`
 * chooses, sector by sector, in any order. Answers at once, so that every run is the same run; from the cut on, never.
 */

import { DONE, fail, type MaybeAsync, ok, type Result } from '../../base/result.ts';
import { copyTo, lengthOf } from '../../base/segments.ts';
import type { Loan } from '../../ports/block-device.ts';
import type { Disk, DiskFault, GrowFault } from '../../ports/disk.ts';

const SECTOR = 512;

/** The answer to the call during which the power goes, and to every one after it. */
const NEVER = new Promise<never>(() => {});

export class CutDisk implements Disk {
  readonly name = 'cut';
  readonly readOnly = false;
  readonly punchGranularity = 0;
  readonly physicalSectorLength = SECTOR;
  /** What reads see. */
  bytes: Uint8Array;
  /** What a power cut leaves of it at least. */
  durable: Uint8Array;
  /** Writes and flushes so far. */
  calls = 0;
  /** The call in which the power goes, the write of that call included in what may arrive. */
  cutAt = Number.POSITIVE_INFINITY;
  /** The call that fails with EIO. */
  failAt = Number.POSITIVE_INFINITY;
  /** Offsets of sectors that cannot be read. */
  readonly unreadable = new Set<number>();
  readonly #dirty = new Set<number>();
  /** Answers when the power is gone. */
  readonly cut: Promise<'cut'>;
  #goes: (how: 'cut') => void = () => {};

  constructor(content: number | Uint8Array) {
    this.bytes = typeof content === 'number' ? new Uint8Array(content) : content.slice();
    this.durable = this.bytes.slice();
    this.cut = new Promise((goes) => {
      this.#goes = goes;
    });
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Durable at once, or not at all. */
  grow(from: number, length: number): Promise<Result<void, GrowFault>> {
    this.calls += 1;
    if (this.calls > this.cutAt) return NEVER;
    if (this.calls === this.failAt) return Promise.resolve(fail({ kind: 'noSpace', offset: from }));
    const longest = Math.max(length, this.length);
    for (const key of ['bytes', 'durable'] as const) {
      const grown = new Uint8Array(longest);
      grown.set(this[key].subarray(0, from));
      this[key] = grown;
    }
    return this.calls === this.cutAt ? this.#powerGoes() : Promise.resolve(DONE);
  }

  /** The disk after a power cut: `arrives` decides for each sector that was written and not flushed. */
  afterCut(arrives: (sector: number) => boolean): CutDisk {
    const left = this.durable.slice();
    for (const sector of this.#dirty) {
      const at = sector * SECTOR;
      if (arrives(sector)) left.set(this.bytes.subarray(at, at + SECTOR), at);
    }
    return new CutDisk(left);
  }

  read(offset: number, length: number): Result<Loan, DiskFault> {
    for (const bad of this.unreadable)
      if (bad < offset + length && offset < bad + SECTOR)
        return fail({ kind: 'ioError', operation: 'read', offset: bad, cause: 'EIO' });
    return ok({ segments: [this.bytes.slice(offset, offset + length)], release: () => {} });
  }

  write(offset: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DiskFault>> {
    this.calls += 1;
    if (this.calls > this.cutAt) return NEVER;
    if (this.calls === this.failAt)
      return fail({ kind: 'ioError', operation: 'write', offset, cause: 'EIO' });
    const whole = new Uint8Array(lengthOf(data));
    copyTo(data, whole, 0);
    this.bytes.set(whole, offset);
    const last = Math.floor((offset + whole.length - 1) / SECTOR);
    for (let sector = Math.floor(offset / SECTOR); sector <= last; sector++) this.#dirty.add(sector);
    return this.calls === this.cutAt ? this.#powerGoes() : DONE;
  }

  flush(): MaybeAsync<Result<void, DiskFault>> {
    this.calls += 1;
    if (this.calls > this.cutAt) return NEVER;
    if (this.calls === this.failAt)
      return fail({ kind: 'ioError', operation: 'flush', offset: 0, cause: 'EIO' });
    if (this.calls === this.cutAt) return this.#powerGoes();
    this.durable.set(this.bytes);
    this.#dirty.clear();
    return DONE;
  }

  punch(): Result<void, DiskFault> {
    return DONE;
  }

  extentAt(): Result<{ readonly data: boolean; readonly end: number }, DiskFault> {
    return ok({ data: true, end: this.length });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #powerGoes(): Promise<never> {
    this.#goes('cut');
    return NEVER;
  }
}

/** Ways in which the sectors of an unfinished write arrive: none, all, the first, the last, every other, by chance. */
export function fates(chance: () => boolean): ((sector: number) => boolean)[] {
  let first = true;
  let seen = 0;
  return [
    () => false,
    () => true,
    () => {
      const was = first;
      first = false;
      return was;
    },
    () => {
      seen += 1;
      return seen > 1;
    },
    (sector) => sector % 2 === 0,
    (sector) => sector % 2 === 1,
    chance,
    chance,
  ];
}
