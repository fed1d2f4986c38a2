/**
 * The unit under a load: reads, writes and locks by numbers, each recorded as it was begun, sent, and ended. Every attempt
 * to write has a value of its own, so that the history shows which of them took effect.
 */

import { decodeBlocks, encodeBlocks } from '../judge/block-codec.ts';
import type { LockInput, LockOutput } from '../judge/locks.ts';
import type { WriteAttempt } from '../judge/registers.ts';
import {
  type Capacity,
  compareAndWrite,
  readBlocks,
  type ScsiRequest,
  synchronizeCache,
  writeBlocks,
} from '../initiator/commands.ts';
import type { Outcome, Task } from '../initiator/multipath.ts';
import type { History, Open } from './history.ts';
import type { Meter } from './meter.ts';

export interface DiskOptions {
  readonly host: { execute(task: Task): void };
  readonly capacity: Capacity;
  readonly history: History;
  readonly meter: Meter;
  readonly now: () => number;
}

/** What a unit has begun when a session ends has ended after this long. */
const IN_FLIGHT_MS_MAX = 10_000;

export class Disk {
  readonly capacity: Capacity;
  readonly #options: DiskOptions;

  constructor(options: DiskOptions) {
    this.capacity = options.capacity;
    this.#options = options;
  }

  async read(lba: number, blocks: number): Promise<void> {
    const { history, now } = this.#options;
    const { blockLength } = this.capacity;
    const invokedAt = now();
    const outcome = await this.#run(() => readBlocks(lba, blocks, blockLength), true);
    if (outcome.kind !== 'good') return;
    const returnedAt = now();
    for (const [i, value] of decodeBlocks(outcome.data, blockLength).entries())
      history.reads.push({ block: lba + i, value, invokedAt, returnedAt });
  }

  async write(lba: number, blocks: number): Promise<void> {
    const { history, now } = this.#options;
    const { blockLength } = this.capacity;
    let last: Open<WriteAttempt>[] = [];
    const all: Open<WriteAttempt>[] = [];
    const request = (): ScsiRequest => {
      const value = history.newValue();
      const invokedAt = now();
      last = Array.from({ length: blocks }, (_, i) => ({
        block: lba + i,
        value,
        invokedAt,
        returnedAt: Infinity,
        acknowledged: false,
      }));
      for (const attempt of last) {
        all.push(attempt);
        history.writes.push(attempt);
      }
      const values = Array.from({ length: blocks }, () => value);
      return writeBlocks(lba, encodeBlocks(values, blockLength), blockLength);
    };
    const outcome = await this.#run(request, true);
    const returnedAt = now();
    // What a command that failed has sent may still arrive.
    if (outcome.kind === 'good') for (const attempt of all) attempt.returnedAt = returnedAt;
    if (outcome.kind === 'good') for (const attempt of last) attempt.acknowledged = true;
  }

  async flush(): Promise<void> {
    await this.#run(() => synchronizeCache, true);
  }

  /** Takes the lock of one block if it holds `expected`; what it holds as far as is known then. */
  async compareAndWrite(lba: number, expected: number): Promise<number | undefined> {
    const { history } = this.#options;
    const { blockLength } = this.capacity;
    const value = history.newValue();
    const content = {
      expected: encodeBlocks([expected], blockLength),
      data: encodeBlocks([value], blockLength),
    };
    const input: LockInput = { kind: 'compareAndWrite', expected: [expected], values: [value] };
    const request = (): ScsiRequest => compareAndWrite(lba, content, blockLength);
    const outcome = await this.#lock(lba, input, request, false);
    return outcome.kind === 'good' ? value : undefined;
  }

  async readLock(lba: number): Promise<number | undefined> {
    const { blockLength } = this.capacity;
    const input: LockInput = { kind: 'readBlock', index: 0 };
    const outcome = await this.#lock(lba, input, () => readBlocks(lba, 1, blockLength), true);
    return outcome.kind === 'good' ? decodeBlocks(outcome.data, blockLength)[0] : undefined;
  }

  async #lock(lba: number, input: LockInput, request: () => ScsiRequest, isRepeatable: boolean) {
    const { history, now } = this.#options;
    const attempts: Open<History['locks'][number]>[] = [];
    const attempt = (): ScsiRequest => {
      // Only the last read has an answer, and the others changed nothing.
      if (input.kind === 'readBlock') attempts.length = 0;
      attempts.push({ lba, blocks: 1, input, output: undefined, invokedAt: now(), returnedAt: Infinity });
      return request();
    };
    const outcome = await this.#run(attempt, isRepeatable);
    const isOver = outcome.kind === 'good' || outcome.kind === 'miscompare';
    const until = isOver ? now() : now() + IN_FLIGHT_MS_MAX;
    for (const one of attempts) one.returnedAt = until;
    const last = attempts.at(-1);
    if (last !== undefined) last.output = outputOf(input, outcome, this.capacity.blockLength);
    if (input.kind !== 'readBlock' || isOver) history.locks.push(...attempts);
    return outcome;
  }

  #run(request: () => ScsiRequest, isRepeatable: boolean): Promise<Outcome> {
    const { host, meter } = this.#options;
    const command = meter.begun();
    return new Promise((resolve) =>
      host.execute({
        request,
        isRepeatable,
        done: (outcome) => {
          meter.ended(command, outcome);
          resolve(outcome);
        },
      }),
    );
  }
}

function outputOf(input: LockInput, outcome: Outcome, blockLength: number): LockOutput | undefined {
  switch (outcome.kind) {
    case 'good':
      return input.kind === 'readBlock' ? { value: decodeBlocks(outcome.data, blockLength)[0]! } : 'done';
    case 'miscompare':
      return 'miscompare';
    case 'failed':
    case 'unknown':
      return undefined;
  }
}
