/**
 * What copies tell when a configuration changes, and what the next one is given: changes that were under way, documents,
 * and where copies may differ.
 */

import type { Configuration } from '../../cluster/configuration.ts';
import type { Choice } from '../../cluster/choose.ts';
import type { History } from '../../cluster/history.ts';
import type { Report } from '../../cluster/messages.ts';
import { DirtyMap } from '../../journal/dirty-map.ts';
import type { BaseEpoch } from '../../journal/journal.ts';
import type { Part } from '../../replication/mutation-log.ts';
import { type DocumentName, lamportOf, type Stamp, stampOf } from '../../replication/operation.ts';
import { fitSettings } from './settings-in-force.ts';
import { decodeSettings, PERCENT_MAX, type Settings, settingsDocument } from './settings.ts';
import { sizeDocument, sizeIn } from './size.ts';

export interface KeptDocument {
  readonly name: DocumentName;
  readonly revision: Stamp;
  readonly bytes: Uint8Array;
}

/** Where a copy may differ from those of the members. */
export interface Difference {
  /** The last epoch that included it, as its members know. */
  readonly base: BaseEpoch;
  readonly map: DirtyMap;
  /** Of its records, as its members know: a copy that shows less is older than `map` tells. */
  readonly sequence: number;
  /** Why everything has to be compared; undefined if not. */
  readonly full: string | undefined;
  /** True only if that copy was stopped in order as well. */
  readonly ifStopped: boolean;
}

export interface Handover {
  readonly lamport: number;
  /** In a proposal: the epochs of those from whom it begins. Members and learners have lived through them from now on. */
  readonly history: History;
  /** In a report: pending on this copy. In a proposal: to be finished on all. */
  readonly pending: readonly Part[];
  /** In a report: of the records of this copy, and the last term that included it. */
  readonly sequence: number;
  readonly copyTerm: number;
  readonly documents: readonly KeptDocument[];
  /** In a report: of the others. In a proposal: of everybody who is not a member. */
  readonly differences: ReadonlyMap<number, Difference>;
  /** In a report: where this copy may hold what no member has. */
  readonly suspects: Difference | undefined;
}

export interface MergeInput {
  readonly choice: Choice;
  readonly promises: ReadonlyMap<number, Report<Handover>>;
  readonly configuration: Configuration;
  /** Nodes that have a copy of the device or are to get one, with this configuration. */
  readonly nodes: readonly number[];
  /** Where no document says how large the device is. */
  readonly blockCount: number;
  readonly blockLength: number;
  /** Copies write to their medium at once, and no log tells what they have under way. */
  readonly writesUnlogged: boolean;
  /** Blocks that the device grows to with this configuration; undefined: it stays as it is. */
  readonly growsTo: number | undefined;
  /** As they are where no document says so. */
  readonly settings: Settings;
}

export function merge(input: MergeInput): Handover {
  const { choice, promises, configuration, nodes } = input;
  const handovers = [...promises.values()].flatMap(({ handover }) => handover ?? []);
  const lamport = Math.max(0, ...handovers.map((handover) => handover.lamport));
  const pending = finishAll(
    choice.sources.map((node) => promises.get(node)!.handover!),
    lamport,
  );
  const holders = [...new Set([...choice.sources, ...choice.members])];
  const documents = newestDocuments(holders.map((node) => promises.get(node)!.handover!));
  let time = lamport + pending.length;
  if (input.growsTo !== undefined && input.growsTo > (sizeIn(documents) ?? 0))
    replace(documents, sizeDocument(input.growsTo, stampOf(++time, 0)));
  // Whoever is new was not told how the device was made.
  if (configuration.formerly !== undefined && !documents.some(({ name }) => name === 'settings'))
    replace(documents, settingsDocument(fitSettings(input.settings, nodes), stampOf(++time, 0)));
  const sized = { ...input, blockCount: sizeIn(documents) ?? input.blockCount };
  const differences = new Map<number, Difference>();
  const lost = input.writesUnlogged ? lostAtOnce(input) : [];
  const settings = documents.find(({ name }) => name === 'settings');
  const { fullResyncAbove: limit } = decodeSettings(settings?.bytes) ?? input.settings;
  for (const node of nodes)
    if (!configuration.members.includes(node)) differences.set(node, differenceOf(sized, node, lost, limit));
  return {
    lamport: time,
    history: lineage(
      [...choice.base.members, ...choice.base.learners, ...choice.members].map(
        (node) => promises.get(node)?.history ?? [],
      ),
    ),
    pending,
    sequence: 0,
    copyTerm: 0,
    documents,
    differences,
    suspects: undefined,
  };
}

/**
 * The longest history of those whom the base included, with all that any of them knows was written. Not all of them need
 * have accepted the base, and who was only told of it has not lived through it.
 */
