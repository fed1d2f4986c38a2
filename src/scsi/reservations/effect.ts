/**
 * What a change of the reservations of a mirrored unit means for the nexuses of each node: which unit attentions they
 * get, and whose tasks are aborted. The change was decided on one node; the others learn of it with the new state, and
 * tell from the state they had before.
 */

import type { Decision, ReservationAttention } from './decision.ts';
import { isSameNexus, type NexusName, registrationOf, type ReservationState } from './state.ts';

/** The last change, in few words: the same as its attentions and aborts say. */
export interface Effect {
  /** The nexus that asked for it; undefined: nobody did. */
  readonly by: NexusName | undefined;
  /** What those hear that are not registered any more, but for `by`. */
  readonly removed: 'registrationsPreempted' | 'reservationsPreempted' | undefined;
  /** Those that are still registered hear RESERVATIONS RELEASED, but for `by`. */
  readonly releases: boolean;
  /** The tasks of those that are not registered any more are aborted, but for those of `by`. */
  readonly aborts: boolean;
  /** The logical unit was reset, alone or with its target: all tasks are aborted, and all nexuses hear of it. */
  readonly reset: 'unit' | 'target' | undefined;
}

export interface SharedState {
  /** How many changes there were. */
  readonly number: number;
  /** How many of them were resets, modulo 2^32. */
  readonly resets: number;
  readonly state: ReservationState;
  readonly effect: Effect;
}

export const NO_EFFECT: Effect = {
  by: undefined,
  removed: undefined,
  releases: false,
  aborts: false,
  reset: undefined,
};

export function effectOf({ attentions, aborted }: Decision, by: NexusName): Effect {
  const has = (wanted: ReservationAttention): boolean => attentions.some(({ reason }) => reason === wanted);
  return {
    by,
    removed: has('registrationsPreempted')
      ? 'registrationsPreempted'
      : has('reservationsPreempted')
        ? 'reservationsPreempted'
        : undefined,
    releases: has('reservationsReleased'),
    aborts: aborted.length > 0,
    reset: undefined,
  };
}

export interface Consequence {
  readonly attentions: readonly ReservationAttention[];
  readonly aborts: boolean;
}

const NOTHING: Consequence = { attentions: [], aborts: false };

/**
 * What `nexus` has to hear when `after` follows `before`. Where changes in between were never seen here, whoever is not
 * registered any more counts as preempted and aborted.
 */
export function consequenceFor(nexus: NexusName, before: SharedState, after: SharedState): Consequence {
  const { by, removed, releases, aborts } = after.effect;
  const isNext = after.number === before.number + 1;
  if (isNext && by !== undefined && isSameNexus(by, nexus)) return NOTHING;
  const wasRegistered = registrationOf(before.state, nexus) !== undefined;
  if (registrationOf(after.state, nexus) !== undefined)
    return releases && wasRegistered ? { attentions: ['reservationsReleased'], aborts: false } : NOTHING;
  if (!wasRegistered) return NOTHING;
  if (!isNext) return { attentions: ['registrationsPreempted'], aborts: true };
  return removed === undefined ? NOTHING : { attentions: [removed], aborts };
}
