/** What a step of the reservation machine decides, and the few ways in which it does. */

import { type Fault, fault } from '../sense.ts';
import {
  isAllRegistrants,
  isSameNexus,
  type NexusName,
  type Registration,
  type Reservation,
  type ReservationState,
} from './state.ts';

/** Unit attentions for others (SPC-4 §5.13.7, §5.13.11). */
export type ReservationAttention =
  | 'reservationsPreempted'
  | 'reservationsReleased'
  | 'registrationsPreempted';

export interface Attention {
  readonly nexus: NexusName;
  readonly reason: ReservationAttention;
}

export interface Decision {
  /** The state afterwards; the very same object when nothing changes. */
  readonly state: ReservationState;
  /** Undefined: GOOD. */
  readonly fault: Fault | undefined;
  readonly attentions: readonly Attention[];
  /** Nexuses whose tasks are to be aborted before the command ends. */
  readonly aborted: readonly NexusName[];
}

const NOBODY: readonly never[] = [];

export function refuse(state: ReservationState, why: Fault): Decision {
  return { state, fault: why, attentions: NOBODY, aborted: NOBODY };
}

export function conflict(state: ReservationState): Decision {
  return refuse(state, fault('reservationConflict'));
}

export function accept(
  state: ReservationState,
  attentions: readonly Attention[] = NOBODY,
  aborted: readonly NexusName[] = NOBODY,
): Decision {
  return { state, fault: undefined, attentions, aborted };
}

/** `reason` for every one of `registrations` but `sender`. */
export function attentionFor(
  registrations: readonly Registration[],
  sender: NexusName,
  reason: ReservationAttention,
): Attention[] {
  return registrations
    .filter((registration) => !isSameNexus(registration, sender))
    .map(({ initiatorPort, targetPort }) => ({ nexus: { initiatorPort, targetPort }, reason }));
}

/** The reservation that is left when only `registrations` are: none without its holder or without any registrant. */
export function reservationAmong(
  registrations: readonly Registration[],
  reservation: Reservation | undefined,
): Reservation | undefined {
  if (reservation === undefined) return undefined;
  const { holder } = reservation;
  if (isAllRegistrants(reservation.type)) return registrations.length > 0 ? reservation : undefined;
  const holds =
    holder !== undefined && registrations.some((registration) => isSameNexus(registration, holder));
  return holds ? reservation : undefined;
}
