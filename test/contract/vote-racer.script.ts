/** One of several processes that count together in a register on a share: `vote-racer.script.ts PATH REGISTER NODE COUNT`. */

import { setTimeout as sleep } from 'node:timers/promises';
import { openShare } from '../../src/runtime/share-votes.ts';

const [path = '', register = '', node = '', count = '0'] = process.argv.slice(2);
const store = openShare(path, node).votes(register);
for (let swaps = 0; swaps < Number(count); ) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  const found = await store.read();
  if (!found.ok) {
    // oxlint-disable-next-line no-await-in-loop -- as above
    await sleep(1);
    continue;
  }
  const next = Uint8Array.of((found.value?.bytes[0] ?? 0) + 1);
  // oxlint-disable-next-line no-await-in-loop -- as above
  const written = await store.write(next, found.value?.version ?? 0);
  if (!written.ok) throw new Error(JSON.stringify(written.fault));
  if (written.value) swaps += 1;
}
