/**
 * The task set of a logical unit (SAM-5 §8): which tasks may run and which wait. HEAD OF QUEUE runs at once; ORDERED
 * runs when everything older has ended; SIMPLE runs when no ORDERED task is older and no HEAD OF QUEUE task lives.
 * With nothing but SIMPLE tasks, which is nearly always, entering and leaving is one set operation each.
 *
 * Pure bookkeeping: it starts nothing; `leave` says what may start.
 */

import type { Request } from './command.ts';

/** Tasks of one logical unit, over all nexuses; at the limit: TASK SET FULL. */
export const TASKS_PER_UNIT_MAX = 4096;

export interface TaskSet {
  /** Every task that has not ended, oldest first. */
  readonly tasks: Set<Request>;
  /** Those that wait for others, oldest first. */
  dormant: Request[];
  /** Tasks in the set that are not SIMPLE. */
  special: number;
  headsOfQueue: number;
  /** While tasks that were held up are being started: those still to come. Undefined otherwise. */
  starting: Request[] | undefined;
}

const NOTHING: readonly Request[] = [];

export function createTaskSet(): TaskSet {
  return { tasks: new Set(), dormant: [], special: 0, headsOfQueue: 0, starting: undefined };
}

/** Adds the task; true when it may run at once. The caller has checked the limit. */
export function enter(set: TaskSet, request: Request): boolean {
  const { attribute } = request.task;
  const alone = set.tasks.size === 0;
  set.tasks.add(request);
  if (attribute === 'simple') {
    if (set.special === 0) return true;
  } else {
    set.special += 1;
    if (attribute === 'headOfQueue') {
      set.headsOfQueue += 1;
      return true;
    }
    if (alone) return true;
  }
  set.dormant.push(request);
  return false;
}

/** Removes the task, which has ended; answers with the tasks that may run now, in order. */
export function leave(set: TaskSet, request: Request): readonly Request[] {
  set.tasks.delete(request);
  const { attribute } = request.task;
  if (attribute !== 'simple') {
    set.special -= 1;
    if (attribute === 'headOfQueue') set.headsOfQueue -= 1;
  }
  if (set.dormant.length === 0) return NOTHING;
  const at = set.dormant.indexOf(request);
  if (at >= 0) set.dormant.splice(at, 1);
  return wake(set);
}

function wake(set: TaskSet): readonly Request[] {
  if (set.headsOfQueue > 0) return NOTHING;
  let count = 0;
  // An ORDERED task that runs is the oldest; what follows it waits for it.
  let oldestRuns = false;
  for (const oldest of set.tasks) {
    oldestRuns = oldest.task.attribute === 'ordered' && oldest !== set.dormant[0];
    break;
  }
  if (oldestRuns) return NOTHING;
  for (const candidate of set.dormant) {
    if (candidate.task.attribute === 'ordered') {
      if (count === 0 && isOldest(set, candidate)) count = 1;
      break;
    }
    count += 1;
  }
  return count === 0 ? NOTHING : set.dormant.splice(0, count);
}

function isOldest(set: TaskSet, request: Request): boolean {
  for (const oldest of set.tasks) return oldest === request;
  return false;
}
