/** The persistent reservations of a device behave as if their commands came one after the other. */

import type { Operation, SequentialModel } from '../../src/judge/linearizable.ts';
import { judgeOrder } from '../../src/judge/linearizable.ts';
import { groupBy, judgeEach, type ObjectsVerdict } from '../../src/judge/locks.ts';
import type { ReservationCommand } from '../storage.ts';

/** A command of `nexus`; 'write': any write to the device's medium. */
export interface ReservationInput {
  readonly nexus: number;
  /** The reservation key that the initiator of `nexus` uses. */
  readonly key: number;
  readonly command: ReservationCommand | { readonly kind: 'write' };
}

export type ReservationOutput =
  | 'done'
  | 'conflict'
  | { readonly generation: number; readonly holder: number; readonly keys: readonly number[] };

export interface ReservationOperation extends Operation<ReservationInput, ReservationOutput> {
  readonly device: number;
}

export interface ReservationViolation {
  readonly rule: 'reservationNotAtomic';
  readonly explanation: string;
}

export function checkReservations(
  operations: readonly ReservationOperation[],
): ObjectsVerdict<ReservationViolation> {
  // What changes nothing says nothing without an answer.
  const telling = operations.filter(
    ({ input, output }) => output !== undefined || !isQuestion(input.command),
  );
  return judgeEach(
    groupBy(telling, (operation) => operation.device),
    (history) => judgeOrder(history, RESERVATIONS),
    (device, { length }) => ({
      rule: 'reservationNotAtomic',
      explanation: `reservations of device ${device}: no order of ${length} commands explains their answers`,
    }),
  );
}

interface Reservations {
  /** Nexus → key. */
  readonly registered: ReadonlyMap<number, number>;
  readonly holder: number | undefined;
  readonly generation: number;
}

const RESERVATIONS: SequentialModel<Reservations, ReservationInput, ReservationOutput> = {
  initial: { registered: new Map(), holder: undefined, generation: 0 },
  key: ({ registered, holder, generation }) =>
    `${[...registered]
      .map((pair) => pair.join(':'))
      .sort()
      .join()};${holder};${generation}`,
  isPassive: ({ command }, output) => isQuestion(command) || output === 'conflict',
  apply(state, input, output) {
    const after = perform(state, input);
    if (output === undefined) return after ?? state;
    if (output === 'conflict') return after === undefined ? state : undefined;
    if (after === undefined) return undefined;
    if (output === 'done') return after;
    const holder = state.holder === undefined ? 0 : (state.registered.get(state.holder) ?? 0);
    const keys = [...state.registered.values()].sort((a, b) => a - b);
    const same =
      output.generation === state.generation &&
      output.holder === holder &&
      output.keys.join() === keys.join();
    return same ? state : undefined;
  },
};

/** Whether it leaves reservations as they are, whatever they are; a write only asks them. */
function isQuestion({ kind }: ReservationInput['command']): boolean {
  return kind === 'write' || kind === 'readReservation';
}

/** SPC-4 §5.13; undefined: RESERVATION CONFLICT. */
function perform(state: Reservations, { nexus, key, command }: ReservationInput): Reservations | undefined {
  const { registered, holder, generation } = state;
  const isRegistered = registered.has(nexus);
  if (command.kind === 'readReservation') return state;
  if (command.kind === 'write') return holder === undefined || isRegistered ? state : undefined;
  if (command.kind === 'register') {
    const changed = new Map(registered);
    if (command.key === 0) changed.delete(nexus);
    else changed.set(nexus, command.key);
    const left = holder === nexus && command.key === 0 ? undefined : holder;
    return { registered: changed, holder: left, generation: generation + 1 };
  }
  if (!isRegistered) return undefined;
  switch (command.kind) {
    case 'reserve':
      return holder === undefined || holder === nexus ? { ...state, holder: nexus } : undefined;
    case 'release':
      return holder === nexus ? { ...state, holder: undefined } : state;
    case 'clear':
      return { registered: new Map(), holder: undefined, generation: generation + 1 };
    case 'preempt': {
      const victims = [...registered].filter(([, other]) => other === command.victim).map(([other]) => other);
      if (victims.length === 0) return undefined;
      const left = new Map([...registered].filter(([other]) => other === nexus || !victims.includes(other)));
      const takesOver = holder !== undefined && victims.includes(holder);
      return {
        registered: left.set(nexus, key),
        holder: takesOver ? nexus : holder,
        generation: generation + 1,
      };
    }
  }
}
