/**
 * PREEMPT and PREEMPT AND ABORT (SPC-4 §5.13.11.4, §5.13.11.5): take a reservation over, or remove registrations.
 * The caller has checked scope and type.
 */

import { invalidParameter } from '../sense.ts';
import { accept, attentionFor, conflict, type Decision, refuse, reservationAmong } from './decision.ts';
import {
  isAllRegistrants,
  isSameNexus,
  type NexusName,
  nextGeneration,
  type Registration,
  registrationOf,
  type Reservation,
  type ReservationState,
  type ReservationType,
} from './state.ts';

export interface PreemptRequest {
  readonly kind: 'preempt';
  readonly nexus: NexusName;
  readonly key: bigint;
  /** SERVICE ACTION RESERVATION KEY: whom to preempt; zero: all, of an all-registrants reservation. */
  readonly victimKey: bigint;
  readonly type: ReservationType;
  /** PREEMPT AND ABORT. */
  readonly abort: boolean;
}

const SERVICE_ACTION_KEY_BYTE = 8;

export function preempt(state: ReservationState, request: PreemptRequest): Decision {
  if (registrationOf(state, request.nexus)?.key !== request.key) return conflict(state);
  const { victimKey } = request;
  if (state.reservation === undefined) return removeRegistrations(state, request);
  if (isAllRegistrants(state.reservation.type)) {
    return victimKey === 0n
      ? takeOver(state, state.reservation, request, state.registrations)
      : removeRegistrations(state, request);
  }
  const { holder } = state.reservation;
  const holderKey = holder && registrationOf(state, holder)?.key;
  if (victimKey !== holderKey) return removeRegistrations(state, request);
  return takeOver(state, state.reservation, request, withKey(state, victimKey));
}

function withKey(state: ReservationState, key: bigint): Registration[] {
  return state.registrations.filter((registration) => registration.key === key);
}

/** §5.13.11.4.3: one uninterrupted step from the old reservation to the new one. */
function takeOver(
  state: ReservationState,
  old: Reservation,
  request: PreemptRequest,
  victims: readonly Registration[],
): Decision {
  const { nexus, type } = request;
  const removed = victims.filter((victim) => !isSameNexus(victim, nexus));
  const registrations = state.registrations.filter((registration) => !removed.includes(registration));
  const attentions = attentionFor(removed, nexus, 'registrationsPreempted');
  if (old.type !== type) attentions.push(...attentionFor(registrations, nexus, 'reservationsReleased'));
  const reservation = { type, holder: isAllRegistrants(type) ? undefined : nexus };
  const after = { ...state, registrations, reservation, generation: nextGeneration(state) };
  return accept(after, attentions, request.abort ? names(removed) : []);
}

/** §5.13.11.4.4: the reservation stays, unless nobody is left for whom it could. */
function removeRegistrations(state: ReservationState, request: PreemptRequest): Decision {
  const { nexus, victimKey } = request;
  if (victimKey === 0n) return refuse(state, invalidParameter(SERVICE_ACTION_KEY_BYTE));
  const removed = withKey(state, victimKey);
  if (removed.length === 0) return conflict(state);
  const registrations = state.registrations.filter((registration) => registration.key !== victimKey);
  const reservation = reservationAmong(registrations, state.reservation);
  const after = { ...state, registrations, reservation, generation: nextGeneration(state) };
  const others = removed.filter((victim) => !isSameNexus(victim, nexus));
  const attentions = attentionFor(removed, nexus, 'registrationsPreempted');
  return accept(after, attentions, request.abort ? names(others) : []);
}

function names(registrations: readonly Registration[]): NexusName[] {
  return registrations.map(({ initiatorPort, targetPort }) => ({ initiatorPort, targetPort }));
}
