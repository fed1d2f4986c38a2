/**
 * Goal: a question to all ends exactly once, when the last one has answered or the configuration is over. Method: all
 * orders of answers, with strangers, repetitions and a second question in between.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Rounds } from './rounds.ts';

const ORDERS = [
  [2, 3, 4],
  [2, 4, 3],
  [3, 2, 4],
  [3, 4, 2],
  [4, 2, 3],
  [4, 3, 2],
];

function asked(rounds: Rounds, peers: readonly number[]) {
  const sent: number[] = [];
  const each: number[] = [];
  const ends: boolean[] = [];
  let id = 0;
  rounds.begin(
    peers,
    (peer, of) => {
      sent.push(peer);
      id = of;
    },
    (complete) => ends.push(complete),
    (from) => each.push(from),
  );
  return { id, sent, each, ends };
}

test('a question without peers is answered at once', () => {
  const { ends, sent } = asked(new Rounds(), []);
  assert.deepEqual([ends, sent], [[true], []]);
});

for (const order of ORDERS)
  test(`answers in the order ${order.join(' ')} end the round with the last, each heard once`, () => {
    const rounds = new Rounds();
    const round = asked(rounds, [2, 3, 4]);
    assert.deepEqual(round.sent, [2, 3, 4]);
    for (const [at, from] of order.entries()) {
      assert.deepEqual(round.ends, []);
      rounds.onAnswer(7, round.id);
      rounds.onAnswer(from, round.id);
      rounds.onAnswer(from, round.id);
      assert.deepEqual(round.each, order.slice(0, at + 1));
    }
    assert.deepEqual(round.ends, [true]);
    rounds.clear();
    assert.deepEqual(round.ends, [true]);
  });

test('answers count for the round that was asked', () => {
  const rounds = new Rounds();
  const first = asked(rounds, [2]);
  const second = asked(rounds, [2]);
  rounds.onAnswer(2, second.id);
  assert.deepEqual([first.ends, second.ends], [[], [true]]);
  rounds.onAnswer(2, first.id);
  assert.deepEqual(first.ends, [true]);
});

test('the end of a configuration ends every round, incomplete, and later answers mean nothing', () => {
  const rounds = new Rounds();
  const first = asked(rounds, [2, 3]);
  const second = asked(rounds, [3]);
  rounds.onAnswer(2, first.id);
  rounds.clear();
  assert.deepEqual([first.ends, second.ends], [[false], [false]]);
  rounds.onAnswer(3, first.id);
  rounds.onAnswer(3, second.id);
  assert.deepEqual([first.ends, second.ends, first.each], [[false], [false], [2]]);
});

test('a new question may be asked while the old ones end', () => {
  const rounds = new Rounds();
  const later: boolean[] = [];
  rounds.begin(
    [2],
    () => undefined,
    () =>
      rounds.begin(
        [3],
        () => undefined,
        (complete) => later.push(complete),
      ), // prettier-ignore
  );
  rounds.clear();
  assert.deepEqual(later, []);
  rounds.clear();
  assert.deepEqual(later, [false]);
});
