/**
 * Settlers: they ask how large the device is, and read and write what it has got since it was made, now and then a block
 * that it may not have yet. Their draws and pauses are their own, so that the rest of a run is drawn as without them.
 */

import type { WriteAttempt } from '../src/judge/registers.ts';
import type { Open } from './history.ts';
import type { Outcome } from './initiator.ts';
import type { Command } from './storage.ts';
import { execute, NEW_DEVICE, type WorkloadOptions } from './worker.ts';

const PAUSE_MS = 250;
const ASK_CHANCE = 0.25;
/** To try a block behind what is known. */
const BEYOND_CHANCE = 0.1;
const READ_SHARE = 0.4;
/** Blocks behind the end that are tried. */
const BEYOND_MAX = 4;

export function startSettler(options: WorkloadOptions): void {
  const { clock, history, now, stopped } = options;
  const random = options.random.fork('settler');
  let known = 0;

  function later(): void {
    clock.after(random.exponential(PAUSE_MS), () => {
      if (!stopped()) step();
    });
  }

  function step(): void {
    if (known === 0 || random.chance(ASK_CHANCE)) return random.chance(BEYOND_CHANCE) ? use(true) : ask();
    use(random.chance(BEYOND_CHANCE));
  }

  function ask(): void {
    const invokedAt = now();
    const done = (outcome: Outcome): void => {
      if (outcome.status === 'good') {
        const [blocks = 0] = outcome.values;
        history.sizes.push({ least: blocks, most: blocks, invokedAt, returnedAt: now() });
        known = Math.max(known, blocks);
      }
      later();
    };
    const command = (): Command => ({ kind: 'readCapacity' });
    execute(options, 'read capacity', { device: NEW_DEVICE, repeatable: true, command, done });
  }

  function use(isBeyond: boolean): void {
    const lba = isBeyond ? known + random.integer(0, BEYOND_MAX) : random.integer(0, known - 1);
    // Pairs lie side by side.
    const blocks = !isBeyond && lba % 2 === 0 && lba + 1 < known ? random.integer(1, 2) : 1;
    const isRead = random.chance(READ_SHARE);
    const attempts: Open<WriteAttempt>[] = [];
    const invokedAt = now();
    const command = (): Command => {
      if (isRead) return { kind: 'read', lba, blocks };
      const values = Array.from({ length: blocks }, () => history.newValue());
      for (const [i, value] of values.entries())
        attempts.push({ block: lba + i, value, invokedAt: now(), returnedAt: Infinity, acknowledged: false });
      history.newWrites.push(...attempts.slice(-blocks));
      return { kind: 'write', lba, values };
    };
    const done = (outcome: Outcome): void => {
      const returnedAt = now();
      for (const attempt of attempts) attempt.returnedAt = returnedAt;
      if (outcome.status === 'outOfRange')
        history.sizes.push({ least: 0, most: lba + blocks - 1, invokedAt, returnedAt });
      if (outcome.status === 'good') {
        history.sizes.push({ least: lba + blocks, most: Infinity, invokedAt, returnedAt });
        for (const attempt of attempts.slice(-blocks)) attempt.acknowledged = true;
        for (const [i, value] of outcome.values.entries())
          history.newReads.push({ block: lba + i, value, invokedAt, returnedAt });
      }
      later();
    };
    execute(options, isRead ? 'read new' : 'write new', {
      device: NEW_DEVICE,
      repeatable: true,
      command,
      done,
    });
  }

  later();
}
