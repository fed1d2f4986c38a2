/**
 * A device beneath a cache that does what the port allows and no more: calls end in whatever order they are told to, a
 * change that fails has been done for some of its blocks, a crash leaves of each block any version since the last
 * flush. Each block holds one number, in all of its words. What the cache must not do is asserted.
 */

import { assert } from '../../base/assert.ts';
import { DONE, fail, ok, type Result } from '../../base/result.ts';
import { copyOf, lengthOf } from '../../base/segments.ts';
import type {
  DeviceFault,
  Durability,
  Extent,
  Geometry,
  GrowableDevice,
  Loan,
  WriteCache,
} from '../../ports/block-device.ts';

const BLOCK = 512;
const WORDS = BLOCK / 4;

type Answer = Promise<Result<void, DeviceFault>>;

/** Blocks of bytes as the numbers they hold. */
export function numbersOf(segments: readonly Uint8Array[]): number[] {
  const bytes = copyOf(segments);
  const words = new Uint32Array(bytes.buffer);
  return Array.from({ length: bytes.length / BLOCK }, (_, block) => {
    const first = words[block * WORDS]!;
    for (let word = 1; word < WORDS; word++)
      assert(words[block * WORDS + word] === first, 'no block is torn');
    return first;
  });
}

export function bytesOf(numbers: readonly number[]): Uint8Array {
  const words = new Uint32Array(numbers.length * WORDS);
  for (const [block, number] of numbers.entries()) words.fill(number, block * WORDS, (block + 1) * WORDS);
  return new Uint8Array(words.buffer);
}

interface Version {
  readonly at: number;
  readonly value: number;
}

interface Call {
  /** 'write 3+2', 'read 0+1', 'flush', … */
  readonly name: string;
  readonly changes: readonly Extent[];
  end(fails: boolean, some: (block: number) => boolean): void;
}

export class WildDevice implements GrowableDevice {
  readonly geometry: Geometry;
  writeCache: WriteCache = 'back';
  /** Called, not ended. */
  readonly calls: Call[] = [];
  readonly now: Uint32Array;
  loans = 0;
  /** Versions that a crash may leave, the durable one first; of blocks that have more than one. */
  readonly #versions = new Map<number, Version[]>();
  #time = 0;

  constructor(content: Uint32Array) {
    this.now = content;
    this.geometry = {
      blockLength: BLOCK,
      blockCount: content.length,
      physicalBlockExponent: 3,
      readOnly: false,
      thin: true,
      unmapGranularity: 1,
    };
  }

  setWriteCache(mode: WriteCache): Answer {
    const former = this.writeCache;
    this.writeCache = mode;
    if (mode === former || mode === 'back') return Promise.resolve(DONE);
    return this.flush().then((flushed) => {
      if (!flushed.ok) this.writeCache = former;
      return flushed;
    });
  }

