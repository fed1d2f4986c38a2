/** Goal: exactly what overlaps is found. Method: random extents, small and huge, against a list that is searched whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExtentIndex } from './extent-index.ts';
import { createPrng } from './prng.ts';

test('finds what overlaps, each once, through adding and removing', () => {
  const random = createPrng(11);
  const index = new ExtentIndex<{ lba: number; blocks: number }>();
  const all: { lba: number; blocks: number }[] = [];
  const draw = (): { lba: number; blocks: number } => ({
    lba: random.integer(0, 20_000),
    blocks: random.pick([1, 3, 500, 4000, 100_000]),
  });
  for (let step = 0; step < 4000; step++) {
    if (all.length > 60 || (all.length > 0 && random.chance(0.4))) {
      const at = random.integer(0, all.length - 1);
      index.remove(all[at]!);
      all.splice(at, 1);
    } else {
      const entry = draw();
      all.push(entry);
      index.add(entry);
    }
    const { lba, blocks } = draw();
    const expected = all.filter((entry) => entry.lba < lba + blocks && lba < entry.lba + entry.blocks);
    assert.deepEqual(new Set(index.overlapping(lba, blocks)), new Set(expected));
    assert.equal(
      index.some(lba, blocks, () => true),
      expected.length > 0,
    );
    assert.equal(index.size, all.length);
  }
  index.clear();
  assert.deepEqual(index.overlapping(0, 200_000), []);
});
