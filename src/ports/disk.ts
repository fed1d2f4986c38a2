/**
 * The medium beneath a store: a file or a raw block device, addressed in bytes. Production: `runtime/file-disk.ts`;
 * the simulator has one that loses what was not flushed. Not aware of logical blocks.
 */

import type { MaybeAsync, Result } from '../base/result.ts';
import type { Loan } from './block-device.ts';

export type DiskFault =
  | {
      readonly kind: 'ioError';
      readonly operation: 'read' | 'write' | 'flush';
      readonly offset: number;
      readonly cause: string;
    }
  | { readonly kind: 'noSpace'; readonly offset: number };

/** `mediumEnds`: it has so many bytes and cannot be made longer from here. */
export type GrowFault = DiskFault | { readonly kind: 'mediumEnds'; readonly length: number };

export interface Disk {
  /** Name for messages: the path. */
  readonly name: string;
  /** Bytes. Larger after `grow`. */
  readonly length: number;
  readonly readOnly: boolean;
  /** Smallest unit, in bytes, that `punch` gives back; 0 when the medium cannot. */
  readonly punchGranularity: number;
  /** Bytes per physical sector of the medium beneath, 512 or 4096 in practice. */
  readonly physicalSectorLength: number;
  /** Bytes past the end of a sparse file's data read as zeros. A short read inside `length` is an ioError. */
  read(offset: number, length: number): MaybeAsync<Result<Loan, DiskFault>>;
  /** Written, not yet durable. A write that ends early is continued, or is a fault; never half a success. */
  write(offset: number, data: readonly Uint8Array[]): MaybeAsync<Result<void, DiskFault>>;
  /** Everything whose `write` or `punch` answered before this call is on the medium (fdatasync). After a fault
   *  nothing may be assumed of any write since the last good flush (the kernel marks failed pages clean): no later flush
   *  succeeds until the disk is opened again. */
  flush(): MaybeAsync<Result<void, DiskFault>>;
  /** Gives the space back; the range reads as zeros. */
  punch(offset: number, length: number): MaybeAsync<Result<void, DiskFault>>;
  /**
   * Makes the disk at least `length` bytes long, with zeros from `from` on: nobody writes behind `from` meanwhile, and what
   * lies there is given up. `reserve`: the space is taken now. Durable when it answers; after a fault the disk is as long
   * as before, or longer, and whole up to `from`.
   */
  grow(from: number, length: number, reserve: boolean): Promise<Result<void, GrowFault>>;
  /** The end of the run of data or hole that `offset` stands in. */
  extentAt(offset: number): MaybeAsync<Result<{ readonly data: boolean; readonly end: number }, DiskFault>>;
  close(): Promise<void>;
}

/** One that its users keep while it is opened anew. */
export interface ReopenableDisk extends Disk {
  /**
   * Opens the medium again: a flush that failed counts no more, and what is read from now on is what the medium has. For who
   * proves or replaces all that was written since the last good flush, and uses the disk for nothing meanwhile. Answers
   * when everything under way has ended; the fault is a clause for people, and all operations fail until a later call.
   */
  reopen(): Promise<Result<void, string>>;
}
