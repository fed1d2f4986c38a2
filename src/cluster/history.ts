/**
 * Which of two copies is newer, from the epochs they have lived through; no clock, no file time. Each member keeps the
 * last 32 epochs of which it was a member, oldest first, each with whether data was written in it (set before the
 * first write of the epoch is acknowledged).
 *
 *   the newest epoch that both know is common; what was written after it decides:
 *
 *                        theirs: nothing written   theirs: written
 *   mine: nothing        same                      behind
 *   mine: written        ahead                     diverged
 *
 * `unrelated`: both have epochs and none in common. Nothing follows from that; the longer or later history is not the
 * better one, for it may be the history of another copy of the disk, or the common part was forgotten.
 * `same` is about what was acknowledged: what was under way when a copy stopped is the journal's business.
 */

import { assert } from '../base/assert.ts';
import type { Uuid } from '../base/uuid.ts';

export const HISTORY_MAX = 32;

export interface EpochRecord {
  readonly term: number;
  readonly id: Uuid;
  /** Node ids, ascending. */
  readonly members: readonly number[];
  readonly wroteData: boolean;
}

/** Oldest first, terms rising. */
export type History = readonly EpochRecord[];

export type Relation = 'same' | 'ahead' | 'behind' | 'diverged' | 'unrelated';

export interface Comparison {
  /** What "mine" is, seen from "theirs". */
  readonly relation: Relation;
  /** The newest epoch that both lived through. */
  readonly common: EpochRecord | undefined;
}

export function compareHistories(mine: History, theirs: History): Comparison {
  const theirPlace = new Map(theirs.map(({ id }, place) => [id, place]));
  for (let place = mine.length - 1; place >= 0; place--) {
    const common = mine[place]!;
    const other = theirPlace.get(common.id);
    if (other === undefined) continue;
    assert(theirs[other]!.term === common.term, 'an epoch id has one term');
    return { relation: relate(wroteAfter(mine, place), wroteAfter(theirs, other)), common };
  }
  if (mine.length > 0 && theirs.length > 0) return { relation: 'unrelated', common: undefined };
  return { relation: relate(mine.length > 0, theirs.length > 0), common: undefined };
}

/** The history with one more epoch; the oldest is forgotten when there are too many. */
export function withEpoch(history: History, epoch: EpochRecord): History {
  const last = history.at(-1);
  assert(last === undefined || epoch.term > last.term, 'terms rise');
  return [...history, epoch].slice(-HISTORY_MAX);
}

/** The history after the first write of its last epoch. */
export function withDataWritten(history: History): History {
  const last = history.at(-1);
  assert(last !== undefined, 'data is written in an epoch');
  return last.wroteData ? history : [...history.slice(0, -1), { ...last, wroteData: true }];
}

function wroteAfter(history: History, place: number): boolean {
  return history.slice(place + 1).some(({ wroteData }) => wroteData);
}

function relate(mine: boolean, theirs: boolean): Relation {
  if (mine) return theirs ? 'diverged' : 'ahead';
  return theirs ? 'behind' : 'same';
}