  read(lba: number, blocks: number): Promise<Result<Loan, DeviceFault>> {
    const early = this.now.slice(lba, lba + blocks);
    return new Promise((resolve) => {
      this.#call(`read ${lba}+${blocks}`, [], (fails, some) => {
        if (fails) return resolve(fail({ kind: 'mediumError', operation: 'read', lba, cause: 'as told' }));
        const late = [...early.keys()].map((i) => (some(i) ? early[i]! : this.now[lba + i]!));
        const bytes = bytesOf(late);
        this.loans += 1;
        const release = (): void => {
          bytes.fill(0xdd);
          this.loans -= 1;
        };
        resolve(ok({ segments: [bytes], release }));
      });
    });
  }

  write(lba: number, data: readonly Uint8Array[], durability: Durability): Answer {
    const numbers = numbersOf(data);
    assert(lengthOf(data) === numbers.length * BLOCK, 'whole blocks are written');
    const check = (): void =>
      assert(numbersOf(data).join() === numbers.join(), 'data stays as it is while it is written');
    return this.#change(
      'write',
      [{ lba, blocks: numbers.length }],
      (at) => numbers[at - lba]!,
      durability,
      check,
    );
  }

  writeSame(lba: number, blocks: number, pattern: Uint8Array, durability: Durability): Answer {
    const [number = 0] = numbersOf([pattern]);
    return this.#change('writeSame', [{ lba, blocks }], () => number, durability);
  }

  unmap(extents: readonly Extent[], durability: Durability): Answer {
    return this.#change('unmap', extents, () => 0, durability);
  }

  compareAndWrite(): Answer {
    throw new Error('a cache compares by itself');
  }

  flush(): Answer {
    const mark = this.#time;
    return new Promise((resolve) => {
      this.#call('flush', [], (fails) => {
        if (fails)
          return resolve(fail({ kind: 'mediumError', operation: 'write', lba: 0, cause: 'no flush' }));
        for (const block of this.#versions.keys()) this.#settle(block, mark);
        resolve(DONE);
      });
    });
  }

  grow(): never {
    throw new Error('not asked here');
  }

  mapping(): never {
    throw new Error('not asked here');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Ends the first call, or the first with this name. */
  end(name?: string, how: 'well' | 'badly' = 'well'): void {
    const place = this.calls.findIndex((call) => name === undefined || call.name === name);
    assert(place >= 0, `${name} is under way: ${this.calls.map((call) => call.name).join()}`);
    const [call] = this.calls.splice(place, 1);
    call!.end(how === 'badly', () => false);
  }

  /** What is left after a loss of power, where `pick` chooses. */
  crash(pick: (count: number) => number): Uint32Array {
    for (const call of this.calls.splice(0)) if (call.changes.length > 0) call.end(true, () => pick(2) === 0);
    const left = this.now.slice();
    for (const [block, versions] of this.#versions) left[block] = versions[pick(versions.length)]!.value;
    return left;
  }

  /** Opened anew: what it shows now is what it has. */
  reopen(): void {
    assert(this.calls.length === 0, 'nothing is under way when it is opened anew');
    this.#versions.clear();
  }

  #call(name: string, changes: readonly Extent[], end: Call['end']): void {
    const overlap = (a: Extent, b: Extent): boolean => a.lba < b.lba + b.blocks && b.lba < a.lba + a.blocks;
    for (const call of this.calls)
      for (const other of call.changes)
        assert(!changes.some((one) => overlap(one, other)), 'two changes of a block are under way beneath');
    this.calls.push({ name, changes, end });
  }

  #change(
    name: string,
    extents: readonly Extent[],
    valueOf: (block: number) => number,
    durability: Durability,
    check?: () => void,
  ): Answer {
    const { lba, blocks } = extents[0]!;
    const isDurable = durability === 'durable' || this.writeCache === 'through';
    return new Promise((resolve) => {
      this.#call(`${name} ${lba}+${blocks}`, extents, (fails, some) => {
        check?.();
        this.#time += 1;
        for (const extent of extents)
          for (let block = extent.lba; block < extent.lba + extent.blocks; block++) {
            if (fails && !some(block)) continue;
            this.#put(block, valueOf(block));
            if (isDurable && !fails) this.#settle(block, this.#time);
          }
        resolve(fails ? fail({ kind: 'mediumError', operation: 'write', lba, cause: 'as told' }) : DONE);
      });
    });
  }

  #put(block: number, value: number): void {
    const versions = this.#versions.get(block) ?? [{ at: 0, value: this.now[block]! }];
    versions.push({ at: this.#time, value });
    this.#versions.set(block, versions);
    this.now[block] = value;
  }

  /** What was there at `mark` is durable. */
  #settle(block: number, mark: number): void {
    const versions = this.#versions.get(block)!;
    while (versions.length > 1 && versions[1]!.at <= mark) versions.shift();
    if (versions.length === 1) this.#versions.delete(block);
  }
}
