/**
 * What a copy keeps of itself: the superblock with its documents. One save at a time; who asks while one is under way
 * gets the next, which holds everything that was changed until then.
 */

import { assert } from '../../base/assert.ts';
import type { Result } from '../../base/result.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import { type History, withDataWritten, withEpoch } from '../../cluster/history.ts';
import { NO_STANDING, type Standing } from '../../cluster/ports.ts';
import { SuperblockFile } from '../../cluster/superblock.ts';
import type { Shutdown, Superblock, WritePolicy } from '../../cluster/superblock-format.ts';
import type { JournalStrategy } from '../../journal/recovery.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Disk, DiskFault } from '../../ports/disk.ts';
import { decodeDocuments, encodeDocuments } from './documents.ts';
import type { KeptDocument } from './handover.ts';
import { sizeDocument, sizeIn } from './size.ts';

export interface CopyIdentity {
  readonly device: Uuid;
  readonly node: number;
  readonly copy: Uuid;
  readonly blockLength: number;
  /** As the device is made; the record that is found says more. */
  readonly blockCount: number;
  readonly writePolicy: WritePolicy;
  readonly journal: JournalStrategy;
}

export class CopyRecords {
  standing: Standing = NO_STANDING;
  history: History = [];
  documents: readonly KeptDocument[] = [];
  /** Blocks of the device as this copy serves it; where its journal lies depends on it. */
  blockCount: number;
  installedTerm = 0;
  /** The last accepted term that included this copy. */
  copyTerm = 0;
  /** No record, or none that counts. */
  isBlank = true;
  /** Of the record that was found: how the process before ended. */
  found: Shutdown = 'none';
  readonly #file: SuperblockFile;
  readonly #identity: CopyIdentity;
  readonly #clock: Clock;
  #savingSince: number | undefined;
  /** This process has accepted a configuration with this copy. */
  #takesPart = false;
  /** As it was found. */
  #copySequence = 0;
  /** As it is saved; until a configuration is accepted that stays as it was found. */
  shutdown: Shutdown = 'none';
  /** False: the journal's records are being replaced by others, or that has failed. */
  isJournalTrusted = true;
  #saving: Promise<Result<void, DiskFault>> | undefined;
  #next: Promise<Result<void, DiskFault>> | undefined;

  constructor(disk: Disk, offset: number, identity: CopyIdentity, clock: Clock) {
    this.#file = new SuperblockFile(disk, offset);
    this.#identity = identity;
    this.#clock = clock;
    this.blockCount = identity.blockCount;
  }

  get wasStopped(): boolean {
    return this.found === 'inOrder';
  }

  /** Grows with every save: a disk that was put back in time shows itself by it. */
  get sequence(): number {
    return this.#file.sequence;
  }

  /**
   * Of the last save by a process that had accepted a configuration with this copy: how old the data is. An old disk is
   * saved to as well, when others ask it for a promise or go on without it; that makes its data no younger.
   */
  get copySequence(): number {
    return this.#takesPart ? this.sequence : this.#copySequence;
  }

  /** When the save under way began, by the clock of this node. */
  get savingSince(): number | undefined {
    return this.#savingSince;
  }

