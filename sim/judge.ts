/** All checkers over one finished run; the first violation counts. */

import type { BugViolation } from './bugs.ts';
import type { AnswerViolation } from './checkers/answers.ts';
import { checkAnswers } from './checkers/answers.ts';
import type { DocumentViolation } from './checkers/documents.ts';
import { checkGrowth, checkSizes, type GrowthViolation } from './checkers/growth.ts';
import { checkDocuments } from './checkers/documents.ts';
import { checkReplicas, type ReplicaViolation } from './checkers/replicas.ts';
import type { FinalViolation } from '../src/judge/durability.ts';
import { checkDurability, checkReplicasEqual } from '../src/judge/durability.ts';
import type { LockViolation } from '../src/judge/locks.ts';
import { checkLocks } from '../src/judge/locks.ts';
import type { ReservationViolation } from './checkers/objects.ts';
import { checkReservations } from './checkers/objects.ts';
import type { ObservationViolation } from './checkers/observations.ts';
import type { RegisterViolation } from '../src/judge/registers.ts';
import { checkRegisters } from '../src/judge/registers.ts';
import type { History } from './history.ts';
import type { StorageFront } from './storage.ts';
import type { WorkloadShape } from './worker.ts';
import { DATA_DEVICE, NEW_DEVICE } from './worker.ts';

export interface NotQuiet {
  readonly rule: 'doesNotConverge';
  readonly explanation: string;
}

export type Violation =
  | RegisterViolation
  | LockViolation
  | ReservationViolation
  | FinalViolation
  | AnswerViolation
  | ObservationViolation
  | BugViolation
  | DocumentViolation
  | GrowthViolation
  | ReplicaViolation
  | NotQuiet;

export interface Finished {
  readonly history: History;
  readonly front: StorageFront;
  readonly shape: WorkloadShape;
  readonly calmSince: number;
  readonly endedAt: number;
  readonly wasQuiet: boolean;
  readonly judged: 'safety' | 'everything';
  /** At all times; undefined: only once faults have stopped. */
  readonly answerBoundMs?: number | undefined;
}

/** Longer than any initiator needs to give up a session, log in elsewhere and try again. */
const ANSWER_BOUND_MS = 30_000;

export interface Judgement {
  readonly violation: Violation | undefined;
  /** Objects whose history was too wide to be judged. */
  readonly undecided: number;
}

export function judge(finished: Finished): Judgement {
  const { writes, reads, locks, reservations, newWrites, newReads, sizes } = finished.history;
  const wrong =
    checkRegisters(writes, reads) ??
    checkRegisters(newWrites, newReads) ??
    checkSizes(sizes, finished.front.growth?.().attempts ?? []);
  if (wrong !== undefined) return { violation: wrong, undecided: 0 };
  const [lock, reservation] = [checkLocks(locks), checkReservations(reservations)];
  return {
    violation: lock.violation ?? reservation.violation ?? judgeEnd(finished),
    undecided: lock.undecided + reservation.undecided,
  };
}

function judgeEnd(finished: Finished): Violation | undefined {
  const { history, calmSince, endedAt, wasQuiet } = finished;
  if (finished.judged === 'everything') {
    const { answerBoundMs: always } = finished;
    const bound =
      always === undefined
        ? { calmSince, endedAt, boundMs: ANSWER_BOUND_MS }
        : { calmSince: 0, endedAt, boundMs: always };
    const unanswered = checkAnswers(history.commands, bound);
    if (unanswered !== undefined) return unanswered;
    if (!wasQuiet) {
      const explanation = `${(endedAt - calmSince) / 1000} s after the last fault something is still on its way`;
      return { rule: 'doesNotConverge', explanation };
    }
  }
  return wasQuiet ? judgeReplicas(finished) : undefined;
}

function judgeReplicas({ history, front, shape, endedAt }: Finished): Violation | undefined {
  const replicas = front.replicas(DATA_DEVICE);
  const data = replicas.map(({ node, values }) => ({ node, values: values.slice(0, shape.dataBlocks) }));
  // What the replicas hold at the end counts as read by everybody.
  const finalReads = data.flatMap(({ values }) =>
    values.map((value, block) => ({ block, value, invokedAt: endedAt, returnedAt: endedAt })),
  );
  const lost = checkDurability(history.writes, data);
  if (lost !== undefined) return lost;
  const changed = front.replicaChanges === undefined ? undefined : checkReplicas(front.replicaChanges());
  if (changed !== undefined) return changed;
  const documents = front.documents === undefined ? undefined : checkDocuments(front.documents());
  if (documents !== undefined) return documents;
  return (
    checkReplicasEqual(replicas) ??
    checkRegisters(history.writes, [...history.reads, ...finalReads]) ??
    judgeGrowth(history, front, endedAt)
  );
}

function judgeGrowth(
  { newWrites, newReads, sizes }: History,
  front: StorageFront,
  endedAt: number,
): Violation | undefined {
  if (front.growth === undefined) return undefined;
  const replicas = front.replicas(NEW_DEVICE);
  const finalReads = replicas.flatMap(({ values }) =>
    values.map((value, block) => ({ block, value, invokedAt: endedAt, returnedAt: endedAt })),
  );
  return (
    checkGrowth(sizes, front.growth()) ??
    checkDurability(newWrites, replicas) ??
    checkReplicasEqual(replicas) ??
    checkRegisters(newWrites, [...newReads, ...finalReads])
  );
}
