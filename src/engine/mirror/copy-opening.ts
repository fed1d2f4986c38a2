/** What lies on the disks of a copy, read when its node begins: its records, its journal and what both prove. */

import { SUPERBLOCK_FILE_LENGTH } from '../../cluster/superblock.ts';
import { Journal, type JournalOptions } from '../../journal/journal.ts';
import { CopyKnowledge } from './copy-knowledge.ts';
import { CopyRecords } from './copy-records.ts';
import { PARTNERS_MAX } from '../../journal/map-places.ts';
import type { MirrorOptions } from './mirror-options.ts';

export interface OpenedCopy {
  readonly records: CopyRecords;
  readonly journal: Journal;
  readonly knowledge: CopyKnowledge;
  /** Nodes that have a copy of the device or are to get one, as this node knows. */
  readonly replicas: () => readonly number[];
}

/** Undefined: nothing may be touched, for a later program has written here, or it cannot be read, or the medium is shorter. */
export async function openCopy(options: MirrorOptions): Promise<OpenedCopy | undefined> {
  const { store, device, self, site, records: disk } = options;
  const { blockLength } = store.geometry;
  const identity = {
    device,
    node: self,
    copy: options.copyId,
    blockLength,
    blockCount: options.blockCount ?? store.geometry.blockCount,
    writePolicy: options.policy,
    journal: options.journal,
  };
  const records = new CopyRecords(disk, 0, identity, options.ports.clock);
  if (!(await records.load())) return undefined;
  const { blockCount } = records;
  const replicas = (): readonly number[] => records.standing.accepted.replicas ?? site.nodes;
  if (blockCount > store.geometry.blockCount) return undefined;
  const journalOptions: JournalOptions = {
    strategy: options.journal,
    device,
    blockCount,
    blockLength,
    slotCount: options.slotCount,
    // Who has no copy may know of one more than it has places for.
    partners: replicas()
      .filter((node) => node !== self)
      .toSorted((a, b) => a - b)
      .slice(0, PARTNERS_MAX),
    disk,
    offset: SUPERBLOCK_FILE_LENGTH,
  };
  const journal = new Journal(journalOptions);
  const found = await journal.load(records.isJournalTrusted);
  const knowledge = new CopyKnowledge({ self, replicas, records, journal, found, journalOptions });
  return { records, journal, knowledge, replicas };
}