  /** False: a later program has written here, or they cannot be read; nothing may be touched. */
  async load(): Promise<boolean> {
    const loaded = await this.#file.load();
    if (loaded.kind === 'newerVersion' || loaded.kind === 'unreadable') return false;
    if (loaded.kind !== 'found') return true;
    const { superblock, reservations } = loaded.state;
    const documents = decodeDocuments(reservations);
    if (superblock.device !== this.#identity.device || documents === undefined) return true;
    const { promisedTerm, accepted, bound, dataState, history, installedTerm, copyTerm, hasCopy, shutdown } =
      superblock;
    const [isOut, isDiverged] = [dataState === 'stale', dataState === 'diverged'];
    this.standing = { promised: promisedTerm, accepted, bound, isOut, isDiverged };
    this.history = history;
    this.installedTerm = installedTerm;
    this.blockCount = superblock.blockCount;
    const isSized = !hasCopy || sizeIn(documents) !== undefined;
    this.documents = isSized ? documents : [...documents, sizeDocument(superblock.blockCount)];
    this.found = shutdown;
    this.shutdown = shutdown;
    this.isJournalTrusted = superblock.journal.isTrusted;
    this.isBlank = !hasCopy;
    this.copyTerm = copyTerm;
    this.#copySequence = superblock.copySequence || this.#file.sequence;
    return true;
  }

  /** A new copy that is equal to those of all others in `first`, as if all had been stopped in order. Durable. */
  create(first: Configuration): Promise<Result<void, DiskFault>> {
    this.standing = {
      promised: first.term,
      accepted: first,
      bound: first.members,
      isOut: false,
      isDiverged: false,
    };
    this.copyTerm = first.term;
    this.#takesPart = true;
    this.installedTerm = first.term;
    this.isBlank = false;
    return this.stop();
  }

  /** Durable when it answers. */
  save(): Promise<Result<void, DiskFault>> {
    if (this.#saving === undefined) {
      this.#savingSince = this.#clock.now();
      this.#saving = this.#write().finally(() => {
        this.#saving = undefined;
        this.#savingSince = undefined;
      });
      return this.#saving;
    }
    this.#next ??= this.#saving.then(() => {
      this.#next = undefined;
      return this.save();
    });
    return this.#next;
  }

  /** No save is under way. */
  async settled(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- each leads to the next
    while (this.#saving !== undefined) await this.#saving;
  }

  setDocument(document: KeptDocument): void {
    this.documents = [...this.documents.filter(({ name }) => name !== document.name), document];
  }

  /** All members and learners of an epoch know of it before anyone writes in it. */
  acceptEpoch({ term, id, members }: Configuration): void {
    this.#takesPart = true;
    if (this.history.at(-1)?.id === id) return;
    this.history = withEpoch(this.history, { term, id, members, wroteData: false });
  }

  /** The accepted epoch begins; `finished`: with changes of the one before. */
  install(finished: boolean): void {
    this.installedTerm = this.standing.accepted.term;
    if (finished) this.noteWritten();
  }

  /** True if that has to be saved. */
  noteWritten(): boolean {
    const last = this.history.at(-1);
    const { id, term } = this.standing.accepted;
    if (last === undefined || last.id !== id || this.installedTerm !== term || last.wroteData) return false;
    this.history = withDataWritten(this.history);
    return true;
  }

  /** Everything is flushed and nothing will change any more. */
  stop(how: Exclude<Shutdown, 'none'> = 'inOrder'): Promise<Result<void, DiskFault>> {
    this.shutdown = how;
    return this.save();
  }

  #write(): Promise<Result<void, DiskFault>> {
    return this.#file.save({
      superblock: this.#superblock(),
      reservations: encodeDocuments(this.documents),
    });
  }

  #superblock(): Superblock {
    const { device, node, copy, blockLength, writePolicy, journal } = this.#identity;
    const { promised, accepted, bound, isOut, isDiverged } = this.standing;
    assert(promised >= accepted.term, 'what is accepted is promised');
    const isMember = accepted.members.includes(node);
    return {
      device,
      node,
      copy,
      promisedTerm: promised,
      accepted,
      bound,
      installedTerm: this.installedTerm,
      copyTerm: this.copyTerm,
      // Of this save, if it goes well.
      copySequence: this.#takesPart ? this.sequence + 1 : this.#copySequence,
      dataState: isDiverged ? 'diverged' : isOut ? 'stale' : isMember ? 'inSync' : 'inconsistent',
      hasCopy: !this.isBlank,
      shutdown: this.shutdown,
      writePolicy,
      journal: { strategy: journal, isTrusted: this.isJournalTrusted },
      blockLength,
      blockCount: this.blockCount,
      history: this.history,
    };
  }
}
