/**
 * Goal: no bytes a peer can send crash, hang or bloat the node, or disturb another session. Method: 100,000 seeded
 * connections against the whole stack in process, over virtual time (run.ts); `npm run fuzz` goes on for longer.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './run.ts';

const SEEDS = [1, 2, 3, 4];
const CASES_PER_SEED = 25_000;
const GROWTH_BYTES_MAX = 24 * 1024 * 1024;

for (const seed of SEEDS) {
  test(`${CASES_PER_SEED} hostile connections of seed ${seed} leave the node and its other session untouched`, async () => {
    const { responses, memoryEarly, memoryLate } = await fuzz(seed, CASES_PER_SEED);
    const growth = memoryLate - memoryEarly;
    assert.ok(growth < GROWTH_BYTES_MAX, `memory grew by ${growth} bytes`);
    // The fuzzer is worth its name only if it gets everywhere: every response opcode was provoked.
    for (const opcode of ['0x20', '0x21', '0x22', '0x23', '0x24', '0x25', '0x26', '0x31', '0x3f']) {
      assert.ok((responses[opcode] ?? 0) > 10, `response ${opcode} came ${responses[opcode] ?? 0} times`);
    }
  });
}
