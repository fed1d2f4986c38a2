/**
 * A split brain, as one of its sides: what this copy may hold that the others do not have, and how that is given to somebody who
 * keeps it, chunk by chunk, before anything of it is overwritten.
 *
 * Invariant: `hasKept` is told only of a copy that has stood down and of which every such chunk is kept; the next configuration
 * that it accepts ends that.
 */

import type { History } from '../../cluster/history.ts';
import type { Membership } from '../../cluster/membership.ts';
import type { Role } from '../../cluster/messages.ts';
import type { DirtyMap } from '../../journal/dirty-map.ts';
import type { BlockDevice } from '../../ports/block-device.ts';
import { chunkExtent } from '../../replication/chunks.ts';
import type { Handover } from './handover.ts';

/** Takes what would be lost. */
export interface Keeper {
  /** `chunk`: its number, from the first of the device on, in steps of 64 KiB. False: it could not. */
  keep(chunk: number, data: readonly Uint8Array[]): Promise<boolean>;
  /** Of all these; durable when it answers true. */
  finish(chunks: readonly number[]): Promise<boolean>;
}

/** What this copy is of. Plain data. */
export interface Side {
  readonly role: Role;
  /** What the copy has lived through, oldest first: who has stopped has accepted the epoch of the other side, and not lived it. */
  readonly history: History;
  /** Chunks of 64 KiB that it may have changed without the others. */
  readonly chunks: number;
  /** Why every chunk counts; undefined: it is known which. */
  readonly full: string | undefined;
}

export interface DivergenceParts {
  readonly membership: () => Membership<Handover>;
  readonly copy: Pick<BlockDevice, 'geometry' | 'read'>;
  readonly history: () => History;
  /** What this copy may hold alone. */
  readonly suspects: () => { readonly map: DirtyMap; readonly full: string | undefined };
  readonly isOver: () => boolean;
}

export class Divergence {
  hasKept = false;
  readonly #parts: DivergenceParts;

  constructor(parts: DivergenceParts) {
    this.#parts = parts;
  }

  get side(): Side {
    const { membership, history, suspects } = this.#parts;
    const { role } = membership();
    const { map, full } = suspects();
    const chunks = full === undefined ? map.count : map.chunkCount;
    return { role, history: history(), chunks, full };
  }

  /**
   * On a side that is not going to be chosen: gives every chunk that this copy may hold alone to `keeper`, so that it can be
   * overwritten. Answers with the numbers of the chunks (64 KiB each), or undefined if this copy has not stood down, could not
   * be read or was not kept.
   */
  async keep(keeper: Keeper): Promise<readonly number[] | undefined> {
    const { membership, copy, suspects, isOver } = this.#parts;
    if (membership().role !== 'diverged') return undefined;
    const { map, full } = suspects();
    if (full !== undefined) map.markAll();
    const chunks = await keepChunks(copy, map, keeper);
    this.hasKept = chunks !== undefined && !isOver() && membership().role === 'diverged';
    return this.hasKept ? chunks : undefined;
  }
}

/** The numbers of all chunks in `map`; undefined: one could not be read, or was not kept. */
async function keepChunks(
  store: Pick<BlockDevice, 'geometry' | 'read'>,
  map: DirtyMap,
  keeper: Keeper,
): Promise<readonly number[] | undefined> {
  const chunks: number[] = [];
  for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) chunks.push(chunk);
  for (const chunk of chunks) {
    const { lba, blocks } = chunkExtent(store.geometry, chunk);
    // oxlint-disable-next-line no-await-in-loop -- one after the other: there may be many
    const read = await store.read(lba, blocks);
    if (!read.ok) return undefined;
    // oxlint-disable-next-line no-await-in-loop
    const isKept = await keeper.keep(chunk, read.value.segments).finally(() => read.value.release());
    if (!isKept) return undefined;
  }
  return (await keeper.finish(chunks)) ? chunks : undefined;
}
