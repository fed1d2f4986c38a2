/**
 * REGISTER, REGISTER AND IGNORE EXISTING KEY (SPC-4 §5.13.7, table 59) and REGISTER AND MOVE (§5.13.8), including
 * unregistering (§5.13.11.2).
 */

import { fault, invalidParameter } from '../sense.ts';
import { accept, attentionFor, conflict, type Decision, refuse, reservationAmong } from './decision.ts';
import {
  isAllRegistrants,
  isForRegistrants,
  isHolder,
  isSameNexus,
  type NexusName,
  nextGeneration,
  REGISTRATIONS_MAX,
  type Registration,
  registrationOf,
  type ReservationState,
} from './state.ts';

export interface RegisterRequest {
  readonly kind: 'register';
  readonly nexus: NexusName;
  /** RESERVATION KEY; of no meaning with `ignoreExistingKey`. */
  readonly key: bigint;
  /** SERVICE ACTION RESERVATION KEY: the new key, or zero to unregister. */
  readonly newKey: bigint;
  readonly ignoreExistingKey: boolean;
  readonly aptpl: boolean;
  /** ALL_TG_PT: every port of the target device; otherwise only the port of the nexus. */
  readonly targetPorts: readonly number[];
  /** SPEC_I_PT: further initiator ports to register. */
  readonly initiatorPorts: readonly string[] | undefined;
}

export interface MoveRequest {
  readonly kind: 'registerAndMove';
  readonly nexus: NexusName;
  readonly key: bigint;
  readonly newKey: bigint;
  readonly aptpl: boolean;
  /** UNREG: the sender's own registration goes. */
  readonly unregister: boolean;
  readonly to: NexusName;
}

/** Offsets of the parameter list that faults point at (SPC-4 §6.16.3, §6.16.4). */
const SERVICE_ACTION_KEY_BYTE = 8;
const FLAGS_BYTE = 20;
const SPEC_I_PT_BIT = 3;
const TRANSPORT_ID_BYTE = 24;

export function register(state: ReservationState, request: RegisterRequest): Decision {
  const own = registrationOf(state, request.nexus);
  if (!request.ignoreExistingKey && request.key !== (own?.key ?? 0n)) return conflict(state);
  if (request.initiatorPorts !== undefined && (own !== undefined || request.newKey === 0n)) {
    return refuse(state, invalidParameter(FLAGS_BYTE, SPEC_I_PT_BIT));
  }
  if (request.newKey === 0n) {
    return own === undefined ? accept(state) : unregister(state, request);
  }
  return add(state, request);
}

function add(state: ReservationState, request: RegisterRequest): Decision {
  const { nexus, newKey, aptpl } = request;
  const changed: NexusName[] = [nexus];
  for (const targetPort of request.targetPorts) {
    changed.push({ initiatorPort: nexus.initiatorPort, targetPort });
    for (const initiatorPort of request.initiatorPorts ?? []) {
      const other = { initiatorPort, targetPort };
      const existing = registrationOf(state, other);
      // Nobody's key is replaced by somebody else's list.
      if (existing !== undefined && existing.key !== newKey) return conflict(state);
      changed.push(other);
    }
  }
  const registrations = withKeys(state.registrations, changed, newKey);
  if (registrations.length > REGISTRATIONS_MAX) {
    return refuse(state, fault('insufficientRegistrationResources'));
  }
  return accept({ ...state, registrations, aptpl, generation: nextGeneration(state) });
}

/** `registrations` in which each of `names` has `key`; new ones come last. */
function withKeys(
  registrations: readonly Registration[],
  names: readonly NexusName[],
  key: bigint,
): Registration[] {
  const all = [...registrations];
  for (const { initiatorPort, targetPort } of names) {
    const registration = { initiatorPort, targetPort, key };
    const index = all.findIndex((other) => isSameNexus(other, registration));
    if (index === -1) all.push(registration);
    else all[index] = registration;
  }
  return all;
}

function unregister(state: ReservationState, request: RegisterRequest): Decision {
  const { nexus, aptpl, targetPorts } = request;
  const registrations = state.registrations.filter(
    (registration) =>
      !isSameNexus(registration, nexus) &&
      !(registration.initiatorPort === nexus.initiatorPort && targetPorts.includes(registration.targetPort)),
  );
  const reservation = reservationAmong(registrations, state.reservation);
  const generation = nextGeneration(state);
  const after: ReservationState = { ...state, registrations, reservation, aptpl, generation };
  const released = state.reservation !== undefined && reservation === undefined;
  if (!released || !isForRegistrants(state.reservation.type)) return accept(after);
  return accept(after, attentionFor(registrations, nexus, 'reservationsReleased'));
}

export function registerAndMove(state: ReservationState, request: MoveRequest): Decision {
  const { nexus, to } = request;
  if (registrationOf(state, nexus)?.key !== request.key) return conflict(state);
  if (state.reservation === undefined) return refuse(state, fault('invalidFieldInCdb'));
  if (!isHolder(state, nexus) || isAllRegistrants(state.reservation.type)) return conflict(state);
  if (request.newKey === 0n) return refuse(state, invalidParameter(SERVICE_ACTION_KEY_BYTE));
  if (isSameNexus(nexus, to)) return refuse(state, invalidParameter(TRANSPORT_ID_BYTE));

  const kept = request.unregister
    ? state.registrations.filter((registration) => !isSameNexus(registration, nexus))
    : state.registrations;
  const registrations = withKeys(kept, [to], request.newKey);
  if (registrations.length > REGISTRATIONS_MAX) {
    return refuse(state, fault('insufficientRegistrationResources'));
  }
  const reservation = { type: state.reservation.type, holder: to };
  const generation = nextGeneration(state);
  return accept({ ...state, registrations, reservation, aptpl: request.aptpl, generation });
}
