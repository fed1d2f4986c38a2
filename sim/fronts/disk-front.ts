/**
 * A storage with one node and one disk: commands one after the other, a write is flushed before it is answered. What
 * it needs of the world (disk, crash, power, sessions) is what the mirror will need, so it shows that the world works.
 */

import type { DiskOutcome } from '../disk.ts';
import { createDisk } from '../disk.ts';
import type { Flaw } from '../flaws.ts';
import type { FrontParts } from '../world.ts';
import type { Answer, Command, Session, StorageFront } from '../storage.ts';
import { RESERVATION_DEVICE } from '../worker.ts';
import { blocksOf } from '../workload.ts';
import { createReservations } from './reservations.ts';

export const DISK_FLAWS = {
  answersBeforeFlush: { what: 'an answer before the flush' },
} as const satisfies Readonly<Record<string, Flaw>>;

interface Job {
  readonly session: Session;
  readonly command: Command;
  readonly answer: (answer: Answer) => void;
}

const NODE = 0;
/** Apart from the network's sources. */
const DISK_SOURCE = 1_000;
const LATENCY_MS = { read: 0.1, write: 0.1, flush: 1 };
const GOOD = { status: 'good', values: [] } as const;

export function createDiskFront(parts: FrontParts): StorageFront {
  const { hosts, scheduler, random, shape, trace } = parts;
  const answersBeforeFlush = parts.flaw === 'answersBeforeFlush';
  const blocks = blocksOf(shape);
  /** In the memory of the process, unlike reservations: those outlive everything, for this front need not prove more. */
  let queue: Job[] = [];
  let working = false;
  let onOutcome: ((outcome: DiskOutcome<number>) => void) | undefined;
  const reservations = createReservations(false);

  const disk = createDisk<number>({
    source: DISK_SOURCE,
    host: hosts[NODE]!,
    scheduler,
    random: random.fork('disk'),
    trace,
    sectorCount: blocks,
    latencyMs: LATENCY_MS,
    corrupt: (value) => -value,
    onCompletion: (_, outcome) => onOutcome?.(outcome),
  });

  function ask(
    operation: Parameters<typeof disk.submit>[0],
    next: (outcome: DiskOutcome<number>) => void,
  ): void {
    onOutcome = next;
    disk.submit(operation, 0);
  }

  function work(): void {
    const job = queue.shift();
    working = job !== undefined;
    if (job === undefined) return;
    // A command of a session that is gone is never begun.
    if (job.session.abandoned) return work();
    const finish = (answer: Answer): void => {
      job.answer(answer);
      work();
    };
    perform(job.command, finish);
  }

  function perform(command: Command, finish: (answer: Answer) => void): void {
    switch (command.kind) {
      case 'read':
        return read(command.lba, command.blocks, (values) => finish({ status: 'good', values }), finish);
      case 'write':
        return write(command.lba, command.values, finish);
      case 'compareAndWrite': {
        const decide = (values: readonly number[]): void => {
          if (values.join() === command.expected.join()) write(command.lba, command.values, finish);
          else finish({ status: 'miscompare' });
        };
        return read(command.lba, command.expected.length, decide, finish);
      }
      default:
        return finish(GOOD);
    }
  }

  function read(
    lba: number,
    count: number,
    next: (values: readonly number[]) => void,
    finish: (answer: Answer) => void,
  ): void {
    ask({ kind: 'read', sector: lba, count }, (outcome) => {
      if (outcome.ok) next(outcome.values.map((value) => value ?? 0));
      else finish({ status: 'mediumError' });
    });
  }

  function write(lba: number, values: readonly number[], finish: (answer: Answer) => void): void {
    ask({ kind: 'write', sector: lba, values }, (written) => {
      if (!written.ok) return finish({ status: 'mediumError' });
      if (answersBeforeFlush) return finish(GOOD);
      ask({ kind: 'flush' }, (flushed) => finish(flushed.ok ? GOOD : { status: 'mediumError' }));
    });
  }

  return {
    open: ({ node }) => node === NODE,
    submit(session, device, command, answer) {
      if (device === RESERVATION_DEVICE) return answer(reservations.perform(session, command, false));
      queue.push({ session, command, answer });
      if (!working) work();
    },
    heard: () => undefined,
    close(session) {
      queue = queue.filter((job) => job.session !== session);
    },
    crash(node, how) {
      if (node !== NODE) return;
      disk.crash(how);
      [queue, working, onOutcome] = [[], false, undefined];
    },
    restart: () => undefined,
    disksOf: (node) => (node === NODE ? [disk] : []),
    completeCopies: () => [NODE],
    operate: () => undefined,
    isQuiet: () => !working,
    replicas: () => [
      { node: NODE, values: Array.from({ length: blocks }, (_, block) => disk.medium.read(block) ?? 0) },
    ],
  };
}
