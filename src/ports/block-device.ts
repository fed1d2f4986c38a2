/**
 * The one spine. File, RAM, thin pool, log-structured store, cache, snapshot and mirror all are a BlockDevice and
 * stack freely; the SCSI device server sees nothing else. Addresses are logical blocks (LBA as `number`: 2^53 blocks
 * is beyond any device). Callers check ranges; a device asserts them.
 *
 * Invariants
 *  1. A block is atomic: a read sees one write's bytes of a block or another's, never a mixture.
 *  2. When `write` answers, every later `read` sees the data. When it answered `durable` (asked for, or because
 *     `writeCache` is `through`), the data is on the medium. `flush` makes everything answered before it durable.
 *  3. `compareAndWrite` is atomic against every other mutation of these blocks.
 *  4. Segments given to a mutation belong to the device until it answers; they are never written to.
 *  5. A loan's bytes do not change before `release`, whatever is written meanwhile.
 *
 * `ticket`: for whom; without one it is done for the node itself, which waits for as long as it takes.
 */

import type { MaybeAsync, Result } from '../base/result.ts';

export type BlockLength = 512 | 4096;

export interface Geometry {
  /** Bytes per logical block. */
  readonly blockLength: BlockLength;
  /** Number of logical blocks. */
  readonly blockCount: number;
  /** log2 of logical blocks per physical block (READ CAPACITY (16), LBPPBE). */
  readonly physicalBlockExponent: number;
  /** Every mutation is refused with `writeProtected`. */
  readonly readOnly: boolean;
  /** Unmapped blocks take no space and read as zeros (LBPME, LBPRZ). */
  readonly thin: boolean;
  /** Smallest extent, in blocks, that `unmap` can give back (SBC-3 OPTIMAL UNMAP GRANULARITY). */
  readonly unmapGranularity: number;
}

export type Durability = 'cached' | 'durable';

/** `back`: `write` may answer before the data is on the medium; `through`: it may not (caching mode page, WCE). */
export type WriteCache = 'back' | 'through';

/** Bytes lent to a reader, in order. `release` exactly once; afterwards the buffers are used for something else. */
export interface Loan {
  readonly segments: readonly Uint8Array[];
  release(): void;
}

/**
 * On whose behalf something is done. A device that is served by several nodes begins nothing for an initiator that may
 * have gone on elsewhere already; others need not look.
 */
export interface Ticket {
  /** When the command arrived, by the node's clock. */
  readonly arrivedAt: number;
  /** False once nobody waits for it any more: the command was aborted, or its session is over. */
  isAlive(): boolean;
}

export interface Extent {
  readonly lba: number;
  readonly blocks: number;
}

/** A run of blocks with one provisioning state (GET LBA STATUS). */
export interface MappedExtent extends Extent {
  readonly mapped: boolean;
}

export type DeviceFault =
  /** The medium could not be read or written at this block. */
  | {
      readonly kind: 'mediumError';
      readonly operation: 'read' | 'write';
      readonly lba: number;
      readonly cause: string;
    }
  /** No space beneath for this block; the device lives on and other blocks still work. For `grow`: for what is new. */
  | { readonly kind: 'noSpace'; readonly lba: number }
  /** COMPARE AND WRITE: first byte that differs, counted from the start of the compared extent. */
  | { readonly kind: 'miscompare'; readonly offset: number }
  | { readonly kind: 'writeProtected' }
  /** A limit is reached; the same command may succeed later (BUSY). */
  | { readonly kind: 'busy' }
  /** This node may not serve the device now. Never a medium error: another path may serve it. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface BlockDevice {
  /** May change while open (resize): read it afresh for each command. */
  readonly geometry: Geometry;
  readonly writeCache: WriteCache;
  /** Changes the policy; to `through` only after everything cached is durable. */
  setWriteCache(mode: WriteCache): MaybeAsync<Result<void, DeviceFault>>;
  read(lba: number, blocks: number, ticket?: Ticket): MaybeAsync<Result<Loan, DeviceFault>>;
  /** `data` is a whole number of blocks in all; single segments may be cut anywhere. */
  write(
    lba: number,
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>>;
  /** Writes `pattern` (one block) to each block. */
  writeSame(
    lba: number,
    blocks: number,
    pattern: Uint8Array,
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>>;
  /** Gives blocks back: they read as zeros afterwards. On a device that is not thin, zeros are written. */
  unmap(
    extents: readonly Extent[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>>;
  /** Writes `data` if the blocks equal `expected`, else `miscompare`; both are the same whole number of blocks. */
  compareAndWrite(
    lba: number,
    expected: readonly Uint8Array[],
    data: readonly Uint8Array[],
    durability: Durability,
    ticket?: Ticket,
  ): MaybeAsync<Result<void, DeviceFault>>;
  flush(ticket?: Ticket): MaybeAsync<Result<void, DeviceFault>>;
  /** Provisioning of the blocks from `lba` on: adjoining runs, at most `runsMax`, within `blocks`. */
  mapping(
    lba: number,
    blocks: number,
    runsMax: number,
  ): MaybeAsync<Result<readonly MappedExtent[], DeviceFault>>;
  /** Finishes what runs, flushes and lets go of what is beneath. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** Why a device has not become larger, as a clause for people that names the medium. */
export interface GrowthFault {
  /** `flushFailed`: what was written before may be lost, too. */
  readonly kind: 'noSpace' | 'mediumEnds' | 'readOnly' | 'failed' | 'flushFailed';
  readonly message: string;
}

/** A device on a medium that can become larger. Smaller it never becomes. */
export interface GrowableDevice extends BlockDevice {
  /**
   * Makes the device `blockCount` blocks long if it is shorter, with zeros from block `from` on, durably: its former end
   * unless told. Nobody uses blocks behind `from` meanwhile. After a fault it is as long as before, or longer.
   */
  grow(blockCount: number, from?: number): Promise<Result<void, GrowthFault>>;
}
