// Goal: planted faults fit the source as it is now, nothing counts as found that was not planted, and checkers and tests
// bite: a few faults that show quickly are hunted here, all of them by `npm run sim:plants`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FRONTS } from '../fronts/table.ts';
import { PLANTS } from './catalogue.ts';
import { tryDirectTest } from './direct.ts';
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
/** In each of the parts. */
const QUICK_KILLS = ['grantsWhilePromised', 'abandonForgets', 'tellsANewProcessTheOld'] as const;
const ROOT = `${import.meta.dirname}/../..`;

for (const [name, plant] of Object.entries(PLANTS))
  test(`${name} fits ${plant.file}`, () => {
    assert.notEqual(plantIn(readFileSync(`${ROOT}/${plant.file}`, 'utf8'), plant), '');
    assert.ok((plant.focus ?? 'mirror') in FRONTS);
    const { foundBy, killedBy, redundant, seedsMax } = plant;
    assert.equal([foundBy, killedBy, redundant].filter((one) => one !== undefined).length, 1);
    assert.equal(seedsMax === undefined, killedBy !== undefined, 'only who is hunted is hunted for so long');
  });

for (const [name, { killedBy }] of Object.entries(PLANTS))
  if (killedBy !== undefined)
    test(`${name} is killed by a test that there is`, () => {
      const text = readFileSync(`${ROOT}/${killedBy.file}`, 'utf8');
      // What stands before a colon may be the name of one case of many.
      for (const part of killedBy.test.split(': ')) assert.ok(text.includes(part), part);
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
  const { foundBy: _rules, ...rest } = plant;
  const redundant: Plant = { ...rest, redundant: 'another rule' };
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

for (const name of QUICK_KILLS)
  test(`${name} is killed`, async () => {
    const { passesWithout, failsWith, output } = await tryDirectTest(name, PLANTS[name]!.killedBy!);
    assert.ok(passesWithout && failsWith, output);
  });

test('a test that does not look at what a plant breaks does not kill it, and neither does one that is not there', async () => {
  const file = 'src/cluster/leases.test.ts';
  const other = 'majority: a witness and voters that are no members count, and a voter alone needs nobody';
  const survived = await tryDirectTest('grantsNothingAtStart', { file, test: other });
  assert.deepEqual([survived.passesWithout, survived.failsWith], [true, false]);
  const absent = await tryDirectTest('grantsNothingAtStart', { file, test: 'nobody has written it' });
  assert.deepEqual([absent.passesWithout, absent.failsWith], [false, false]);
  await assert.rejects(
    tryDirectTest('abandonForgets', { file, test: other }),
    /src\/cluster\/leases\.test\.ts does not try abandonForgets/,
  );
});

test('docs/TESTING.md has every plant in the table of what becomes of it', () => {
  const text = readFileSync(`${ROOT}/docs/TESTING.md`, 'utf8');
  const kinds = { found: 'foundBy', killed: 'killedBy', redundant: 'redundant' } as const;
  for (const [kind, verdict] of Object.entries(kinds)) {
    const told = new RegExp(String.raw`^(\d+) are ${kind}\b[^]*?\n\|([^]*?)\n\n`, 'm').exec(text);
    assert.ok(told !== null, kind);
    const listed = [...told[2]!.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!);
    const names = Object.keys(PLANTS).filter((name) => PLANTS[name]![verdict] !== undefined);
    assert.deepEqual(listed.toSorted(), names.toSorted());
    assert.equal(Number(told[1]), names.length);
  }
});
