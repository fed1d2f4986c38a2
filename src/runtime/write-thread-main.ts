/** Body of a write thread (write-thread.ts): does the ring's calls in order, sleeps while there are none. */

import { workerData } from 'node:worker_threads';
import { addressOf, writeAt } from './libc.ts';
import { ASKED, COMPLETED, SLOTS, WriteRing } from './write-ring.ts';

/** So many calls are done before the event loop hears of them, if more are waiting. */
const NEWS_INTERVAL = 16;

interface Inheritance {
  readonly fd: number;
  readonly memory: SharedArrayBuffer;
}

run(workerData as Inheritance);

/** Until it is terminated. */
function run({ fd, memory }: Inheritance): never {
  const ring = new WriteRing(memory);
  const { counters } = ring;
  const base = addressOf(memory);
  let done = 0;
  let told = 0;
  for (;;) {
    const asked = Atomics.load(counters, ASKED);
    if (asked === done) {
      Atomics.wait(counters, ASKED, asked);
      continue;
    }
    while (done !== asked) {
      const slot = done & (SLOTS - 1);
      ring.setResult(slot, writeAt(fd, base + ring.iovecsAt(slot), ring.segments(slot), ring.offset(slot)));
      done = (done + 1) | 0;
      Atomics.store(counters, COMPLETED, done);
      if (done === asked || ((done - told) | 0) >= NEWS_INTERVAL) {
        told = done;
        Atomics.notify(counters, COMPLETED);
      }
    }
  }
}
