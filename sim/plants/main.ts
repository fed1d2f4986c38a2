/**
 * Hunts planted faults (plant.ts): `node sim/plants/main.ts [NAME…] [--seeds N] [--jobs J]`. The exit status says whether
 * each was found by a rule, or killed by the test, that it names, and whether none was found that is said to be redundant.
 */

import { Command, InvalidArgumentError, Option } from 'commander';
import { type FrontName, frontNames } from '../fronts/table.ts';
import { PLANTS } from './catalogue.ts';
import { tryDirectTest } from './direct.ts';
import { huntPlant, type PlantResult } from './hunt.ts';
import type { DirectTest } from './plant.ts';

interface Options {
  readonly seeds?: number | undefined;
  readonly front?: FrontName | undefined;
  readonly jobs: number;
}

await new Command('plants')
  .description('Hunts planted faults of the mirror')
  .argument('[names...]', 'of plants; all of them, if left out')
  .option('--seeds <count>', 'at most, instead of what each plant says', whole)
  .addOption(new Option('--front <name>', 'instead of what each plant says').choices(frontNames))
  .option('--jobs <processes>', 'at a time', whole, 1)
  .showHelpAfterError()
  .action(hunt)
  .parseAsync();

async function hunt(asked: readonly string[], { seeds, front, jobs }: Options): Promise<void> {
  const unknown = asked.filter((name) => !(name in PLANTS));
  if (unknown.length > 0) {
    console.error(`there is no plant ${unknown.join(', ')}; there are:\n${Object.keys(PLANTS).join('\n')}`);
    process.exitCode = 2;
    return;
  }
  const names = asked.length > 0 ? [...asked] : Object.keys(PLANTS);
  const count = names.length;
  const counts = { found: 0, killed: 0, redundant: 0 };
  const wrong: string[] = [];
  const worker = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      // oxlint-disable-next-line no-await-in-loop -- as many at a time as there are workers
      const kind = await tryOne(name, { seeds, front });
      if (kind === undefined) wrong.push(name);
      else counts[kind]++;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker));
  const told = Object.entries(counts).map(([kind, number]) => `${number} ${kind}`);
  console.log(`${count} plants: ${told.join(', ')}, ${wrong.length} not as expected`);
  if (wrong.length === 0) return;
  console.log(`not as expected: ${wrong.join(', ')}`);
  process.exitCode = 1;
}

type Kind = 'found' | 'killed' | 'redundant';

/** Undefined: it is not as expected. */
async function tryOne(
  name: string,
  { seeds, front }: Pick<Options, 'seeds' | 'front'>,
): Promise<Kind | undefined> {
  const { killedBy } = PLANTS[name]!;
  if (killedBy !== undefined) return (await isKilled(name, killedBy)) ? 'killed' : undefined;
  const result = await huntPlant(name, { seedsMax: seeds, front });
  console.log(lineOf(result));
  if (!result.isAsExpected) return undefined;
  return result.foundBy === undefined ? 'redundant' : 'found';
}

async function isKilled(name: string, direct: DirectTest): Promise<boolean> {
  const { passesWithout, failsWith, output } = await tryDirectTest(name, direct);
  const isGood = passesWithout && failsWith;
  const what = `${isGood ? 'ok    ' : 'FAILED'} ${name.padEnd(32)} ${PLANTS[name]!.what}\n         `;
  const where = `${direct.file}: ${direct.test}`;
  if (isGood) console.log(`${what}killed by ${where}`);
  else console.log(`${what}${passesWithout ? 'SURVIVES' : 'does not pass without it:'} ${where}\n${output}`);
  return isGood;
}

function lineOf({ name, plant, foundBy, seed, seconds, isAsExpected }: PlantResult): string {
  const mark = isAsExpected ? 'ok    ' : 'FAILED';
  const focus = plant.focus === undefined ? '' : ` of ${plant.focus}`;
  const after = `${seconds.toFixed(1)} s`;
  const what = `${mark} ${name.padEnd(32)} ${plant.what}\n         `;
  if (foundBy === undefined) {
    const why = plant.redundant === undefined ? '' : `; redundant: ${plant.redundant}`;
    return `${what}NOT FOUND in ${seed} seeds${focus}, ${after}${why}`;
  }
  const expected = isAsExpected
    ? ''
    : `, which is not expected (${plant.redundant ?? plant.foundBy?.join(', ')})`;
  return `${what}found by ${foundBy} at seed ${seed}${focus} after ${after}${expected}`;
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('write a whole number.');
}
