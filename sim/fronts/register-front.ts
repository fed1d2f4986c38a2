/**
 * A storage that cannot exist: all nodes share one memory, and a command takes effect in one instant. It is the measure:
 * on it no checker may ever complain, under whatever faults. With a flaw it is what a checker must catch.
 */

import type { Flaw } from '../flaws.ts';
import type { FrontParts } from '../world.ts';
import type { Answer, Command, Session, StorageFront } from '../storage.ts';
import { RESERVATION_DEVICE } from '../worker.ts';
import { blocksOf } from '../workload.ts';
import { createReservations } from './reservations.ts';

const ORDER = ['backwardInsideForward', 'forwardZonesOverlap'] as const;

/** Each with what must find it. */
export const REGISTER_FLAWS = {
  acknowledgeEarly: {
    what: 'GOOD before anything was written, and now and then it never is',
    foundBy: ORDER,
  },
  staleRead: {
    what: 'a read returns what the block held before the last write',
    foundBy: [...ORDER, 'lockNotAtomic'],
  },
  lostWrite: { what: 'GOOD, and nothing was written', foundBy: ORDER },
  tornWrite: { what: 'of several blocks only the first are written', foundBy: ORDER },
  tornCompareAndWrite: { what: 'only the first blocks are swapped', foundBy: ['lockNotAtomic'] },
  doubleCompareAndWrite: { what: 'comparing and writing are two steps', foundBy: ['lockNotAtomic'] },
  ghostWrite: {
    what: 'commands of sessions that the initiator has given up are still done',
    foundBy: [...ORDER, 'acknowledgedWriteLost'],
  },
  twoHolders: { what: 'RESERVE succeeds whoever holds', foundBy: ['reservationNotAtomic'] },
  unfencedWrite: { what: 'writes pass the reservation of another', foundBy: ['reservationNotAtomic'] },
  replicaMissesWrite: {
    what: "one node's replica misses a write",
    foundBy: ['replicasDiffer', 'acknowledgedWriteLost'],
  },
  silence: { what: 'from some command on none is answered', foundBy: ['unanswered'] },
  oldEpoch: { what: 'a node that was frozen goes on in the epoch it knew', foundBy: ['oldEpochServes'] },
  splitBrain: { what: 'two nodes make up an epoch of the same number', foundBy: ['twoEpochsServe'] },
  fullResyncWithoutReason: { what: 'all is compared for nothing', foundBy: ['fullResyncWithoutReason'] },
  assertion: { what: 'a bug stops the process, in a promise', foundBy: ['stopped'] },
} as const satisfies Readonly<Record<string, Flaw>>;

/** How often a flaw shows. */
const CHANCE = 0.02;
const WORK_MS_MEAN = 0.3;
const GHOST_DELAY_MS_MEAN = 2000;
const STEP_APART_MS = 20;

export function createRegisterFront({ hosts, random, shape, observe, flaw }: FrontParts): StorageFront {
  const blocks = blocksOf(shape);
  const values = Array.from({ length: blocks }, () => 0);
  const before = Array.from({ length: blocks }, () => 0);
  /** What the last node's replica missed. */
  const missed = new Set<number>();
  const reservations = createReservations(flaw === 'twoHolders');
  const strikes = (candidate: keyof typeof REGISTER_FLAWS): boolean =>
    flaw === candidate && random.chance(CHANCE);
  let unanswered = 0;

  function write(lba: number, written: readonly number[], torn: boolean): void {
    const count = torn ? Math.max(1, written.length - 1) : written.length;
    for (let i = 0; i < count; i++) {
      before[lba + i] = values[lba + i]!;
      values[lba + i] = written[i]!;
      if (strikes('replicaMissesWrite')) missed.add(lba + i);
      else missed.delete(lba + i);
    }
  }

  function perform(
    session: Session,
    device: number,
    command: Command,
    answer: (answer: Answer) => void,
  ): void {
    const good = { status: 'good', values: [] } as const;
    const node = hosts[session.node]!;
    if (device === RESERVATION_DEVICE)
      return answer(reservations.perform(session, command, strikes('unfencedWrite')));
    switch (command.kind) {
      case 'read': {
        const source = strikes('staleRead') ? before : values;
        return answer({ status: 'good', values: source.slice(command.lba, command.lba + command.blocks) });
      }
      case 'write':
        if (strikes('acknowledgeEarly')) {
          node.clock.after(random.exponential(STEP_APART_MS), () =>
            write(command.lba, command.values, false),
          );
        } else if (!strikes('lostWrite')) {
          write(command.lba, command.values, strikes('tornWrite'));
        }
        return answer(good);
      case 'compareAndWrite': {
        const equal = command.expected.every((value, i) => value === values[command.lba + i]);
        if (!equal) return answer({ status: 'miscompare' });
        const swap = (): void => {
          write(command.lba, command.values, strikes('tornCompareAndWrite'));
          answer(good);
        };
        if (strikes('doubleCompareAndWrite')) node.clock.after(random.exponential(STEP_APART_MS), swap);
        else swap();
        return;
      }
      case 'unmap':
        write(
          command.lba,
          Array.from({ length: command.blocks }, () => 0),
          false,
        );
        return answer(good);
      default:
        return answer(good);
    }
  }

  function observeFlaws(node: number): void {
    if (strikes('assertion')) void Promise.reject(new Error('this must not be'));
    if (strikes('fullResyncWithoutReason')) observe({ kind: 'fullResync', node, device: 0, reason: '' });
    const epoch = 7 - Number(strikes('oldEpoch'));
    observe({ kind: 'served', node, device: 0, epoch, epochId: strikes('splitBrain') ? node + 1 : 0 });
  }

  return {
    open: () => true,
    submit(session, device, command, answer) {
      if (unanswered > 0 || strikes('silence')) {
        unanswered++;
        return;
      }
      const late = strikes('ghostWrite') && command.kind === 'write';
      const workMs = random.exponential(late ? GHOST_DELAY_MS_MEAN : WORK_MS_MEAN);
      hosts[session.node]!.clock.after(workMs, () => {
        if (session.abandoned && flaw !== 'ghostWrite') return;
        observeFlaws(session.node);
        perform(session, device, command, answer);
      });
    },
    heard: () => undefined,
    close: () => undefined,
    crash: () => undefined,
    restart: () => undefined,
    disksOf: () => [],
    completeCopies: () => hosts.map(({ id }) => id),
    operate: () => undefined,
    isQuiet: () => true,
    replicas: () =>
      hosts.map(({ id }) => ({
        node: id,
        values: values.map((value, block) =>
          id === hosts.length - 1 && missed.has(block) ? before[block]! : value,
        ),
      })),
  };
}