function lineage(histories: readonly History[]): History {
  const written = new Set(histories.flat().flatMap(({ id, wroteData }) => (wroteData ? [id] : [])));
  const last = (history: History): number => history.at(-1)?.term ?? 0;
  const newest = histories.reduce((a, b) => (last(b) > last(a) ? b : a));
  return newest.map((epoch) => ({ ...epoch, wroteData: epoch.wroteData || written.has(epoch.id) }));
}

/**
 * Copies that were lost together. A change that one of them began and another one wrote may be on that medium alone, and
 * nobody is left who has heard of it.
 */
function lostAtOnce({ choice, promises }: MergeInput): readonly number[] {
  const together = choice.sources.flatMap((node) => {
    const { members, learners } = promises.get(node)!.accepted;
    return [...members, ...learners];
  });
  const lost = [...new Set(together)].filter((node) => !choice.sources.includes(node));
  return lost.length > 1 ? lost : [];
}

/** In their order, with new stamps of their own: parts of one change have lain side by side under one. */
function finishAll(sources: readonly Handover[], lamport: number): Part[] {
  const parts = sources.flatMap(({ pending }) => pending).toSorted((a, b) => a.stamp - b.stamp);
  const seen = new Set<string>();
  const unique = parts.filter(({ stamp, operation: { lba, blocks } }) => {
    const key = `${stamp} ${lba} ${blocks}`;
    return seen.has(key) ? false : seen.add(key) !== undefined;
  });
  return unique.map(({ operation }, at) => ({ stamp: stampOf(lamport + 1 + at, 0), operation }));
}

function newestDocuments(holders: readonly Handover[]): KeptDocument[] {
  const newest = new Map<DocumentName, KeptDocument>();
  for (const { documents } of holders)
    for (const document of documents)
      if (document.revision > (newest.get(document.name)?.revision ?? -1))
        newest.set(document.name, document);
  return [...newest.values()];
}

function replace(documents: KeptDocument[], by: KeptDocument): void {
  const at = documents.findIndex(({ name }) => name === by.name);
  if (at < 0) documents.push(by);
  else documents[at] = by;
}

/** Everything that anyone who counts knows of `node`, and what it says of itself. */
function differenceOf(
  { choice, promises, configuration, blockCount, blockLength }: MergeInput,
  node: number,
  lost: readonly number[],
  limit: number,
): Difference {
  const map = new DirtyMap(blockCount, blockLength);
  let base: BaseEpoch | undefined;
  let full = lost.includes(node)
    ? 'it was lost together with another copy, and no log tells what it began'
    : undefined;
  let sequence = 0;
  let ifStopped = false;
  const counts = (from: number): boolean =>
    from !== node && (choice.base.members.includes(from) || choice.sources.includes(from));
  for (const [from, report] of promises) {
    const known = report.handover?.differences.get(node);
    if (known === undefined || !counts(from)) continue;
    map.union(known.map);
    full ??= known.full;
    ifStopped ||= known.ifStopped;
    sequence = Math.max(sequence, known.sequence);
    if (base === undefined || known.base.term > base.term) base = known.base;
  }
  const report = promises.get(node);
  if (report?.handover !== undefined && configuration.learners.includes(node)) {
    const { suspects } = report.handover;
    if (suspects !== undefined) map.union(suspects.map);
    full ??= suspects?.full;
    if (report.isBlank) full = 'the copy is new, or its records do not count';
    else if (base === undefined) full = 'no member knows when this copy was part of the device';
    else if (!isKnownToLearn(node, report, promises, counts))
      full = 'no member knows what this copy lacked when it began to learn';
    else if (ifStopped && !report.wasStopped) full = 'of two copies one only was stopped in order';
    else if (report.handover.copyTerm < base.term || report.handover.sequence < sequence)
      full = 'the copy is older than what its partners know of it: another or an old disk';
    else if (map.count * PERCENT_MAX > limit * map.chunkCount)
      full = `more of it has changed than the limit of ${limit} %, above which everything is compared`;
  }
  if (full !== undefined) map.markAll();
  return { base: base ?? { term: configuration.term, id: configuration.id }, map, sequence, full, ifStopped };
}

/**
 * A copy that has accepted a configuration as a learner looks like one that was there then, whatever it lacks: new, old,
 * or just behind. Only who has accepted the same one, or has followed on it, knows what that was.
 */
function isKnownToLearn(
  node: number,
  { history, handover }: Report<Handover>,
  promises: ReadonlyMap<number, Report<Handover>>,
  counts: (from: number) => boolean,
): boolean {
  const last = history.find(({ term }) => term === handover!.copyTerm);
  if (last === undefined || last.members.includes(node)) return true;
  return [...promises].some(
    ([from, report]) => counts(from) && report.history.some(({ id }) => id === last.id),
  );
}

/** The highest Lamport time in documents: where counting goes on after a restart. */
export function lamportOfDocuments(documents: readonly KeptDocument[]): number {
  return Math.max(0, ...documents.map(({ revision }) => lamportOf(revision)));
}
