/**
 * Goal: a repair leaves alone exactly the blocks that something newer has touched. Method: every pair of extents on a
 * small line, and random sets on a longer one, against counting block by block.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { untouched } from './untouched.ts';

interface Placed {
  readonly lba: number;
  readonly blocks: number;
}

function holds(extent: Placed, touched: readonly Placed[]): void {
  const parts = untouched(extent, touched);
  const left: number[] = [];
  for (let lba = extent.lba; lba < extent.lba + extent.blocks; lba++)
    if (!touched.some((other) => lba >= other.lba && lba < other.lba + other.blocks)) left.push(lba);
  const found = parts.flatMap(({ lba, blocks }) => Array.from({ length: blocks }, (_, at) => lba + at));
  assert.deepEqual(found, left);
  for (const [at, part] of parts.entries()) {
    assert.ok(part.blocks > 0, 'no part is empty');
    const before = parts[at - 1];
    assert.ok(before === undefined || before.lba + before.blocks < part.lba, 'neighbours are one part');
  }
}

test('of two extents in any position what is left is what the other does not touch', () => {
  const all: Placed[] = [];
  for (let lba = 0; lba < 9; lba++)
    for (let blocks = 1; lba + blocks <= 9; blocks++) all.push({ lba, blocks });
  const extent = { lba: 3, blocks: 3 };
  holds(extent, []);
  for (const one of all) for (const other of all) holds(extent, [one, other]);
});

test('of many that overlap in any order, too', () => {
  const placed = fc.record({ lba: fc.nat(60), blocks: fc.integer({ min: 1, max: 12 }) });
  fc.assert(
    fc.property(placed, fc.array(placed, { maxLength: 12 }), (extent, touched) => holds(extent, touched)),
  );
});
