/** A VoteStore in memory, with as many ways to it as there are nodes; each can be cut, hang, or lose answers. */

import { fail, ok, type Result } from '../../base/result.ts';
import type { StoredVote, VoteFault, VoteStore } from '../../ports/vote-store.ts';

/** What becomes of an operation: it is done; it is not; it is done, and nobody hears of it; it never answers. */
export type Fate = 'well' | 'cut' | 'unheard' | 'writeUnheard' | 'hung';

const UNREACHABLE: Result<never, VoteFault> = fail({ kind: 'unreachable', cause: 'cut' });

export class MemoryVotes {
  #content: StoredVote | undefined;
  /** Also over the end of what was there: a version never comes back. */
  #version = 0;
  readonly #fates = new Map<number, Fate>();
  reads = 0;
  writes = 0;

  setFate(node: number, fate: Fate): void {
    this.#fates.set(node, fate);
  }

  get bytes(): Uint8Array | undefined {
    return this.#content?.bytes;
  }

  /** As an administrator could: nobody is asked. */
  replace(bytes: Uint8Array | undefined): void {
    this.#content = bytes === undefined ? undefined : { bytes, version: ++this.#version };
  }

  of(node: number): VoteStore {
    const answer = async <T>(
      isWrite: boolean,
      operation: () => Result<T, VoteFault>,
    ): Promise<Result<T, VoteFault>> => {
      const fate = this.#fates.get(node) ?? 'well';
      if (fate === 'cut') return UNREACHABLE;
      if (fate === 'hung') return new Promise(() => undefined);
      const result = operation();
      const isHeard = fate === 'well' || (fate === 'writeUnheard' && !isWrite);
      return isHeard ? result : UNREACHABLE;
    };
    return {
      name: `memory of node ${node}`,
      read: () =>
        answer(false, () => {
          this.reads += 1;
          return ok(this.#content);
        }),
      write: (bytes, version) =>
        answer(true, () => {
          this.writes += 1;
          if (version !== (this.#content?.version ?? 0)) return ok(false);
          this.replace(Uint8Array.from(bytes));
          return ok(true);
        }),
    };
  }
}
