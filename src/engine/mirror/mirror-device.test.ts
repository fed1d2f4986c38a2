/**
 * Goal: whatever the device server asks of a mirrored device, however much of it at once, is done on every member. Method: two
 * nodes in one process with a log of hot extents; time passes when a test lets it.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { copyOf } from '../../base/segments.ts';
import { turns } from '../../replication/testing/held-store.ts';
import { ManualClock } from '../../replication/testing/manual-clock.ts';
import { joinNodes, together } from './testing/joined-nodes.ts';

const BLOCK = 512;
const BLOCKS = (300 << 20) / BLOCK;

test('an UNMAP of the whole device is done on all members', async () => {
  const clock = new ManualClock();
  const nodes = await joinNodes({
    count: 2,
    blockCount: BLOCKS,
    blockLength: BLOCK,
    clock,
    random: () => 0.5,
    digest: () => '',
    journal: 'continuous',
  });
  const pass = async (): Promise<void> => {
    clock.advance(20);
    await turns();
  };
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    void promise.then(() => (isOver = true));
    for (let waits = 0; !isOver; waits++) {
      assert.ok(waits < 500, 'it is never answered');
      await pass();
    }
    return promise;
  };
  await together(nodes, pass);
  const { device } = nodes.get(1)!;
  const places = [0, 123_456, BLOCKS - 1];
  for (const lba of places) {
    const written = await until(
      Promise.resolve(device.write(lba, [new Uint8Array(BLOCK).fill(7)], 'durable')),
    );
    assert.ok(written.ok);
  }
  const unmapped = await until(device.unmap([{ lba: 0, blocks: BLOCKS }], 'durable'));
  assert.ok(unmapped.ok);
  await pass();
  for (const { node, store } of nodes.values()) {
    assert.ok(node.state.isServing);
    for (const lba of places) {
      const found = await store.read(lba, 1);
      assert.ok(found.ok);
      assert.deepEqual(copyOf(found.value.segments), new Uint8Array(BLOCK));
    }
  }
});
