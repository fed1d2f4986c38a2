/** Goal: a map says what a set of chunk numbers says, and loses none. Method: properties against such a set. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { DirtyMap, WORDS_PER_PAGE } from './dirty-map.ts';
import { UnflushedMap } from './unflushed-map.ts';

const BLOCK = 512;
const PER_CHUNK = 128;

/** Operations on a map and on the set that it stands for. */
const operations = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('mark' as const),
      at: fc.nat(99_999),
      length: fc.integer({ min: 1, max: 9000 }),
    }),
    fc.record({ kind: fc.constant('clear' as const), at: fc.nat(99_999), length: fc.constant(1) }),
    fc.record({ kind: fc.constant('restore' as const), at: fc.nat(99_999), length: fc.integer() }),
  ),
  { maxLength: 40 },
);

const chunksOf = (map: DirtyMap): number[] => {
  const found: number[] = [];
  for (let chunk = map.next(0); chunk >= 0; chunk = map.next(chunk + 1)) found.push(chunk);
  return found;
};

function play(blockCount: number, script: readonly { kind: string; at: number; length: number }[]) {
  const map = new DirtyMap(blockCount, BLOCK);
  const model = new Set<number>();
  for (const { kind, at, length } of script) {
    const lba = Math.floor((at / 100_000) * blockCount);
    if (kind === 'mark') {
      const blocks = Math.min(length, blockCount - lba);
      map.mark(lba, blocks);
      for (let chunk = Math.floor(lba / PER_CHUNK); chunk * PER_CHUNK < lba + blocks; chunk++)
        model.add(chunk);
    } else if (kind === 'clear') {
      map.clear(Math.floor(lba / PER_CHUNK));
      model.delete(Math.floor(lba / PER_CHUNK));
    } else {
      const word = Math.floor(lba / PER_CHUNK / 32);
      map.restoreWord(word, length);
      for (let bit = 0; bit < 32; bit++)
        if ((length >>> bit) & 1 && word * 32 + bit < map.chunkCount) model.add(word * 32 + bit);
    }
  }
  return { map, model };
}

test('a map holds exactly the chunks that were marked and not cleared, and counts them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_000_000 }), operations, (blockCount, script) => {
      const { map, model } = play(blockCount, script);
      assert.equal(map.count, model.size);
      assert.deepEqual(
        chunksOf(map),
        [...model].sort((a, b) => a - b),
      );
    }),
    { numRuns: 300 },
  );
});

test('a union has what either has, whatever the order', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_000_000 }), operations, operations, (blockCount, one, other) => {
      const a = play(blockCount, one);
      const b = play(blockCount, other);
      const expected = [...new Set([...a.model, ...b.model])].sort((x, y) => x - y);
      a.map.union(b.map);
      assert.deepEqual(chunksOf(a.map), expected);
      assert.equal(a.map.count, expected.length);
    }),
    { numRuns: 200 },
  );
});

test('a page is changed as long as its record may lack a bit', () => {
  const map = new DirtyMap(3 * WORDS_PER_PAGE * 32 * PER_CHUNK, BLOCK);
  assert.equal(map.pageCount, 3);
  assert.equal(map.nextChanged(0), -1);
  const second = WORDS_PER_PAGE * 32;
  assert.equal(map.mark(second * PER_CHUNK, 1), true);
  assert.equal(map.mark(second * PER_CHUNK, 1), false, 'known already');
  assert.equal(map.nextChanged(0), 1);
  map.pageTaken(1);
  assert.equal(map.isWritten, true);
  map.mark((second + 1) * PER_CHUNK, 1);
  assert.equal(map.nextChanged(0), 1, 'changed again after it was taken');
  map.pageTaken(1);
  map.clear(second);
  assert.equal(map.isWritten, true, 'a record with a bit too many is no harm');
  assert.equal(map.nextCleared(0), 1);
});

test('clearAll leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9_000_000 }), operations, (blockCount, script) => {
      const { map } = play(blockCount, script);
      map.clearAll();
      assert.deepEqual([map.count, map.next(0), map.isWritten], [0, -1, true]);
      map.mark(0, blockCount);
      assert.equal(map.count, map.chunkCount);
    }),
  );
});

test('what was marked since the last confirmed marker was sent is dirty when the partner is lost', () => {
  const step = fc.oneof(fc.nat(999), fc.constant('marker' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (script) => {
      const unflushed = new UnflushedMap(1000 * PER_CHUNK, BLOCK);
      let sent = new Set<number>();
      let since = new Set<number>();
      for (const action of script) {
        if (action !== 'marker') {
          unflushed.mark(action * PER_CHUNK, 1);
          since.add(action);
        } else if (unflushed.underWay) {
          unflushed.confirm();
          sent = new Set();
        } else {
          unflushed.seal();
          sent = since;
          since = new Set();
        }
      }
      const map = new DirtyMap(1000 * PER_CHUNK, BLOCK);
      unflushed.moveTo(map);
      assert.deepEqual(
        chunksOf(map),
        [...new Set([...sent, ...since])].sort((a, b) => a - b),
      );
      assert.equal(unflushed.isEmpty, true);
    }),
  );
});

test('what a marker covered that nobody will answer waits for the next one', () => {
  const unflushed = new UnflushedMap(1000 * PER_CHUNK, BLOCK);
  unflushed.mark(3 * PER_CHUNK, 1);
  unflushed.seal();
  unflushed.mark(5 * PER_CHUNK, 1);
  unflushed.abandon();
  const map = new DirtyMap(1000 * PER_CHUNK, BLOCK);
  unflushed.copyTo(map);
  assert.deepEqual(chunksOf(map), [3, 5]);
  unflushed.seal();
  unflushed.confirm();
  assert.ok(unflushed.isEmpty);
});
