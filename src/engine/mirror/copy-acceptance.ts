/**
 * What an accepted configuration asks of this node's copy, in the order in which it has to become durable, and what
 * begins when it is installed; and what its stop leaves for the next process.
 *
 *   still → (another size: medium) → (first time, another size: superblock without trust in the journal's records) → journal learns who is absent → superblock
 *         → a log that is not wanted ends → what was pending is pending here … installed: serve, or learn
 *
 * Invariants
 *  1. The journal knows who is absent, durably, before the superblock says that a configuration without them was
 *     accepted.
 *  2. Records of the journal are replaced only while the superblock does not trust them, and the log ends only when the
 *     superblock says that nobody lacks what it tells.
 */

import { DONE, fail, type Result } from '../../base/result.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import type { Standing } from '../../cluster/ports.ts';
import type { Proposal } from '../../cluster/messages.ts';
import type { Journal } from '../../journal/journal.ts';
import type { Part } from '../../replication/mutation-log.ts';
import type { WritePolicy } from '../../replication/ports.ts';
import type { Replica } from '../../replication/replica.ts';
import type { CopyRecords } from './copy-records.ts';
import type { DeviceDocuments } from './device-documents.ts';
import { faultText } from './fault-text.ts';
import type { Handover } from './handover.ts';
import type { MirrorOptions } from './mirror-options.ts';
import { resyncSource } from './path-state.ts';
import { sizeIn } from './size.ts';
import type { SizedCopy } from './sized-copy.ts';
import { tellJournal } from './tell-journal.ts';

export interface CopyParts {
  readonly options: MirrorOptions;
  readonly records: CopyRecords;
  readonly journal: Journal;
  readonly copy: SizedCopy;
  readonly replica: Replica;
  readonly documents: DeviceDocuments;
  /** The copy has been abandoned. */
  readonly isOver: () => boolean;
}

/** Why the copy has failed; undefined: it is over, or has failed already. */
type Accepted = Result<void, string | undefined>;

export class CopyAcceptance {
  /** A configuration was accepted since the process began. */
  hasStarted = false;
  /** Of the accepted configuration. */
  policy: WritePolicy = 'through';
  readonly #parts: CopyParts;
  /** The accepted configuration finishes changes of the one before. */
  #hasPending = false;

  constructor(parts: CopyParts) {
    this.#parts = parts;
  }

