/** Persistent reservations of one device in one memory, for fronts; written apart from the checker's model of them. */

import type { Answer, Command, Session } from '../storage.ts';

interface Registration {
  readonly initiator: number;
  readonly node: number;
  key: number;
}

export interface ReservationsState {
  readonly registrations: readonly Registration[];
  readonly holder: number;
  readonly generation: number;
}

export interface Reservations {
  readonly state: ReservationsState;
  /** `unfenced`: lets a write pass whatever is reserved. */
  perform(session: Session, command: Command, unfenced: boolean): Answer;
}

const GOOD = { status: 'good', values: [] } as const;
const CONFLICT = { status: 'reservationConflict' } as const;

export function createReservations(
  everybodyMayReserve: boolean,
  before: ReservationsState = { registrations: [], holder: -1, generation: 0 },
): Reservations {
  let registrations: Registration[] = before.registrations.map((registration) => ({ ...registration }));
  let holder: Registration | undefined = registrations[before.holder];
  let { generation } = before;

  function register(own: Registration | undefined, session: Session, key: number): void {
    generation++;
    if (key === 0) {
      registrations = registrations.filter((other) => other !== own);
      if (own !== undefined && holder === own) holder = undefined;
    } else if (own === undefined) {
      registrations.push({ initiator: session.initiator, node: session.node, key });
    } else {
      own.key = key;
    }
  }

  function preempt(own: Registration, victim: number): Answer {
    if (!registrations.some(({ key }) => key === victim)) return CONFLICT;
    if (holder?.key === victim) holder = own;
    registrations = registrations.filter((other) => other === own || other.key !== victim);
    generation++;
    return GOOD;
  }

  return {
    get state() {
      return { registrations, holder: holder === undefined ? -1 : registrations.indexOf(holder), generation };
    },
    perform(session, command, unfenced) {
      const own = registrations.find((r) => r.initiator === session.initiator && r.node === session.node);
      switch (command.kind) {
        case 'readReservation': {
          const keys = registrations.map(({ key }) => key).sort((a, b) => a - b);
          return { status: 'reservation', generation, holder: holder?.key ?? 0, keys };
        }
        case 'register':
          register(own, session, command.key);
          return GOOD;
        case 'write':
          return holder === undefined || own !== undefined || unfenced ? GOOD : CONFLICT;
        case 'reserve':
          if (own === undefined) return CONFLICT;
          if (holder !== undefined && holder !== own && !everybodyMayReserve) return CONFLICT;
          holder = own;
          return GOOD;
        case 'release':
          if (own === undefined) return CONFLICT;
          if (holder === own) holder = undefined;
          return GOOD;
        case 'clear':
          if (own === undefined) return CONFLICT;
          registrations = [];
          holder = undefined;
          generation++;
          return GOOD;
        case 'preempt':
          return own === undefined ? CONFLICT : preempt(own, command.victim);
        default:
          return GOOD;
      }
    },
  };
}
