/**
 * Two copies of the superblock, written in turn, each in a slot of 256 KiB: the page, then the reservations.
 *
 *   0            4096                        256 KiB      512 KiB
 *   page (copy 0) reservations of copy 0      copy 1
 *
 * Rules
 *  1. A copy counts when its page and what is attached to it check out; of two the one with the higher sequence.
 *  2. A save goes into the slot that does not count, and counts when its flush answered. A crash leaves either.
 *  3. With no copy that counts, the node never serves from this disk: it rejoins as an empty learner. Two blank slots
 *     are a new disk, which is something else.
 *  4. A slot that cannot be read may be the one that counts: nothing is known then, and nothing is written.
 *  5. One save at a time; a save that failed leaves the file given up.
 */

import { assert } from '../base/assert.ts';
import { crc32c } from '../base/crc32c.ts';
import { DONE, fail, ok, type Result } from '../base/result.ts';
import { copyTo, isZero, lengthOf } from '../base/segments.ts';
import type { Disk, DiskFault } from '../ports/disk.ts';
import {
  ATTACHMENT_MAX,
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  SUPERBLOCK_LENGTH,
} from './superblock-format.ts';

const SLOT_LENGTH = SUPERBLOCK_LENGTH + ATTACHMENT_MAX;
const SLOTS = 2;
export const SUPERBLOCK_FILE_LENGTH = SLOTS * SLOT_LENGTH;

export interface SavedState {
  readonly superblock: Superblock;
  /** The record of the reservations, opaque here. */
  readonly reservations: Uint8Array;
}

export type LoadedSuperblock =
  | { readonly kind: 'found'; readonly state: SavedState; readonly otherCopy: 'older' | 'blank' | 'damaged' }
  | { readonly kind: 'blank' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'unreadable'; readonly fault: DiskFault }
  | { readonly kind: 'newerVersion'; readonly version: number };

type Slot =
  | { readonly kind: 'found'; readonly state: SavedState; readonly sequence: number }
  | { readonly kind: 'blank' }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'unreadable'; readonly fault: DiskFault }
  | { readonly kind: 'newerVersion'; readonly version: number };

export class SuperblockFile {
  readonly #disk: Disk;
  readonly #offset: number;
  #sequence = 0;
  /** The slot that does not count. */
  #next = 0;
  #isSaving = false;
  #fault: DiskFault | undefined;
  #loaded = false;

  constructor(disk: Disk, offset: number) {
    this.#disk = disk;
    this.#offset = offset;
  }

  /** Of the copy that counts; grows with every save. */
  get sequence(): number {
    return this.#sequence;
  }

  async load(): Promise<LoadedSuperblock> {
    const slots = [await this.#readSlot(0), await this.#readSlot(1)] as const;
    for (const slot of slots) if (slot.kind === 'unreadable' || slot.kind === 'newerVersion') return slot;
    this.#loaded = true;
    const sequences = slots.map((slot) => (slot.kind === 'found' ? slot.sequence : -1));
    const best = sequences[1]! > sequences[0]! ? 1 : 0;
    const counts = slots[best]!;
    if (counts.kind !== 'found') {
      const isBlank = slots.every(({ kind }) => kind === 'blank');
      return { kind: isBlank ? 'blank' : 'damaged' };
    }
    this.#sequence = counts.sequence;
    this.#next = 1 - best;
    const { kind } = slots[1 - best]!;
    const otherCopy = kind === 'found' ? 'older' : kind === 'blank' ? 'blank' : 'damaged';
    return { kind: 'found', state: counts.state, otherCopy };
  }

  /** Durable when it answers. */
  async save(state: SavedState): Promise<Result<void, DiskFault>> {
    assert(this.#loaded && !this.#isSaving, 'one save at a time, after a load');
    assert(state.reservations.length <= ATTACHMENT_MAX, 'the reservations fit');
    if (this.#fault !== undefined) return fail(this.#fault);
    this.#isSaving = true;
    const saved = await this.#write(state);
    this.#isSaving = false;
    if (!saved.ok) this.#fault = saved.fault;
    return saved;
  }

  async #write({ superblock, reservations }: SavedState): Promise<Result<void, DiskFault>> {
    const page = encodeSuperblock({
      superblock,
      sequence: this.#sequence + 1,
      attachmentLength: reservations.length,
      attachmentChecksum: crc32c(reservations, 0),
    });
    const written = await this.#disk.write(this.#offset + this.#next * SLOT_LENGTH, [page, reservations]);
    if (!written.ok) return written;
    const flushed = await this.#disk.flush();
    if (!flushed.ok) return flushed;
    this.#sequence += 1;
    this.#next = 1 - this.#next;
    return DONE;
  }

  async #readSlot(slot: number): Promise<Slot> {
    const start = this.#offset + slot * SLOT_LENGTH;
    const bytes = await this.#read(start, SUPERBLOCK_LENGTH);
    if (!bytes.ok) return { kind: 'unreadable', fault: bytes.fault };
    if (isZero(bytes.value)) return { kind: 'blank' };
    const page = decodeSuperblock(bytes.value);
    if (!page.ok) return page.fault;
    const { superblock, sequence, attachmentLength, attachmentChecksum } = page.value;
    if (attachmentLength > ATTACHMENT_MAX) return { kind: 'damaged' };
    const attached =
      attachmentLength === 0
        ? ok(new Uint8Array(0))
        : await this.#read(start + SUPERBLOCK_LENGTH, attachmentLength);
    if (!attached.ok) return { kind: 'unreadable', fault: attached.fault };
    if (crc32c(attached.value, 0) !== attachmentChecksum) return { kind: 'damaged' };
    return { kind: 'found', state: { superblock, reservations: attached.value }, sequence };
  }

  async #read(offset: number, length: number): Promise<Result<Uint8Array, DiskFault>> {
    const read = await this.#disk.read(offset, length);
    if (!read.ok) return read;
    const bytes = new Uint8Array(lengthOf(read.value.segments));
    copyTo(read.value.segments, bytes, 0);
    read.value.release();
    return ok(bytes);
  }
}
