/**
 * A store in memory, one byte for each block: what a block holds is its first byte. Its calls answer at once, or when
 * told; it keeps a list of them, and how many loans have not come back.
 */

import { DONE, fail, type MaybeAsync, ok, type Result } from '../../base/result.ts';
import { copyTo } from '../../base/segments.ts';
import type { DeviceFault, Durability, Extent, Loan } from '../../ports/block-device.ts';
import type { ReplicaStore } from '../ports.ts';

export const BLOCK = 4096;

/** Blocks whose bytes are all `value`. */
export function filled(value: number, blocks = 1): Uint8Array[] {
  return [new Uint8Array(BLOCK * blocks).fill(value)];
}

export class HeldStore implements ReplicaStore {
  readonly geometry;
  /** What each block holds. */
  readonly blocks: Uint8Array;
  /** 'write 3+2 durable', 'read 0+1', 'flush', … in the order in which they came. */
  readonly calls: string[] = [];
  readonly unreadable = new Set<number>();
  readonly unwritable = new Set<number>();
  canFlush = true;
  loans = 0;
  #holds: ((call: string) => boolean) | undefined;
  #held: { readonly call: string; readonly go: () => void }[] = [];

  constructor(blockCount: number) {
    this.blocks = new Uint8Array(blockCount);
    this.geometry = {
      blockLength: BLOCK,
      blockCount,
      physicalBlockExponent: 0,
      readOnly: false,
      thin: true,
      unmapGranularity: 1,
    } as const;
  }

  /** From now on calls like this one wait. */
  hold(holds: (call: string) => boolean = () => true): void {
    this.#holds = holds;
  }

  get held(): string[] {
    return this.#held.map(({ call }) => call);
  }

  /** Lets the first waiting one through; the others still wait. */
  async letOne(): Promise<void> {
    this.#held.shift()!.go();
    await turns();
  }

  /** Nothing waits any more. */
  async letAll(): Promise<void> {
    this.#holds = undefined;
    while (this.#held.length > 0) {
      // oxlint-disable-next-line no-await-in-loop -- each may lead to the next
      await this.letOne();
    }
  }

  read(lba: number, blocks: number): MaybeAsync<Result<Loan, DeviceFault>> {
    return this.#call(`read ${lba}+${blocks}`, (): Result<Loan, DeviceFault> => {
      const bad = rangeOf(lba, blocks).find((block) => this.unreadable.has(block));
      if (bad !== undefined) return fail({ kind: 'mediumError', operation: 'read', lba: bad, cause: 'EIO' });
      const bytes = new Uint8Array(BLOCK * blocks);
      for (const [at, block] of rangeOf(lba, blocks).entries())
        bytes.fill(this.blocks[block]!, at * BLOCK, (at + 1) * BLOCK);
      this.loans += 1;
      const loan = { segments: [bytes], release: () => this.#release(bytes) };
      return ok(loan);
    });
  }

  write(
    lba: number,
    data: readonly Uint8Array[],
    durability: Durability,
  ): MaybeAsync<Result<void, DeviceFault>> {
    const bytes = new Uint8Array(data.reduce((sum, { length }) => sum + length, 0));
    copyTo(data, bytes, 0);
    const extent = { lba, blocks: bytes.length / BLOCK };
    return this.#change(`write ${lba}+${extent.blocks} ${durability}`, extent, (at) => bytes[at * BLOCK]!);
  }

  writeSame(
    lba: number,
    blocks: number,
    pattern: Uint8Array,
    durability: Durability,
  ): MaybeAsync<Result<void, DeviceFault>> {
    return this.#change(`writeSame ${lba}+${blocks} ${durability}`, { lba, blocks }, () => pattern[0]!);
  }

  unmap(extents: readonly Extent[], durability: Durability): MaybeAsync<Result<void, DeviceFault>> {
    const { lba, blocks } = extents[0]!;
    return this.#change(`unmap ${lba}+${blocks} ${durability}`, { lba, blocks }, () => 0);
  }

  flush(): MaybeAsync<Result<void, DeviceFault>> {
    return this.#call('flush', () =>
      this.canFlush ? DONE : fail({ kind: 'mediumError', operation: 'write', lba: 0, cause: 'EIO' }),
    );
  }

  /** Who reads a loan after its release sees that. */
  #release(bytes: Uint8Array): void {
    this.loans -= 1;
    bytes.fill(0xee);
  }

  #change(
    call: string,
    { lba, blocks }: Extent,
    value: (at: number) => number,
  ): MaybeAsync<Result<void, DeviceFault>> {
    return this.#call(call, (): Result<void, DeviceFault> => {
      const bad = rangeOf(lba, blocks).find((block) => this.unwritable.has(block));
      if (bad !== undefined) return fail({ kind: 'mediumError', operation: 'write', lba: bad, cause: 'EIO' });
      for (const [at, block] of rangeOf(lba, blocks).entries()) this.blocks[block] = value(at);
      return DONE;
    });
  }

  #call<T>(call: string, answer: () => T): MaybeAsync<T> {
    this.calls.push(call);
    if (this.#holds?.(call) !== true) return answer();
    return new Promise((resolve) => this.#held.push({ call, go: () => resolve(answer()) }));
  }
}

/** What a settled promise has led to has happened. */
export async function turns(): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function rangeOf(lba: number, blocks: number): number[] {
  return Array.from({ length: blocks }, (_, at) => lba + at);
}
