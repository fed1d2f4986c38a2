/**
 * A thread that does nothing but write one file: one hop there and back carries all calls of a turn of the event loop,
 * where the thread pool takes one for each.
 *
 * It waits for the medium where the kernel makes it wait; the event loop never does. One thread for each file, so that a disk that
 * hangs stops its own writes only.
 */

import { Worker } from 'node:worker_threads';
import { addressOf } from './libc.ts';
import { ASKED, COMPLETED, SLOTS, WriteRing } from './write-ring.ts';

export interface WriteCall {
  readonly offset: number;
  /** At most SLOT_SEGMENTS, of ArrayBuffers that nobody detaches or changes until the answer. */
  readonly data: readonly Uint8Array[];
  /** Bytes written, which may be fewer than given, or the errno negated. */
  answer(result: number): void;
}

/** Its own state is nothing; this is for loading TypeScript, which fails with 8. */
const HEAP_MIB = 32;

export class WriteThread {
  readonly #ring = new WriteRing();
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  /** Asked and not answered, by slot. */
  readonly #calls: (WriteCall | undefined)[] = Array.from({ length: SLOTS });
  /** Waits for a slot. */
  readonly #queue: WriteCall[] = [];
  readonly #onLost: (calls: readonly WriteCall[]) => void;
  #asked = 0;
  #answered = 0;
  #listening = false;
  #ended = false;

  /** `onLost`: the thread has died, if ever; it gets the calls whose fate is unknown, and none may come after. */
  constructor(fd: number, onLost: (calls: readonly WriteCall[]) => void) {
    this.#onLost = onLost;
    this.#worker = new Worker(new URL('./write-thread-main.ts', import.meta.url), {
      workerData: { fd, memory: this.#ring.memory },
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: HEAP_MIB },
    });
    this.#worker.unref();
    // An 'error' is always followed by an exit. Writes go on without it, slower: somebody should hear why.
    this.#worker.on('error', (error) => process.emitWarning(`a write thread ended: ${error}`));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        if (!this.#ended) this.#lose();
        resolve();
      });
    });
  }

  /** In order. `submit` afterwards. */
  add(call: WriteCall): void {
    if (((this.#asked - this.#answered) | 0) === SLOTS) this.#queue.push(call);
    else this.#fill(call);
  }

  /** Wakes the thread for what was added. */
  submit(): void {
    Atomics.store(this.#ring.counters, ASKED, this.#asked);
    Atomics.notify(this.#ring.counters, ASKED);
    this.#listen();
  }

  /** Only when nothing is under way. */
  async stop(): Promise<void> {
    this.#ended = true;
    await this.#worker.terminate();
    await this.#exited;
  }

  #fill(call: WriteCall): void {
    const slot = this.#asked & (SLOTS - 1);
    const { data } = call;
    for (let i = 0; i < data.length; i++) {
      const segment = data[i]!;
      // `buffer` first: it moves a tiny array out of V8's heap, for good.
      const base = addressOf(segment.buffer);
      this.#ring.setSegment(slot, i, base + segment.byteOffset, segment.length);
    }
    this.#ring.setCall(slot, call.offset, data.length);
    this.#calls[slot] = call;
    this.#asked = (this.#asked + 1) | 0;
  }

  #listen(): void {
    if (this.#listening) return;
    const news = Atomics.waitAsync(this.#ring.counters, COMPLETED, this.#answered);
    this.#listening = true;
    if (!news.async) {
      queueMicrotask(() => this.#onNews());
      return;
    }
    // While something is under way the process stays.
    this.#worker.ref();
    void news.value.then(() => {
      this.#worker.unref();
      this.#onNews();
    });
  }

  #onNews(): void {
    if (this.#ended) return;
    this.#listening = false;
    const { counters } = this.#ring;
    const done = Atomics.load(counters, COMPLETED);
    while (this.#answered !== done) {
      const slot = this.#answered & (SLOTS - 1);
      const call = this.#calls[slot]!;
      this.#calls[slot] = undefined;
      this.#answered = (this.#answered + 1) | 0;
      call.answer(this.#ring.result(slot));
    }
    const room = SLOTS - ((this.#asked - this.#answered) | 0);
    for (const call of this.#queue.splice(0, room)) this.#fill(call);
    if (this.#asked !== this.#answered) this.submit();
  }

  #lose(): void {
    this.#ended = true;
    const lost = [...this.#calls.filter((call) => call !== undefined), ...this.#queue.splice(0)];
    this.#calls.fill(undefined);
    this.#answered = this.#asked;
    this.#onLost(lost);
  }
}
