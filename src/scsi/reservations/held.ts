/**
 * The reservations of one logical unit as every command asks them, wherever decisions are made and kept; and what names
 * mean at a unit.
 */

import type { MaybeAsync, Result } from '../../base/result.ts';
import type { DeviceFault } from '../../ports/block-device.ts';
import type { Command, Outcome, Request } from '../command.ts';
import type { LogicalUnit, Reservations, ResetKind } from '../logical-unit.ts';
import type { NexusState } from '../nexus.ts';
import type { Fault } from '../sense.ts';
import { accessOf, isExcluded, isLeftToOthers } from './conflict.ts';
import type { Surroundings } from './parameter-list.ts';
import type { NexusName, ReservationState } from './state.ts';
import type { ReservationRequest } from './step.ts';

/** Whether registrations survive a loss of power (APTPL). */
export type Persistence = 'never' | 'whenAsked' | 'always';

/** What `state` makes of a parameter list. */
export type Wanted = (state: ReservationState) => Result<ReservationRequest, Fault>;

/** What is answered when `state` is current on all nodes. */
export type Seen = (state: ReservationState) => Result<Outcome, Fault>;

export interface UnitReservations extends Reservations {
  readonly state: ReservationState;
  readonly persistence: Persistence;
  /** Decides what is wanted when its turn has come. */
  perform(request: Request, wanted: Wanted): MaybeAsync<Result<Outcome, Fault>>;
  look(request: Request, seen: Seen): MaybeAsync<Result<Outcome, Fault>>;
}

/** A class because every command asks it. */
export abstract class HeldReservations implements UnitReservations {
  abstract readonly persistence: Persistence;
  held: boolean;
  #state: ReservationState;
  /** Whether what stands excludes a nexus; answers of this state only. */
  #excluded = new WeakMap<NexusState, boolean>();

  constructor(initial: ReservationState) {
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

  abstract perform(request: Request, wanted: Wanted): MaybeAsync<Result<Outcome, Fault>>;
  abstract look(request: Request, seen: Seen): MaybeAsync<Result<Outcome, Fault>>;
  abstract nexusLost(nexus: NexusState): void;
  abstract resetUnit(
    kind: ResetKind,
    by: NexusState,
    here: () => MaybeAsync<void>,
  ): MaybeAsync<Result<void, DeviceFault>>;

  protected enter(state: ReservationState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#excluded = new WeakMap();
    this.held = isHeld(state);
  }
}

function isHeld(state: ReservationState): boolean {
  return state.reservation !== undefined || state.legacyHolder !== undefined;
}

/** How reservations call a live nexus. */
export function nameOf(nexus: NexusState): NexusName {
  const { identity, port } = nexus;
  return { initiatorPort: identity.initiatorPort.toLowerCase(), targetPort: port.relativeTargetPort };
}

/**
 * What names in a parameter list can mean at this unit: ports are those of all nodes; of an iSCSI name only the initiator
 * ports that are logged in here, or registered.
 */
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
  const { reservations } = unit;
  return reservations instanceof HeldReservations ? reservations : undefined;
}
