/**
 * This node's own copy: brings changes to the journal and the store, in an order in which a newer one is never
 * overwritten by an older one, and reads.
 *
 *   through   journal → store (durable) → held
 *   back      journal → held … valid → store (cached): what is not committed never gets below
 *
 * Invariants
 *  1. Of changes and reads that overlap one at a time is at the store, reads together; in order of arrival there. What
 *     newer changes have already stored is left out of an older one.
 *  2. `written` is called exactly once for every `beforeWrite` of the journal that went well.
 *  3. A change that is over (its configuration has ended) begins nothing.
 */

import { RangeLock } from '../base/range-lock.ts';
import { DONE, type MaybeAsync, type Result, then } from '../base/result.ts';
import type { DeviceFault, Durability, Loan } from '../ports/block-device.ts';
import type { Mutation } from './mutation.ts';
import type { MutationLog } from './mutation-log.ts';
import type { Operation } from './operation.ts';
import type { ReplicaPorts, WritePolicy } from './ports.ts';

type Answer = MaybeAsync<Result<void, DeviceFault>>;

export class LocalCopy {
  policy: WritePolicy = 'through';
  readonly #ports: ReplicaPorts;
  readonly #log: MutationLog;
  readonly #locks = new RangeLock();
  readonly #journaled = new Set<Mutation>();
  readonly #busySince = new Map<Mutation, number>();
  #active = 0;
  #idle: (() => void)[] = [];

  constructor(ports: ReplicaPorts, log: MutationLog) {
    this.#ports = ports;
    this.#log = log;
  }

  /** When the longest operation of the store began; undefined without any. */
  get oldestAt(): number | undefined {
    return this.#busySince.values().next().value;
  }

  /**
   * Makes a change as durable as the policy demands; `held` is called then. `storesLater`: in write-through, only the
   * journal for now; `store` follows.
   */
  receive(mutation: Mutation, held: (fault?: DeviceFault) => void, storesLater: boolean): void {
    this.#begin(mutation);
    const prepared = then(this.#ports.noteWritten(), (noted): Answer => {
      if (!noted.ok || mutation.operation.kind === 'document') return noted;
      return then(this.#ports.journal.beforeWrite(mutation.lba, mutation.blocks), (journaled): Answer => {
        if (journaled.ok) {
          mutation.isJournaled = true;
          this.#journaled.add(mutation);
          return DONE;
        }
        return { ok: false, fault: mediumFault(mutation.lba, 'the journal could not be written') };
      });
    });
    void then(prepared, (result) => {
      this.#end(mutation);
      if (mutation.isOver) return;
      if (!result.ok) return held(result.fault);
      const waits = this.policy === 'back' && mutation.operation.kind !== 'document';
      if (!waits && !storesLater) return this.store(mutation, held);
      mutation.isHeld = waits;
      held();
    });
  }

  /** Gives the change to the store; `done` unless it is over meanwhile. */
  store(mutation: Mutation, done: (fault?: DeviceFault) => void): void {
    this.#begin(mutation);
    const { lba, blocks } = mutation;
    void then(this.#locks.hold(lba, blocks, 'exclusive'), (range) => {
      if (mutation.isOver) {
        range.release();
        this.#end(mutation);
        return;
      }
      const durability: Durability = this.policy === 'through' ? 'durable' : 'cached';
      const parts = this.#log.visibleParts(mutation, (newer) => newer.isStored);
      void then(this.#writeAll(parts, mutation.stamp, durability), (result) => {
        range.release();
        if (result.ok) {
          mutation.isStored = true;
          mutation.isHeld = true;
        }
        this.#end(mutation);
        if (!mutation.isOver) done(result.ok ? undefined : result.fault);
      });
    });
  }

  /** `isClean` is asked when nothing is being stored there; false: nothing is read, and the answer is undefined. */
  read(
    lba: number,
    blocks: number,
    isClean: () => boolean,
  ): MaybeAsync<Result<Loan, DeviceFault> | undefined> {
    return then(this.#locks.hold(lba, blocks, 'shared'), (range) => {
      if (!isClean()) {
        range.release();
        return undefined;
      }
      return then(this.#ports.store.read(lba, blocks), (result) => {
        range.release();
        return result;
      });
    });
  }

  /** Writes what another member holds: `parts` says which of it, when nothing else is being stored there. Durable. */
  overwrite({ lba, blocks }: Operation, parts: () => readonly Operation[]): Answer {
    this.#active += 1;
    return then(this.#locks.hold(lba, blocks, 'exclusive'), (range) =>
      then(this.#writeAll(parts(), 0, 'durable'), (result) => {
        range.release();
        this.#ended();
        return result;
      }),
    );
  }

  /** The change is readable, or has failed for good: the journal hears of its end. */
  settle(mutation: Mutation): void {
    if (!this.#journaled.delete(mutation)) return;
    mutation.isJournaled = false;
    this.#ports.journal.written(
      mutation.lba,
      mutation.blocks,
      this.policy === 'through' ? 'durable' : 'cached',
    );
  }

  /** The configuration is over: answers when the store is still, and the journal has heard of the end of everything. */
  quiesce(): MaybeAsync<void> {
    const rest = (): void => {
      for (const { lba, blocks } of this.#journaled) this.#ports.journal.written(lba, blocks, 'durable');
      this.#journaled.clear();
    };
    if (this.#active === 0) return rest();
    return new Promise<void>((resolve) => this.#idle.push(resolve)).then(rest);
  }

  #begin(mutation: Mutation): void {
    this.#active += 1;
    this.#busySince.set(mutation, this.#ports.clock.now());
  }

  #end(mutation: Mutation): void {
    this.#busySince.delete(mutation);
    this.#ended();
  }

  #ended(): void {
    this.#active -= 1;
    if (this.#active > 0 || this.#idle.length === 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #writeAll(parts: readonly Operation[], stamp: number, durability: Durability): Answer {
    const [first, ...others] = parts;
    if (first === undefined) return DONE;
    const answer = this.#write(first, stamp, durability);
    if (others.length === 0) return answer;
    return then(answer, (result) => (result.ok ? this.#writeAll(others, stamp, durability) : result));
  }

  #write(operation: Operation, stamp: number, durability: Durability): Answer {
    const { store } = this.#ports;
    const { lba, blocks } = operation;
    switch (operation.kind) {
      case 'write':
        return store.write(lba, operation.data, durability);
      case 'writeSame':
        return store.writeSame(lba, blocks, operation.pattern, durability);
      case 'unmap':
        return store.unmap([{ lba, blocks }], durability);
      case 'document':
        return this.#ports.saveDocument(operation.name, operation.bytes, stamp);
    }
  }
}

function mediumFault(lba: number, cause: string): DeviceFault {
  return { kind: 'mediumError', operation: 'write', lba, cause };
}
