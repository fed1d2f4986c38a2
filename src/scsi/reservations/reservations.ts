/**
 * The reservations of a logical unit of one node: the machine of step.ts with what surrounds it. A decision that must
 * survive a power loss is in the durable record before it is in force and before GOOD is answered; then unit attentions
 * are raised and the tasks of preempted nexuses aborted.
 *
 * Invariants
 *  1. Decisions are taken one after the other: nothing is decided on a state that is still being saved.
 *  2. A decision whose record could not be saved has not happened.
 *  3. Nothing that waits for a turn here is waited for by somebody who has the turn: tasks are aborted after the turn.
 */

import { DONE, fail, isAsync, type MaybeAsync, ok, type Result, then } from '../../base/result.ts';
import type { DeviceFault } from '../../ports/block-device.ts';
import type { RecordFault, RecordFile } from '../../ports/record-file.ts';
import type { Trace } from '../../ports/trace.ts';
import type { Outcome, Request } from '../command.ts';
import { abortTasks } from '../execution.ts';
import type { ResetKind } from '../logical-unit.ts';
import type { NexusState } from '../nexus.ts';
import { GOOD } from '../outcome.ts';
import { type Fault, fault } from '../sense.ts';
import { raise } from '../unit-attention.ts';
import type { Decision } from './decision.ts';
import {
  HeldReservations,
  nameOf,
  type Persistence,
  type Seen,
  type UnitReservations,
  type Wanted,
} from './held.ts';
import { afterReset, withoutNexus } from './legacy.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import { isSameNexus, type NexusName, NOTHING_RESERVED, type ReservationState } from './state.ts';
import { step } from './step.ts';

export interface ReservationsOptions {
  /** Where registrations with APTPL are kept; without it APTPL is refused. */
  readonly record?: RecordFile;
  readonly trace?: Trace;
}

/** Reservations as they were saved; without a record: none. */
export async function openReservations(
  options: ReservationsOptions,
): Promise<Result<UnitReservations, RecordFault>> {
  const { record } = options;
  if (record === undefined) return ok(createReservations(options));
  const loaded = await record.load();
  if (!loaded.ok) return loaded;
  if (loaded.value === undefined) return ok(createReservations(options));
  const decoded = decodeRecord(loaded.value);
  if (!decoded.ok) return fail({ kind: 'corrupt', name: record.name, cause: decoded.fault });
  return ok(createReservations(options, decoded.value));
}

export function createReservations(
  options: ReservationsOptions = {},
  initial: ReservationState = NOTHING_RESERVED,
): UnitReservations {
  return new Keeper(options, initial);
}

class Keeper extends HeldReservations {
  readonly persistence: Persistence;
  readonly #options: ReservationsOptions;
  /** Settles when the last decision that waits for its turn or its record is in force. */
  #turn: Promise<void> | undefined;

  constructor(options: ReservationsOptions, initial: ReservationState) {
    super(initial);
    this.#options = options;
    this.persistence = options.record === undefined ? 'never' : 'whenAsked';
  }

  nexusLost(nexus: NexusState): void {
    this.enter(withoutNexus(this.state, nameOf(nexus)));
  }

  resetUnit(
    _kind: ResetKind,
    _by: NexusState,
    here: () => MaybeAsync<void>,
  ): MaybeAsync<Result<void, DeviceFault>> {
    this.enter(afterReset(this.state));
    return then(here(), () => DONE);
  }

  look(_request: Request, seen: Seen): Result<Outcome, Fault> {
    return seen(this.state);
  }

  perform(request: Request, wanted: Wanted): MaybeAsync<Result<Outcome, Fault>> {
    const decided = this.#inTurn(() => this.#decide(request, wanted));
    return then(decided, (result) => {
      if (!result.ok) return result;
      return then(abortTasksOf(request, result.value), () => GOOD);
    });
  }

  /** Runs `action` after those before it, at once when there are none. */
  #inTurn<T>(action: () => MaybeAsync<T>): MaybeAsync<T> {
    const result = this.#turn === undefined ? action() : this.#turn.then(action);
    if (!isAsync(result)) return result;
    const turn: Promise<void> = result.then(() => {
      if (this.#turn === turn) this.#turn = undefined;
    });
    this.#turn = turn;
    return result;
  }

  #decide(request: Request, wanted: Wanted): MaybeAsync<Result<readonly NexusName[], Fault>> {
    // Aborted while it waited: nobody is told what it would have become.
    if (request.aborted) return ok([]);
    const asked = wanted(this.state);
    if (!asked.ok) return asked;
    const decision = step(this.state, asked.value);
    if (decision.fault !== undefined) return fail(decision.fault);
    if (decision.state === this.state) return ok([]);
    return then(this.#save(decision.state), (saved): Result<readonly NexusName[], Fault> => {
      if (!saved.ok) {
        const { name } = saved.fault;
        this.#options.trace?.('error', 'scsi.reservations.notSaved', { name, cause: saved.fault.cause });
        return fail(fault('internalTargetFailure'));
      }
      this.#apply(request, asked.value.kind, decision);
      return ok(decision.aborted);
    });
  }

  #save(next: ReservationState): MaybeAsync<Result<void, RecordFault>> {
    const { record } = this.#options;
    // An SPC-2 reservation ends with its nexus: it is in force at once, or it would be so after that nexus was lost.
    const { aptpl, registrations, reservation } = this.state;
    const isSame =
      next.aptpl === aptpl && next.registrations === registrations && next.reservation === reservation;
    if (record === undefined || isSame || !(aptpl || next.aptpl)) return { ok: true, value: undefined };
    return record.save(encodeRecord(next));
  }

  #apply(request: Request, kind: string, decision: Decision): void {
    this.enter(decision.state);
    const { generation, registrations, reservation } = decision.state;
    this.#options.trace?.('info', 'scsi.reservations.changed', {
      kind,
      by: request.nexus.name,
      generation,
      registrations: registrations.length,
      type: reservation?.type,
    });
    for (const { nexus, reason } of decision.attentions) {
      for (const link of request.unit.links) {
        if (isSameNexus(nameOf(link.nexus), nexus)) raise(link, reason);
      }
    }
  }
}

function abortTasksOf(request: Request, nexuses: readonly NexusName[]): MaybeAsync<void> {
  if (nexuses.length === 0) return undefined;
  const isPreempted = (task: Request): boolean => {
    const name = nameOf(task.nexus);
    return nexuses.some((nexus) => isSameNexus(nexus, name));
  };
  return abortTasks(request.unit, isPreempted, request.nexus);
}
