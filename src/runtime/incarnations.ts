/**
 * Numbers of processes that grow with every start, whatever becomes of the clock: microseconds of the time of day, or one
 * more than the last. Each user of a directory keeps its last one in a file of its own; all of them are looked at.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail, ok, type Result } from '../base/result.ts';

const PREFIX = 'incarnation-';

export class Incarnations {
  readonly #file: string | undefined;
  #last: number;

  /** `user`: unlike those of all who use the directory at the same time. Without a directory only the clock tells. */
  constructor(directory: string | undefined, user: string) {
    this.#file = directory === undefined ? undefined : path.join(directory, `${PREFIX}${user}`);
    this.#last = directory === undefined ? 0 : highest(directory);
  }

  /** Durable before it answers: it may be told to others. The fault, a clause for people: it cannot be kept. */
  next(): Result<number, string> {
    this.#last = Math.max(Date.now() * 1000, this.#last + 1);
    if (this.#file !== undefined) {
      try {
        mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
        writeFileSync(this.#file, `${this.#last}\n`, { mode: 0o600, flush: true });
      } catch (error) {
        return fail(error instanceof Error ? error.message : String(error));
      }
    }
    return ok(this.#last);
  }
}

function highest(directory: string): number {
  let files: string[];
  try {
    files = readdirSync(directory).filter((name) => name.startsWith(PREFIX));
  } catch {
    return 0;
  }
  const found = files.map((name) => Number(readFileSync(path.join(directory, name), 'utf8').trim()));
  return Math.max(0, ...found.filter((number) => Number.isSafeInteger(number)));
}
