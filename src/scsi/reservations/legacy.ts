/**
 * RESERVE (6), RESERVE (10), RELEASE (6) and RELEASE (10) (SPC-2 §7.21 ff.) beside registrations, with the exceptions
 * that the CRH bit promises (SPC-4 §5.13.3): for whom the persistent reservation already is, they succeed and do
 * nothing; everybody else conflicts while anyone is registered.
 */

import { accept, conflict, type Decision } from './decision.ts';
import {
  isForRegistrants,
  isHolder,
  isSameNexus,
  type NexusName,
  registrationOf,
  type ReservationState,
} from './state.ts';

export interface LegacyRequest {
  readonly kind: 'legacyReserve' | 'legacyRelease';
  readonly nexus: NexusName;
}

export function legacyReserve(state: ReservationState, { nexus }: LegacyRequest): Decision {
  if (state.registrations.length > 0) return besideRegistrations(state, nexus);
  if (state.legacyHolder === undefined) return accept({ ...state, legacyHolder: nexus });
  return isSameNexus(state.legacyHolder, nexus) ? accept(state) : conflict(state);
}

/** Releasing what one does not hold is no error. */
export function legacyRelease(state: ReservationState, { nexus }: LegacyRequest): Decision {
  if (state.registrations.length > 0) return besideRegistrations(state, nexus);
  if (state.legacyHolder === undefined || !isSameNexus(state.legacyHolder, nexus)) return accept(state);
  return accept({ ...state, legacyHolder: undefined });
}

function besideRegistrations(state: ReservationState, nexus: NexusName): Decision {
  if (state.reservation === undefined || registrationOf(state, nexus) === undefined) return conflict(state);
  const allowed = isHolder(state, nexus) || isForRegistrants(state.reservation.type);
  return allowed ? accept(state) : conflict(state);
}

/** The nexus is gone or logged out: an SPC-2 reservation ends with it, persistent ones do not. */
export function withoutNexus(state: ReservationState, nexus: NexusName): ReservationState {
  const gone = state.legacyHolder !== undefined && isSameNexus(state.legacyHolder, nexus);
  return gone ? { ...state, legacyHolder: undefined } : state;
}

/** Logical unit reset, target resets: the same for every nexus. */
export function afterReset(state: ReservationState): ReservationState {
  return state.legacyHolder === undefined ? state : { ...state, legacyHolder: undefined };
}
