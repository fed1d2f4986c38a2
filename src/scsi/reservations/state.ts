/**
 * What a logical unit remembers of reservations (SPC-4 §5.13; SPC-2 §5.5 for RESERVE and RELEASE): plain data, keyed
 * by names that mean the same on every node and after a restart, never by a live nexus.
 *
 * Invariants
 *  1. A nexus has at most one registration; its key is not zero.
 *  2. The holder of a reservation is registered. Of an all-registrants reservation every registrant is a holder,
 *     and there is at least one.
 *  3. A legacy (SPC-2) reservation and registrations never stand at the same time.
 *  4. `generation` never falls, save by wrapping at 2^32 and by a power cycle.
 */

/** A nexus by its ends: initiator port name (lower case) and relative target port identifier. */
export interface NexusName {
  readonly initiatorPort: string;
  readonly targetPort: number;
}

export interface Registration extends NexusName {
  /** Reservation key: eight bytes that are the initiator's own business. Not zero. */
  readonly key: bigint;
}

/** SPC-4 table 185. */
export const ReservationType = {
  WRITE_EXCLUSIVE: 0x1,
  EXCLUSIVE_ACCESS: 0x3,
  WRITE_EXCLUSIVE_REGISTRANTS_ONLY: 0x5,
  EXCLUSIVE_ACCESS_REGISTRANTS_ONLY: 0x6,
  WRITE_EXCLUSIVE_ALL_REGISTRANTS: 0x7,
  EXCLUSIVE_ACCESS_ALL_REGISTRANTS: 0x8,
} as const;
export type ReservationType = (typeof ReservationType)[keyof typeof ReservationType];

export interface Reservation {
  readonly type: ReservationType;
  /** Undefined for the all-registrants types. */
  readonly holder: NexusName | undefined;
}

export interface ReservationState {
  /** PRGENERATION, 32 bits. */
  readonly generation: number;
  /** Activate persist through power loss, as the last successful registration asked. */
  readonly aptpl: boolean;
  readonly registrations: readonly Registration[];
  readonly reservation: Reservation | undefined;
  /** Who holds the SPC-2 reservation. */
  readonly legacyHolder: NexusName | undefined;
}

/** What a logical unit keeps room for; beyond it: INSUFFICIENT REGISTRATION RESOURCES. */
export const REGISTRATIONS_MAX = 512;

export const NOTHING_RESERVED: ReservationState = {
  generation: 0,
  aptpl: false,
  registrations: [],
  reservation: undefined,
  legacyHolder: undefined,
};

export function isReservationType(value: number): value is ReservationType {
  return value === 1 || value === 3 || (value >= 5 && value <= 8);
}

export function isAllRegistrants(type: ReservationType): boolean {
  return type >= ReservationType.WRITE_EXCLUSIVE_ALL_REGISTRANTS;
}

/** Registrants only or all registrants: whoever is registered has access. */
export function isForRegistrants(type: ReservationType): boolean {
  return type >= ReservationType.WRITE_EXCLUSIVE_REGISTRANTS_ONLY;
}

export function isSameNexus(a: NexusName, b: NexusName): boolean {
  return a.targetPort === b.targetPort && a.initiatorPort === b.initiatorPort;
}

export function registrationOf(state: ReservationState, nexus: NexusName): Registration | undefined {
  return state.registrations.find((registration) => isSameNexus(registration, nexus));
}

/** Whether `nexus`, which is registered, is a persistent reservation holder (SPC-4 §5.13.10). */
export function isHolder(state: ReservationState, nexus: NexusName): boolean {
  if (state.reservation === undefined) return false;
  const { type, holder } = state.reservation;
  if (holder !== undefined) return isSameNexus(holder, nexus);
  return isAllRegistrants(type) && registrationOf(state, nexus) !== undefined;
}

export function nextGeneration(state: ReservationState): number {
  return (state.generation + 1) >>> 0;
}
