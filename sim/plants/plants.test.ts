// Goal: planted faults fit the source as it is now, nothing counts as found that was not planted, and checkers bite: a few
// faults that show quickly are hunted here, all of them by `npm run sim:plants`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FRONTS } from '../fronts/table.ts';
import { PLANTS } from './catalogue.ts';
import { huntPlant, isAsExpected } from './hunt.ts';
import { type Plant, plantIn } from './plant.ts';

/** One for each part; each shows within the first few seeds. */
const QUICK = [
  'acknowledgesBeforeTheLastHolds',
  'readsWhatNobodyKnows',
  'acceptsWithoutPending',
  'everythingIsTheSame',
  'deliversOutOfOrder',
  'lowGoesOn',
] as const;
const QUICK_SEEDS_MAX = 10;
const ROOT = `${import.meta.dirname}/../..`;

for (const [name, plant] of Object.entries(PLANTS))
  test(`${name} fits ${plant.file}`, () => {
    assert.notEqual(plantIn(readFileSync(`${ROOT}/${plant.file}`, 'utf8'), plant), '');
    assert.ok((plant.focus ?? 'mirror') in FRONTS);
    const whyNot = plant.redundant ?? plant.open;
    assert.equal(plant.foundBy.length === 0, whyNot !== undefined, 'found by rules, or a reason why not');
  });

test('a text that is not there once is not replaced', () => {
  const plant: Plant = {
    file: 'a.ts',
    find: 'one',
    replace: 'two',
    what: '',
    foundBy: ['stopped'],
    seedsMax: 1,
  };
  assert.equal(plantIn('here is one.', plant), 'here is two.');
  assert.throws(() => plantIn('nothing', plant), /occurs 0 times in a\.ts/);
  assert.throws(() => plantIn('one and one', plant), /occurs 2 times/);
});

test('only a rule that a plant names counts, and what is redundant must not be found', () => {
  const plant: Plant = {
    file: '',
    find: '',
    replace: '',
    what: '',
    foundBy: ['replicasDiffer'],
    seedsMax: 1,
  };
  assert.ok(isAsExpected(plant, 'replicasDiffer'));
  assert.ok(!isAsExpected(plant, 'stopped'));
  assert.ok(!isAsExpected(plant, undefined));
  const redundant: Plant = { ...plant, foundBy: [], redundant: 'another rule' };
  assert.ok(isAsExpected(redundant, undefined));
  assert.ok(!isAsExpected(redundant, 'replicasDiffer'));
});

for (const name of QUICK)
  test(`${name} is found`, async () => {
    const { foundBy, seed, isAsExpected: isGood } = await huntPlant(name, { seedsMax: QUICK_SEEDS_MAX });
    assert.ok(isGood, `${foundBy ?? 'nothing'} at seed ${seed}`);
  });

test('a plant that nobody knows is not hunted', async () => {
  await assert.rejects(huntPlant('nobodyKnowsIt'), /there is no plant nobodyKnowsIt/);
});

test('docs/TESTING.md names every plant', () => {
  const text = readFileSync(`${ROOT}/docs/TESTING.md`, 'utf8');
  const missing = Object.keys(PLANTS).filter((name) => !text.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});
