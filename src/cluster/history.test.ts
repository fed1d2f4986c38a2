/**
 * Goal: two copies are told apart rightly, whatever they lived through. Method: all histories of up to four epochs, of
 * which two have a rival of the same term, against a second telling of the rule; all pairs of them.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { compareHistories, type History, HISTORY_MAX, withDataWritten, withEpoch } from './history.ts';

const OPPOSITE = {
  same: 'same',
  ahead: 'behind',
  behind: 'ahead',
  diverged: 'diverged',
  unrelated: 'unrelated',
};

/** Each term: not lived through; or one of its epochs, with or without data. */
function allHistories(): History[] {
  let all: History[] = [[]];
  for (const [term, rivals] of [
    [1, ['a']],
    [2, ['b', 'B']],
    [3, ['c', 'C']],
    [4, ['d']],
  ] as const)
    all = all.flatMap((history) => [
      history,
      ...rivals.flatMap((id) =>
        [false, true].map((wroteData) => [...history, { term, id, members: [1, 2], wroteData }]),
      ),
    ]);
  return all;
}

const histories = allHistories();

/** The rule again: what is newer than the newest epoch in both. */
function expected(mine: History, theirs: History): string {
  const common = mine.filter(({ id }) => theirs.some((other) => other.id === id)).map(({ term }) => term);
  if (common.length === 0 && mine.length > 0 && theirs.length > 0) return 'unrelated';
  if (mine.length === 0 || theirs.length === 0)
    return mine.length === theirs.length ? 'same' : mine.length > 0 ? 'ahead' : 'behind';
  const newest = Math.max(...common);
  const wrote = [mine, theirs].map((side) => side.some((epoch) => epoch.term > newest && epoch.wroteData));
  return wrote[0]! ? (wrote[1]! ? 'diverged' : 'ahead') : wrote[1]! ? 'behind' : 'same';
}

test('every pair of histories compares as the rule says, and the other way round the other way', () => {
  assert.equal(histories.length, 3 * 5 * 5 * 3);
  const seen = new Set<string>();
  for (const mine of histories)
    for (const theirs of histories) {
      const { relation, common } = compareHistories(mine, theirs);
      assert.equal(relation, expected(mine, theirs));
      assert.equal(compareHistories(theirs, mine).relation, OPPOSITE[relation]);
      assert.equal(compareHistories(theirs, mine).common?.id, common?.id);
      seen.add(relation);
    }
  assert.equal(seen.size, 5);
});

test('only two that both wrote after the common epoch have diverged', () => {
  for (const mine of histories)
    for (const theirs of histories) {
      const { relation, common } = compareHistories(mine, theirs);
      if (relation !== 'diverged') continue;
      for (const side of [mine, theirs])
        assert.ok(side.some(({ term, wroteData }) => wroteData && term > common!.term));
    }
});

test('a history is the same as itself, and behind itself with one written epoch more', () => {
  for (const history of histories) {
    assert.equal(compareHistories(history, history).relation, 'same');
    const later = withEpoch(history, { term: 9, id: 'z', members: [1], wroteData: false });
    const idle = compareHistories(history, later).relation;
    assert.equal(idle, history.length === 0 ? 'behind' : 'same');
    assert.equal(compareHistories(history, withDataWritten(later)).relation, 'behind');
  }
});

test('the oldest epochs are forgotten, and two that have none in common any more are unrelated', () => {
  let history: History = [];
  for (let term = 1; term <= 40; term++)
    history = withEpoch(history, { term, id: `e${term}`, members: [1], wroteData: true });
  assert.equal(history.length, HISTORY_MAX);
  assert.equal(compareHistories(history, history.slice(-1)).relation, 'same');
  const old = [{ term: 3, id: 'e3', members: [1], wroteData: true }];
  assert.equal(compareHistories(history, old).relation, 'unrelated');
  assert.throws(() => withEpoch(history, { term: 40, id: 'again', members: [1], wroteData: false }), /rise/);
});
