/** VERIFY of a whole medium that answers at once: it may take long, and the others must not wait for it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRamStore } from '../store/ram-store.ts';
import { readyClient, said, targetOver, unitOver } from './testing/client.ts';

const VERIFY_16_GIBIBYTE = [0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x20, 0x00, 0x00, 0, 0];
const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];

/** Each look at it is a millisecond later; whoever waits is called by the test. */
function slowClock() {
  const waiting: (() => void)[] = [];
  let now = 0;
  return {
    waiting,
    now: () => (now += 1),
    after(_delayMs: number, action: () => void) {
      waiting.push(action);
      return { cancel: () => undefined };
    },
  };
}

test('VERIFY of a whole medium gives way to other commands', async () => {
  const clock = slowClock();
  const device = createRamStore({ blockLength: 512, blockCount: 1 << 21 });
  const client = await readyClient(targetOver(unitOver(device, { clock })));
  const verify = client.send(VERIFY_16_GIBIBYTE);
  for (let turns = 0; turns < 100; turns += 1) {
    assert.equal(said(verify.ending), 'running');
    assert.equal(said(await client.run(TEST_UNIT_READY)), 'good');
    clock.waiting.shift()!();
    await Promise.resolve();
  }
  while (verify.ending === undefined) {
    clock.waiting.shift()!();
    await new Promise((done) => setImmediate(done));
  }
  assert.equal(said(verify.ending), 'good');
});

test('a VERIFY that has given way goes no further when it is aborted', async () => {
  const clock = slowClock();
  const device = createRamStore({ blockLength: 512, blockCount: 1 << 21 });
  const client = await readyClient(targetOver(unitOver(device, { clock })));
  const verify = client.send(VERIFY_16_GIBIBYTE);
  const aborted = client.abort(verify.tag);
  clock.waiting.shift()!();
  assert.equal(await aborted, 'complete');
  assert.equal(said(await verify.ended), 'abandoned');
  assert.equal(clock.waiting.length, 0);
});
