/**
 * Workers for what must be atomic.
 *
 *   lockers    as a cluster file system does: read the lock, swap what was read for something of their own; when the answer
 *              is lost the swap is not repeated
 *   reservers  register, reserve, preempt, release and write behind reservations, on a device of their own
 */

import type { LockInput, LockOutput } from '../src/judge/locks.ts';
import type { ReservationOutput } from './checkers/objects.ts';
import type { Open } from './history.ts';
import type { Outcome } from './initiator.ts';
import type { Command, ReservationCommand } from './storage.ts';
import type { Worker, WorkloadOptions } from './worker.ts';
import { DATA_DEVICE, execute, RESERVATION_DEVICE } from './worker.ts';

/** A lock goes back to zeros, a value that others have used before. */
const ZERO_CHANCE = 0.02;
/** Nor does everybody keep to the protocol: a lock is just written, too. */
const OVERWRITE_CHANCE = 0.15;
const NODES_MAX = 64;
type LockChange = Exclude<LockInput, { kind: 'readBlock' }>;
/** What a storage has begun when a session ends has ended after this long. */
const IN_FLIGHT_MS_MAX = 10_000;

export function locker(options: WorkloadOptions): Worker {
  const { shape, random, history, now } = options;
  const blocks = shape.lockBlocks;

  function readLock(lba: number, next: (values: readonly number[] | undefined) => void): void {
    const invokedAt = now();
    const done = (outcome: Outcome): void => {
      const values = outcome.status === 'good' ? outcome.values : undefined;
      for (const [index, value] of values?.entries() ?? []) {
        const input = { kind: 'readBlock', index } as const;
        history.locks.push({ lba, blocks, input, output: { value }, invokedAt, returnedAt: now() });
      }
      next(values);
    };
    const command = (): Command => ({ kind: 'read', lba, blocks });
    execute(options, 'read lock', { device: DATA_DEVICE, repeatable: true, command, done });
  }

  function swap(lba: number, expected: readonly number[], values: readonly number[], next: () => void): void {
    change(lba, { kind: 'compareAndWrite', expected, values }, next);
  }

  function change(lba: number, input: LockChange, next: () => void): void {
    const attempts: Open<(typeof history.locks)[number]>[] = [];
    const command = (): Command => {
      attempts.push({ lba, blocks, input, output: undefined, invokedAt: now(), returnedAt: Infinity });
      history.locks.push(attempts.at(-1)!);
      return { ...input, lba };
    };
    const done = ({ status }: Outcome): void => {
      // A session that was cut off is not repeated on another path: what had begun there may end a little later.
      const until = status === 'unknown' ? now() + IN_FLIGHT_MS_MAX : now();
      for (const attempt of attempts) attempt.returnedAt = until;
      const output: LockOutput | undefined =
        status === 'good' ? 'done' : status === 'miscompare' ? 'miscompare' : undefined;
      attempts.at(-1)!.output = output;
      next();
    };
    const what = input.kind === 'write' ? 'write lock' : 'compare and write';
    execute(options, what, { device: DATA_DEVICE, repeatable: false, command, done });
  }

  return (next) => {
    const lba = shape.dataBlocks + blocks * random.integer(0, shape.locks - 1);
    // Of more than one block a loss of power may leave a part.
    if (blocks === 1 && random.chance(OVERWRITE_CHANCE))
      return change(lba, { kind: 'write', values: [history.newValue()] }, next);
    readLock(lba, (values) => {
      if (values === undefined) return next();
      const zero = random.chance(ZERO_CHANCE);
      const mine = values.map(() => (zero ? 0 : history.newValue()));
      swap(lba, values, mine, next);
    });
  };
}

export function reserver(options: WorkloadOptions): Worker {
  const { random, history, now, initiator } = options;
  const keyOf = (id: number): number => 100 + id;
  const first = initiator.id;

  function draw(): ReservationCommand | { readonly kind: 'write' } {
    const kind = random.pick([
      'register',
      'reserve',
      'release',
      'preempt',
      'clear',
      'readReservation',
      'readReservation',
      'write',
      'write',
    ] as const);
    if (kind === 'register') return { kind, key: random.chance(0.8) ? keyOf(first) : 0 };
    if (kind === 'preempt') return { kind, victim: keyOf(first) + random.pick([-1, 1]) };
    return { kind };
  }

  return (next) => {
    const drawn = draw();
    const key = keyOf(first);
    const attempts: Open<(typeof history.reservations)[number]>[] = [];
    const command = (node: number): Command => {
      const input = { nexus: initiator.id * NODES_MAX + node, key, command: drawn };
      const device = RESERVATION_DEVICE;
      attempts.push({ device, input, output: undefined, invokedAt: now(), returnedAt: Infinity });
      history.reservations.push(attempts.at(-1)!);
      return drawn.kind === 'write' ? { kind: 'write', lba: 0, values: [history.newValue()] } : drawn;
    };
    const done = (outcome: Outcome): void => {
      for (const attempt of attempts) attempt.returnedAt = now();
      attempts.at(-1)!.output = outputOf(outcome);
      next();
    };
    execute(options, drawn.kind, { device: RESERVATION_DEVICE, repeatable: true, command, done });
  };
}

function outputOf(outcome: Outcome): ReservationOutput | undefined {
  if (outcome.status === 'good') return 'done';
  if (outcome.status === 'reservationConflict') return 'conflict';
  if (outcome.status !== 'reservation') return undefined;
  const { generation, holder, keys } = outcome;
  return { generation, holder, keys };
}