  /** `save` makes the configuration itself durable. */
  async accept(
    { configuration, handover }: Proposal<Handover>,
    save: () => Promise<boolean>,
  ): Promise<Accepted> {
    const { options, records, journal, replica, isOver } = this.#parts;
    const { store, self, site } = options;
    const replicas = configuration.replicas ?? site.nodes;
    const { pending, documents, history, lamport } = handover!;
    await replica.quiesce();
    const { policy } = this.#parts.documents.settings.read(
      documents.find(({ name }) => name === 'settings')?.bytes,
    );
    const next: WritePolicy = configuration.members.length > 1 ? policy : 'through';
    if (this.policy === 'back' && next === 'through') {
      const flushed = await store.flush();
      if (!flushed.ok) return fail(faultText(flushed.fault));
    }
    const blockCount = sizeIn(documents) ?? records.blockCount;
    const isResized = blockCount !== records.blockCount;
    const room = isResized ? await this.#makeRoom(blockCount) : undefined;
    if (isOver()) return OVER;
    if (room !== undefined) return fail(room);
    if ((!this.hasStarted && journal.replacesRecords) || isResized) {
      records.isJournalTrusted = false;
      const saved = await records.save();
      if (isOver()) return OVER;
      if (!saved.ok) return fail('its superblock could not be written');
    }
    // Room was made before.
    if (isResized && !(await journal.resize(blockCount)).ok) return fail(JOURNAL_LOST);
    if (isOver()) return OVER;
    records.blockCount = blockCount;
    const partnered = await journal.setPartners(replicas.filter((node) => node !== self));
    if (isOver()) return OVER;
    if (!partnered.ok) return fail(partnered.fault.kind === 'ioError' ? JOURNAL_LOST : RECORDS_END);
    const journaled = await tellJournal(journal, {
      self,
      nodes: replicas,
      hasStarted: this.hasStarted,
      configuration,
      handover: handover!,
    });
    if (isOver()) return OVER;
    if (!journaled) return fail(JOURNAL_LOST);
    this.policy = next;
    replica.copy.policy = next;
    replica.lamport = Math.max(replica.lamport, lamport);
    records.documents = documents;
    records.copyTerm = configuration.term;
    records.shutdown = 'none';
    records.isJournalTrusted = true;
    records.history = history;
    records.acceptEpoch(configuration);
    this.#hasPending = pending.length > 0;
    if (!(await save())) return OVER;
    this.hasStarted = true;
    const ended = await journal.endLogIfIdle();
    if (isOver()) return OVER;
    if (!ended.ok) return fail(JOURNAL_LOST);
    const held = await replica.accept(configuration.term, pending);
    if (isOver()) return OVER;
    if (!held.ok) return fail(faultText(held.fault));
    this.#tellResyncs(configuration, handover!);
    return DONE;
  }

  install({ term, members, learners }: Configuration, standing: Standing): void {
    const { options, records, replica, documents } = this.#parts;
    const { confirmsReads, ports } = options;
    records.standing = standing;
    records.install(this.#hasPending);
    documents.told.installed(records.documents);
    this.applyPolicy(members);
    const { policy } = this;
    ports.trace('info', 'mirror.installed', { term, members, learners, policy });
    const source = resyncSource(documents.settings.now.order, members);
    replica.install({ term, members, learners, source, confirmsReads });
  }

  /**
   * Writes everything out when nothing happens any more. Of what was `pending` others may have told their initiators that
   * it is everywhere: it is written, too, and the record says that there may be more here than elsewhere. Answers whether
   * the next start may rely on it as stopped in order.
   */
  async stop(pending: readonly Part[], hasFailed: boolean): Promise<boolean> {
    const { options, records, journal, replica } = this.#parts;
    const { store } = options;
    // Whatever has failed: what is in the cache has been acknowledged.
    if (hasFailed) {
      await store.flush();
      return false;
    }
    replica.copy.policy = 'through';
    const held = await replica.accept(records.standing.accepted.term, pending);
    const flushed = await store.flush();
    if (!held.ok || !flushed.ok) return false;
    if (pending.length > 0) {
      await records.stop('writtenOut');
      return false;
    }
    return (await journal.stop()).ok && (await records.stop()).ok;
  }

  /**
   * The settings have changed, here or everywhere. Caches need not be flushed: whoever changes the policy to through has
   * had them flushed everywhere, and nothing has changed since.
   */
  applyPolicy(members: readonly number[]): void {
    const { documents, replica } = this.#parts;
    this.policy = members.length > 1 ? documents.settings.policy : 'through';
    replica.copy.policy = this.policy;
  }

  /** Medium and records are as long as the device is going to be; else why not. */
  async #makeRoom(blockCount: number): Promise<string | undefined> {
    const { copy, journal } = this.#parts;
    const resized = await copy.resize(blockCount);
    if (!resized.ok) return resized.fault.message;
    return (await journal.makeRoom(blockCount)).ok ? undefined : RECORDS_END;
  }

  #tellResyncs({ learners }: Configuration, { differences }: Handover): void {
    const { trace } = this.#parts.options.ports;
    for (const [node, { full, map }] of differences)
      if (learners.includes(node)) trace('info', 'mirror.resync.begins', { node, chunks: map.count, full });
  }
}

/** There is no space for the records of a device of that size, or their disk fails. */
export const RECORDS_END = 'its records could not be enlarged';
const JOURNAL_LOST = 'its journal could not be written';
const OVER: Accepted = fail(undefined);
