/**
 * A disk in memory that behaves as badly as the port allows: answers late and in another order, writes in two halves
 * with a pause between, fails where it is told, forgets at a crash what was not flushed.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { DONE, fail, ok, type Result } from '../../src/base/result.ts';
import { copyTo, lengthOf } from '../../src/base/segments.ts';
import type { Loan } from '../../src/ports/block-device.ts';
import type { Disk, DiskFault, GrowFault } from '../../src/ports/disk.ts';

export const GRANULE = 4096;

export class MemoryDisk implements Disk {
  readonly name = 'memory';
  readOnly = false;
  punchGranularity = GRANULE;
  physicalSectorLength = 4096;
  /** What a power loss leaves behind. */
  durable: Uint8Array;
  bytes: Uint8Array;
  readonly present: boolean[];
  flushes = 0;
  reads = 0;
  /** Offsets of bytes that cannot be read or written. */
  readonly badRead = new Set<number>();
  readonly badWrite = new Set<number>();
  /** Granules that may still be taken. */
  room = Number.POSITIVE_INFINITY;
  flushFails = false;
  /** Loop turns an operation takes. */
  delay: () => number = () => 1;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.durable = new Uint8Array(length);
    this.present = Array.from({ length: Math.ceil(length / GRANULE) }, () => false);
  }

  get length(): number {
    return this.bytes.length;
  }

  async grow(from: number, length: number): Promise<Result<void, GrowFault>> {
    await this.#wait();
    if (this.room === 0) return fail({ kind: 'noSpace', offset: from });
    const longest = Math.max(length, this.length);
    for (const key of ['bytes', 'durable'] as const) {
      const grown = new Uint8Array(longest);
      grown.set(this[key].subarray(0, from));
      this[key] = grown;
    }
    this.present.length = Math.ceil(from / GRANULE);
    while (this.present.length < Math.ceil(longest / GRANULE)) this.present.push(false);
    return DONE;
  }

  async read(offset: number, length: number): Promise<Result<Loan, DiskFault>> {
    this.reads += 1;
    const copy = new Uint8Array(length);
    const half = length >> 1;
    copy.set(this.bytes.subarray(offset, offset + half));
    await this.#wait();
    copy.set(this.bytes.subarray(offset + half, offset + length), half);
    if (hits(this.badRead, offset, length))
      return fail({ kind: 'ioError', operation: 'read', offset, cause: 'EIO' });
    return ok({ segments: [copy], release: () => copy.fill(0xdd) });
  }

  async write(offset: number, data: readonly Uint8Array[]): Promise<Result<void, DiskFault>> {
    const whole = new Uint8Array(lengthOf(data));
    copyTo(data, whole, 0);
    const first = Math.floor(offset / GRANULE);
    const last = Math.floor((offset + whole.length - 1) / GRANULE);
    if (hits(this.badWrite, offset, whole.length))
      return fail({ kind: 'ioError', operation: 'write', offset, cause: 'EIO' });
    for (let granule = first; granule <= last; granule++) {
      if (this.present[granule]) continue;
      if (this.room === 0) return fail({ kind: 'noSpace', offset: Math.max(offset, granule * GRANULE) });
      this.room -= 1;
      this.present[granule] = true;
    }
    const half = whole.length >> 1;
    this.bytes.set(whole.subarray(0, half), offset);
    await this.#wait();
    copyTo(data, whole, 0);
    this.bytes.set(whole.subarray(half), offset + half);
    return DONE;
  }

  async flush(): Promise<Result<void, DiskFault>> {
    this.flushes += 1;
    const image = this.bytes.slice();
    await this.#wait();
    if (this.flushFails) return fail({ kind: 'ioError', operation: 'flush', offset: 0, cause: 'EIO' });
    this.durable.set(image);
    return DONE;
  }

  async punch(offset: number, length: number): Promise<Result<void, DiskFault>> {
    await this.#wait();
    this.bytes.fill(0, offset, offset + length);
    for (let at = Math.ceil(offset / GRANULE); (at + 1) * GRANULE <= offset + length; at++) {
      if (this.present[at]) this.room += 1;
      this.present[at] = false;
    }
    return DONE;
  }

  async extentAt(
    offset: number,
  ): Promise<Result<{ readonly data: boolean; readonly end: number }, DiskFault>> {
    await this.#wait();
    const data = this.present[Math.floor(offset / GRANULE)]!;
    let at = Math.floor(offset / GRANULE);
    while (at < this.present.length && this.present[at] === data) at += 1;
    return ok({ data, end: Math.min(at * GRANULE, this.length) });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #wait(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- that is the delay
    for (let turns = this.delay(); turns > 0; turns--) await turn();
  }
}

function hits(offsets: ReadonlySet<number>, offset: number, length: number): boolean {
  for (const bad of offsets) if (bad >= offset && bad < offset + length) return true;
  return false;
}
