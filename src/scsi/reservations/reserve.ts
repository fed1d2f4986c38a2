/** RESERVE (SPC-4 §5.13.9), RELEASE (§5.13.11.1) and CLEAR (§5.13.11.6). The caller has checked scope and type. */

import { fault } from '../sense.ts';
import { accept, attentionFor, conflict, type Decision, refuse } from './decision.ts';
import {
  isAllRegistrants,
  isForRegistrants,
  isHolder,
  type NexusName,
  nextGeneration,
  registrationOf,
  type ReservationState,
  type ReservationType,
} from './state.ts';

export interface ReserveRequest {
  readonly kind: 'reserve' | 'release';
  readonly nexus: NexusName;
  readonly key: bigint;
  readonly type: ReservationType;
}

export interface ClearRequest {
  readonly kind: 'clear';
  readonly nexus: NexusName;
  readonly key: bigint;
}

export function reserve(state: ReservationState, request: ReserveRequest): Decision {
  const { nexus, type } = request;
  if (registrationOf(state, nexus)?.key !== request.key) return conflict(state);
  if (state.reservation !== undefined) {
    const again = isHolder(state, nexus) && state.reservation.type === type;
    return again ? accept(state) : conflict(state);
  }
  const holder = isAllRegistrants(type) ? undefined : nexus;
  return accept({ ...state, reservation: { type, holder } });
}

export function release(state: ReservationState, request: ReserveRequest): Decision {
  const { nexus, type } = request;
  if (registrationOf(state, nexus)?.key !== request.key) return conflict(state);
  // Somebody else's reservation is not touched, and that is no error.
  if (state.reservation === undefined || !isHolder(state, nexus)) return accept(state);
  if (state.reservation.type !== type) return refuse(state, fault('invalidReleaseOfPersistentReservation'));
  const after = { ...state, reservation: undefined };
  if (!isForRegistrants(type)) return accept(after);
  return accept(after, attentionFor(state.registrations, nexus, 'reservationsReleased'));
}

export function clear(state: ReservationState, request: ClearRequest): Decision {
  const { nexus } = request;
  if (registrationOf(state, nexus)?.key !== request.key) return conflict(state);
  const generation = nextGeneration(state);
  return accept(
    { ...state, registrations: [], reservation: undefined, generation },
    attentionFor(state.registrations, nexus, 'reservationsPreempted'),
  );
}
