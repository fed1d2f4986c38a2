/** Goal: pages that come and go all the time do not make the process grow. Method: count the slabs they come from. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, PAGE_LENGTH, PagePool } from './page-pool.ts';

const SLAB_PAGES = 64;

test('pages taken and dropped for ever come from a few slabs', () => {
  const pool = new PagePool();
  const device = Array.from({ length: 10 * SLAB_PAGES }, () => pool.take());
  const slabs = new Set<ArrayBufferLike>(device.map((frame) => frame.bytes.buffer));
  const filled = slabs.size;
  const lent: Frame[] = [];
  for (let turn = 0; turn < 20_000; turn++) {
    // Copy-on-write of a page that is lent, which its readers return a while later.
    const index = (turn * 7919) % device.length;
    const old = device[index]!;
    pool.lend(old, 0, PAGE_LENGTH);
    lent.push(old);
    device[index] = pool.take();
    slabs.add(device[index]!.bytes.buffer);
    pool.drop(old);
    if (lent.length > 32) pool.release(lent.shift()!);
  }
  assert.ok(slabs.size <= filled + 4, `${slabs.size} slabs for ${filled} full ones`);
});

test('a page is zeros, also one that was used before', () => {
  const pool = new PagePool();
  const first = pool.take();
  first.bytes.fill(7);
  pool.drop(first);
  assert.ok(pool.take().bytes.every((byte) => byte === 0));
});

test('memory is let go of when most pages are dropped', () => {
  const pool = new PagePool();
  const frames = Array.from({ length: 32 * SLAB_PAGES }, () => pool.take());
  const slabs = new Set<ArrayBufferLike>(frames.map((frame) => frame.bytes.buffer));
  for (const frame of frames) pool.drop(frame);
  const again = new Set<ArrayBufferLike>();
  for (let page = 0; page < 32 * SLAB_PAGES; page++) again.add(pool.take().bytes.buffer);
  const kept = [...again].filter((slab) => slabs.has(slab)).length;
  assert.ok(kept <= 5, `${kept} of ${slabs.size} slabs were kept`);
});
