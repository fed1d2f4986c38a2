/**
 * The reservations of one logical unit: the machine of step.ts with what surrounds it. A decision that must survive a
 * power loss is in the durable record before it is in force and before GOOD is answered; then unit attentions are
 * raised and the tasks of preempted nexuses aborted.
 *
 * Invariants
 *  1. Decisions are taken one after the other: nothing is decided on a state that is still being saved.
 *  2. A decision whose record could not be saved has not happened.
 *  3. Nothing that waits for a turn here is waited for by somebody who has the turn: tasks are aborted after the turn.
 */

import { fail, isAsync, type MaybeAsync, ok, type Result, then } from '../../base/result.ts';
import type { RecordFault, RecordFile } from '../../ports/record-file.ts';
import type { Trace } from '../../ports/trace.ts';
import type { Command, Outcome, Request } from '../command.ts';
import { abortTasks } from '../execution.ts';
import type { LogicalUnit, Reservations } from '../logical-unit.ts';
import type { NexusState } from '../nexus.ts';
import { GOOD } from '../outcome.ts';
import { type Fault, fault } from '../sense.ts';
import { raise } from '../unit-attention.ts';
import { accessOf, isExcluded, isLeftToOthers } from './conflict.ts';
import type { Decision } from './decision.ts';
import { afterReset, withoutNexus } from './legacy.ts';
import type { Surroundings } from './parameter-list.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import { isSameNexus, type NexusName, NOTHING_RESERVED, type ReservationState } from './state.ts';
import { type ReservationRequest, step } from './step.ts';

export interface UnitReservations extends Reservations {
  readonly state: ReservationState;
  /** There is a durable record: APTPL can be kept. */
  readonly persistent: boolean;
  /** Decides what `wanted` makes of the parameter list, when its turn has come. */
  perform(
    request: Request,
    wanted: () => Result<ReservationRequest, Fault>,
  ): MaybeAsync<Result<Outcome, Fault>>;
}

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

/** A class because every command asks it. */
class Keeper implements UnitReservations {
  held: boolean;
  readonly persistent: boolean;
  #state: ReservationState;
  /** Whether what stands excludes a nexus; answers of this state only. */
  #excluded = new WeakMap<NexusState, boolean>();
  readonly #options: ReservationsOptions;
  /** Settles when the last decision that waits for its turn or its record is in force. */
  #turn: Promise<void> | undefined;

  constructor(options: ReservationsOptions, initial: ReservationState) {
    this.#options = options;
    this.persistent = options.record !== undefined;
    this.#state = initial;
    this.held = isHeld(initial);
  }

  get state(): ReservationState {
    return this.#state;
  }

  conflicts(request: Request, command: Command): boolean {
    const { nexus } = request;
    let excluded = this.#excluded.get(nexus);
    if (excluded === undefined) {
      excluded = isExcluded(this.#state, nameOf(nexus));
      this.#excluded.set(nexus, excluded);
    }
    if (!excluded) return false;
    const { opcode } = command;
    return !isLeftToOthers(this.#state, { opcode, access: accessOf(opcode, command.access, request.cdb) });
  }

  nexusLost(nexus: NexusState): void {
    this.#enter(withoutNexus(this.#state, nameOf(nexus)));
  }

  unitReset(): void {
    this.#enter(afterReset(this.#state));
  }

  perform(
    request: Request,
    wanted: () => Result<ReservationRequest, Fault>,
  ): MaybeAsync<Result<Outcome, Fault>> {
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

  #decide(
    request: Request,
    wanted: () => Result<ReservationRequest, Fault>,
  ): MaybeAsync<Result<readonly NexusName[], Fault>> {
    // Aborted while it waited: nobody is told what it would have become.
    if (request.aborted) return ok([]);
    const asked = wanted();
    if (!asked.ok) return asked;
    const decision = step(this.#state, asked.value);
    if (decision.fault !== undefined) return fail(decision.fault);
    if (decision.state === this.#state) return ok([]);
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
    const { aptpl, registrations, reservation } = this.#state;
    const isSame =
      next.aptpl === aptpl && next.registrations === registrations && next.reservation === reservation;
    if (record === undefined || isSame || !(aptpl || next.aptpl)) return { ok: true, value: undefined };
    return record.save(encodeRecord(next));
  }

  #apply(request: Request, kind: string, decision: Decision): void {
    this.#enter(decision.state);
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

  #enter(state: ReservationState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#excluded = new WeakMap();
    this.held = isHeld(state);
  }
}

function isHeld(state: ReservationState): boolean {
  return state.reservation !== undefined || state.legacyHolder !== undefined;
}

function abortTasksOf(request: Request, nexuses: readonly NexusName[]): MaybeAsync<void> {
  if (nexuses.length === 0) return undefined;
  const isPreempted = (task: Request): boolean => {
    const name = nameOf(task.nexus);
    return nexuses.some((nexus) => isSameNexus(nexus, name));
  };
  return abortTasks(request.unit, isPreempted, request.nexus);
}

/** How reservations call a live nexus. */
export function nameOf(nexus: NexusState): NexusName {
  const { identity, port } = nexus;
  return { initiatorPort: identity.initiatorPort.toLowerCase(), targetPort: port.relativeTargetPort };
}

/** What names in a parameter list can mean at this unit. */
export function surroundingsOf(unit: LogicalUnit, state: ReservationState): Surroundings {
  return {
    targetPorts: unit.portGroups(unit).groups.flatMap(({ ports }) => ports),
    initiatorPortsOf: (initiatorName) => {
      const ports = new Set<string>();
      for (const { nexus } of unit.links) {
        if (nexus.identity.initiatorName.toLowerCase() === initiatorName)
          ports.add(nameOf(nexus).initiatorPort);
      }
      for (const { initiatorPort } of state.registrations) {
        if (initiatorPort.startsWith(`${initiatorName},i,0x`)) ports.add(initiatorPort);
      }
      return [...ports];
    },
  };
}

/** The reservations of a unit that was given any that can be asked for. */
export function reservationsOf(unit: LogicalUnit): UnitReservations | undefined {
  return unit.reservations instanceof Keeper ? unit.reservations : undefined;
}
