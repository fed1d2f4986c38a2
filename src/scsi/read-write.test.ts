/** READ for an initiator that takes less than the CDB says: no more is read than it takes, and the residual is right. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRamStore } from '../store/ram-store.ts';
import { readyClient, said, targetOver, unitOver } from './testing/client.ts';

const FUA = 0x08;

for (const [takes, flags, blocksRead] of [
  [2048 * 512, 0, 2048],
  [1000, 0, 2],
  [1024, 0, 2],
  [0, 0, 0],
  [4096 * 512, FUA, 2048],
  [1000, FUA, 2],
] as const) {
  const kind = flags === FUA ? 'READ with FUA' : 'READ';
  test(`a ${kind} of 1 MiB reads ${blocksRead} blocks for an initiator that takes ${takes} bytes`, async () => {
    const store = createRamStore({ blockLength: 512, blockCount: 4096 });
    await store.write(8, [new Uint8Array(1024).fill(0x5a)], 'cached');
    const reads: number[] = [];
    const counted = Object.create(store, {
      geometry: { value: store.geometry },
      writeCache: { value: 'back' },
      flush: { value: () => store.flush() },
      read: {
        value: (lba: number, blocks: number) => {
          reads.push(blocks);
          return store.read(lba, blocks);
        },
      },
    }) as typeof store;
    const client = await readyClient(targetOver(unitOver(counted)));
    const ending = await client.run([0x28, flags, 0, 0, 0, 8, 0, 8, 0, 0], { dataIn: takes });
    assert.equal(said(ending), 'good');
    assert.equal(ending.data.length, 2048 * 512, 'as much as the CDB says, for the residual');
    assert.deepEqual(reads, blocksRead === 0 ? [] : [blocksRead]);
    if (takes > 0) assert.equal(ending.data[999], 0x5a);
  });
}
