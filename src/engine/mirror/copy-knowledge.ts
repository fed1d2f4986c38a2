/**
 * What a copy knows when a configuration changes: what is pending on it, where others may differ from it, and where it may
 * hold what nobody else has. While the process runs, from memory; before its first configuration, from the records on
 * disk and what they prove (`journal/recovery.ts`).
 */

import type { Uuid } from '../../base/uuid.ts';
import { includes } from '../../cluster/configuration.ts';
import { EXTENT_LENGTH } from '../../journal/activity-log.ts';
import { CHUNK_LENGTH, DirtyMap } from '../../journal/dirty-map.ts';
import { type FoundRecords, type Journal, type JournalOptions, recoveredMap } from '../../journal/journal.ts';
import type { Ending } from '../../journal/recovery.ts';
import type { Part } from '../../replication/mutation-log.ts';
import type { Replica } from '../../replication/replica.ts';
import type { CopyRecords } from './copy-records.ts';
import type { Difference, Handover } from './handover.ts';

export interface CopyKnowledgeOptions {
  readonly self: number;
  /** Nodes that have a copy of the device or are to get one, as this node knows. */
  readonly replicas: () => readonly number[];
  readonly records: CopyRecords;
  readonly journal: Journal;
  readonly found: FoundRecords;
  readonly journalOptions: JournalOptions;
}

const CHUNKS_PER_EXTENT = EXTENT_LENGTH / CHUNK_LENGTH;

export class CopyKnowledge {
  readonly #options: CopyKnowledgeOptions;

  constructor(options: CopyKnowledgeOptions) {
    this.#options = options;
  }

  /** `hasStarted`: a configuration was accepted since the process began. */
  handover(replica: Replica, hasStarted: boolean): Handover {
    const { self, replicas, records } = this.#options;
    const pending = replica.pending();
    const differences = new Map<number, Difference>();
    for (const node of replicas()) {
      if (node === self) continue;
      const recorded = replica.recorded.get(node) ?? 0;
      differences.set(node, hasStarted ? this.#running(node, recorded) : this.#recovered(node));
    }
    return {
      lamport: replica.lamport,
      history: [],
      pending,
      sequence: records.copySequence,
      copyTerm: records.copyTerm,
      documents: records.documents,
      differences,
      suspects: this.#suspects(pending, differences, hasStarted),
    };
  }

  #running(node: number, recorded: number): Difference {
    const { journal, records } = this.#options;
    const { accepted } = records.standing;
    const map = this.#emptyMap();
    const absent = journal.absentPartners().get(node);
    if (absent !== undefined) map.union(absent.map);
    journal.unflushedOf(node, map);
    const isTogether = includes(accepted, this.#options.self) && includes(accepted, node);
    const since =
      absent === undefined || isTogether ? { ...this.#here(), recorded } : { recorded: 0, ...absent.base };
    const base = { term: since.term, id: since.id };
    return { base, map, sequence: since.recorded, full: undefined, ifStopped: false };
  }

  /** After a restart: what the records on disk prove. */
  #recovered(node: number): Difference {
    const { self, records, found, journalOptions } = this.#options;
    const { accepted } = records.standing;
    const wasWithUs = includes(accepted, self) && accepted.members.includes(node);
    const stored = found.maps.get(node);
    const since = wasWithUs || stored?.kind !== 'readable' ? undefined : stored.base;
    const base = since === undefined ? this.#here() : { term: since.baseTerm, id: since.baseId };
    const ending = endingOf(wasWithUs, records.wasStopped);
    const { proof, map } = recoveredMap(journalOptions, found, { partner: node, ending, base });
    const full = proof.kind === 'full' ? proof.reason : undefined;
    return { base, map, sequence: since?.recorded ?? 0, full, ifStopped: ending === 'stopInSync' };
  }

  /** Where this copy may differ from all others: what it has changed without them. */
  divergence(replica: Replica, hasStarted: boolean): Difference {
    return this.handover(replica, hasStarted).suspects!;
  }

  /** Where this copy may hold what nobody else has. */
  #suspects(
    pending: readonly Part[],
    differences: ReadonlyMap<number, Difference>,
    hasStarted: boolean,
  ): Difference {
    const { self, records, found, journalOptions } = this.#options;
    const { accepted, isDiverged } = records.standing;
    const map = this.#emptyMap();
    for (const { operation } of pending)
      if (operation.kind !== 'document') map.mark(operation.lba, operation.blocks);
    let full: string | undefined;
    if (hasStarted) {
      // What it changed while others were absent, if it was a member without them.
      for (const [node, difference] of differences)
        if (!accepted.members.includes(node) || !includes(accepted, self)) map.union(difference.map);
    } else if (journalOptions.strategy === 'continuous' && !records.wasStopped) {
      const { log, areTrusted } = found;
      if (!areTrusted) full = 'recordsNotTrusted';
      else if (log.kind === 'readable') markExtents(map, log.extents);
      else full = 'logUnreadable';
    }
    if (!hasStarted && records.found === 'writtenOut') full = 'stoppedWithChangesUnderWay';
    if (isDiverged)
      for (const difference of differences.values()) {
        map.union(difference.map);
        full ??= difference.full;
      }
    return { base: this.#here(), map, sequence: 0, full, ifStopped: false };
  }

  #here(): { readonly term: number; readonly id: Uuid } {
    const { term, id } = this.#options.records.standing.accepted;
    return { term, id };
  }

  #emptyMap(): DirtyMap {
    return this.#options.journal.emptyMap();
  }
}

function endingOf(wasWithUs: boolean, wasStopped: boolean): Ending {
  if (wasWithUs) return wasStopped ? 'stopInSync' : 'outageInSync';
  return wasStopped ? 'stopDegraded' : 'outageDegraded';
}

function markExtents(map: DirtyMap, extents: readonly number[]): void {
  for (const extent of extents) {
    const first = extent * CHUNKS_PER_EXTENT;
    if (first < map.chunkCount)
      map.markChunks(first, Math.min(first + CHUNKS_PER_EXTENT, map.chunkCount) - 1);
  }
}
