/**
 * Goal: whatever is asked for and whatever happens beneath, a read sees what it may see, and what was flushed is there
 * after a crash. Method: drawn steps (calls, endings of calls beneath in any order and with faults, changes of mode and
 * size, time, crashes, media that are opened anew) against a history of each block: its changes in the order of their calls. A read, or what a
 * crash has left, must be the newest change that was answered (or was seen, or was made durable) or a later one.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { MaybeAsync, Result } from '../base/result.ts';
import type { DeviceFault, Loan, WriteCache } from '../ports/block-device.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { type Cache, createCache, MEMORY_MIN } from './cache.ts';
import { bytesOf, numbersOf, WildDevice } from './testing/wild-device.ts';

/** Half as many pages again as the smaller cache has. */
const BLOCKS = 96 * 8;
const SMALL = MEMORY_MIN;
const LARGE = 2 * MEMORY_MIN;
const AGE_MS = 5000;

const step = fc.record({
  kind: fc.nat(99),
  place: fc.nat(999),
  size: fc.nat(999),
  choice: fc.nat(0xffff),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

class Run {
  readonly #clock = new ManualClock();
  #device = new WildDevice(new Uint32Array(BLOCKS));
  #cache: Cache;
  /** Of each block: what it was to hold, in the order of the calls. */
  #history: number[][] = [];
  #answered = new Int32Array(BLOCKS);
  #seen = new Int32Array(BLOCKS);
  #durable = new Int32Array(BLOCKS);
  #last = 0;
  #open = 0;
  #life = 0;
  #changing = 0;
  #mode: WriteCache = 'back';
  #faults = 0;
  readonly #loans: { readonly loan: Loan; readonly numbers: number[] }[] = [];

  constructor() {
    this.#cache = this.#start();
  }

  async perform(one: Step): Promise<void> {
    const { kind, choice } = one;
    if (kind < 40) this.#end(choice);
    else if (kind < 60) this.#write(one);
    else if (kind < 78) this.#read(one);
    else if (kind < 82) this.#writeSame(one);
    else if (kind < 86) this.#unmap(one);
    else if (kind < 90) this.#flush();
    else if (kind < 92) this.#clock.advance(choice % AGE_MS);
    else if (kind < 94) this.#configure(choice);
    else if (kind < 96) this.#faults = choice % 4 === 0 ? 30 : 0;
    else if (kind < 99) this.#release();
    else if (choice % 3 === 0) this.#crash(choice);
    else if (choice % 3 === 1) await this.#forget();
    await turn();
  }

  async finish(): Promise<void> {
    this.#faults = 0;
    await this.#settle();
    this.#flush();
    await this.#settle();
    this.#flush();
    await this.#settle();
    while (this.#loans.length > 0) this.#release();
    const { dirtyPages, fault, memory } = this.#cache.statistics;
    assert.deepEqual([dirtyPages, fault, this.#device.loans], [0, undefined, 0]);
    assert.ok(memory <= LARGE);
    this.#device.now.forEach((value, block) => this.#judge(block, value, this.#seen[block]!, 'the medium'));
    const life = this.#life;
    this.#read({ kind: 0, place: 0, size: 0, choice: 0 }, BLOCKS);
    await this.#settle();
    assert.equal(this.#device.loans, 0);
    assert.equal(life, this.#life);
  }

  /** Lets everything end. */
  async #settle(): Promise<void> {
    await turn();
    for (let rounds = 0; this.#open > 0; rounds++) {
      assert.ok(rounds < 20_000, `${this.#open} calls are never answered`);
      // A cache that becomes smaller waits for what is lent.
      while (this.#loans.length > 0) this.#release();
      this.#end(rounds * 7);
      await turn();
    }
    while (this.#device.calls.length > 0) this.#end(0);
    await turn();
  }

  #begin(): void {
    this.#life += 1;
    this.#open = 0;
    this.#changing = 0;
    this.#history = Array.from(this.#device.now, (value) => [value]);
    for (const floor of [this.#answered, this.#seen, this.#durable]) floor.fill(0);
  }

  #start(): Cache {
    this.#begin();
    const memory = [LARGE, SMALL, 0][this.#life % 3]!;
    this.#device.writeCache = memory === 0 ? this.#mode : 'back';
    return createCache({
      below: this.#device,
      clock: this.#clock,
      mode: this.#mode,
      memory,
      ageMs: AGE_MS,
    });
  }

  #end(choice: number): void {
    const { calls } = this.#device;
    if (calls.length === 0) return;
    const [call] = calls.splice(choice % calls.length, 1);
    call!.end(choice % 100 < this.#faults, (block) => (choice >> (block % 8)) % 2 === 0);
  }

  /** Ones and twos around a few places, and long ones now and then. */
  #extent({ place, size }: Step): { lba: number; blocks: number } {
    const lba = size % 3 === 0 ? (place * 7) % BLOCKS : (place % 5) * 160 + (place % 23);
    const blocks = size % 10 === 0 ? 1 + (size % 150) : 1 + (size % 12);
    return { lba: Math.min(lba, BLOCKS - 1), blocks: Math.min(blocks, BLOCKS - Math.min(lba, BLOCKS - 1)) };
  }

  #call<T extends Loan | void>(answer: MaybeAsync<Result<T, DeviceFault>>, then: (value: T) => void): void {
    const life = this.#life;
    this.#open += 1;
    void Promise.resolve(answer).then((result) => {
      if (life !== this.#life) {
        if (result.ok) result.value?.release();
        return;
      }
      this.#open -= 1;
      if (result.ok) then(result.value);
    });
  }

  #change(lba: number, blocks: number, value: number, isDurable: boolean): () => void {
    const places = Array.from({ length: blocks }, (_, i) => this.#history[lba + i]!.push(value) - 1);
    return () => {
      for (const [i, place] of places.entries()) {
        raise(this.#answered, lba + i, place);
        if (isDurable) raise(this.#durable, lba + i, place);
      }
    };
  }

  #isDurable(choice: number): boolean {
    return choice % 5 === 0 || (this.#changing === 0 && this.#mode === 'through');
  }

  #write(one: Step): void {
    const { lba, blocks } = this.#extent(one);
    const value = ++this.#last;
    const done = this.#change(lba, blocks, value, this.#isDurable(one.choice));
    const bytes = bytesOf(Array.from({ length: blocks }, () => value));
    const data = [bytes.subarray(0, 700), bytes.subarray(700)];
    this.#call(this.#cache.write(lba, data, one.choice % 5 === 0 ? 'durable' : 'cached'), done);
  }

  #writeSame(one: Step): void {
    const { lba, blocks } = this.#extent(one);
    const value = ++this.#last;
    const done = this.#change(lba, blocks, value, this.#isDurable(one.choice));
    const pattern = bytesOf([value]);
    this.#call(
      this.#cache.writeSame(lba, blocks, pattern, one.choice % 5 === 0 ? 'durable' : 'cached'),
      done,
    );
  }

  #unmap(one: Step): void {
    const { lba, blocks } = this.#extent(one);
    const durability = one.choice % 5 === 0 ? 'durable' : 'cached';
    const done = this.#change(lba, blocks, 0, this.#isDurable(one.choice));
    const half = blocks >> 1;
    const extents = [
      { lba: lba + half, blocks: blocks - half },
      { lba, blocks: half },
    ];
    this.#call(this.#cache.unmap(extents, durability), done);
  }

  #read(one: Step, all?: number): void {
    const { lba, blocks } = all === undefined ? this.#extent(one) : { lba: 0, blocks: all };
    const floors = Array.from({ length: blocks }, (_, i) =>
      Math.max(this.#answered[lba + i]!, this.#seen[lba + i]!),
    );
    this.#call(this.#cache.read(lba, blocks), (loan) => {
      const numbers = numbersOf(loan.segments);
      assert.equal(numbers.length, blocks);
      for (const [i, value] of numbers.entries())
        raise(this.#seen, lba + i, this.#judge(lba + i, value, floors[i]!, 'a read'));
      if (one.choice % 2 === 0) loan.release();
      else this.#loans.push({ loan, numbers });
    });
  }

  #release(): void {
    const held = this.#loans.shift();
    if (held === undefined) return;
    assert.deepEqual(numbersOf(held.loan.segments), held.numbers, 'a loan has changed');
    held.loan.release();
  }

  #flush(): void {
    this.#call(this.#cache.flush(), this.#noteDurable());
  }

  #noteDurable(): () => void {
    const floor = this.#answered.slice();
    return () => floor.forEach((place, block) => raise(this.#durable, block, place));
  }

  #configure(choice: number): void {
    const life = this.#life;
    const mode = choice % 2 === 0 ? 'back' : 'through';
    const isResize = choice % 4 < 2;
    this.#changing += 1;
    const changed = isResize
      ? this.#cache.resize([0, SMALL, LARGE][choice % 3]!)
      : this.#cache.setWriteCache(mode);
    this.#call(changed, !isResize && mode === 'through' ? this.#noteDurable() : () => undefined);
    void Promise.resolve(changed).then(() => {
      if (life !== this.#life) return;
      this.#changing -= 1;
      this.#mode = this.#cache.writeCache;
    });
  }

  #crash(choice: number): void {
    let seed = choice;
    const left = this.#device.crash((count) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % count;
    });
    left.forEach((value, block) => this.#judge(block, value, this.#durable[block]!, 'a crash'));
    void this.#cache.abandon();
    this.#loans.length = 0;
    this.#device = new WildDevice(left);
    this.#cache = this.#start();
  }

  async #forget(): Promise<void> {
    if (this.#changing > 0) return;
    let hasForgotten = false;
    void this.#cache.forget().then(() => (hasForgotten = true));
    while (!hasForgotten) {
      // oxlint-disable-next-line no-await-in-loop -- calls end one after the other
      await turn();
      this.#end(0);
    }
    while (this.#device.calls.length > 0) this.#end(0);
    this.#device.now.forEach((value, block) =>
      this.#judge(block, value, this.#durable[block]!, 'a reopening'),
    );
    this.#device.reopen();
    this.#begin();
    const { dirtyPages, pages, fault } = this.#cache.statistics;
    assert.deepEqual([dirtyPages, pages, fault], [0, 0, undefined]);
  }

  /** The first place in the block's history, from `floor` on, that holds the value. */
  #judge(block: number, value: number, floor: number, who: string): number {
    const place = this.#history[block]!.indexOf(value, floor);
    assert.ok(
      place >= 0,
      `block ${block}: ${who} shows ${value}, history ${this.#history[block]!.join()}, from ${floor} on`,
    );
    return place;
  }
}

function raise(floors: Int32Array, block: number, place: number): void {
  if (floors[block]! < place) floors[block] = place;
}

test('a cache behaves as its blocks do, whatever happens beneath', async (context) => {
  let [runs, steps] = [0, 0];
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 50, maxLength: 600, size: 'max' }),
    async (drawn) => {
      const failures: unknown[] = [];
      const note = (error: unknown): void => void failures.push(error);
      process.on('unhandledRejection', note);
      try {
        const run = new Run();
        for (const one of drawn) {
          await run.perform(one);
          if (failures.length > 0) throw failures[0];
        }
        await run.finish();
        if (failures.length > 0) throw failures[0];
      } finally {
        process.off('unhandledRejection', note);
      }
      runs += 1;
      steps += drawn.length;
    },
  );
  await fc.assert(property, { numRuns: 40 });
  context.diagnostic(`${runs} runs, ${steps} steps`);
});
