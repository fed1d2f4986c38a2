/**
 * Hunts planted faults (plant.ts): `node sim/plants/main.ts [NAME…] [--seeds N] [--jobs J]`. The exit status says whether
 * each was found by a rule that it names, and whether none was found that is said to be redundant.
 */

import { Command, InvalidArgumentError, Option } from 'commander';
import { type FrontName, frontNames } from '../fronts/table.ts';
import { PLANTS } from './catalogue.ts';
import { huntPlant, type PlantResult } from './hunt.ts';

interface Options {
  readonly seeds?: number;
  readonly front?: FrontName;
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
  let [found, redundant, open] = [0, 0, 0];
  const wrong: string[] = [];
  const worker = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      // oxlint-disable-next-line no-await-in-loop -- as many at a time as there are workers
      const result = await huntPlant(name, { seedsMax: seeds, front });
      console.log(lineOf(result));
      if (!result.isAsExpected) wrong.push(name);
      else if (result.plant.open !== undefined) open++;
      else if (result.foundBy === undefined) redundant++;
      else found++;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, worker));
  console.log(
    `${count} plants: ${found} found, ${redundant} redundant, ${open} open, ${wrong.length} not as expected`,
  );
  if (wrong.length === 0) return;
  console.log(`not as expected: ${wrong.join(', ')}`);
  process.exitCode = 1;
}

function lineOf({ name, plant, foundBy, seed, seconds, isAsExpected }: PlantResult): string {
  const mark = isAsExpected ? 'ok    ' : 'FAILED';
  const focus = plant.focus === undefined ? '' : ` of ${plant.focus}`;
  const after = `${seconds.toFixed(1)} s`;
  const what = `${mark} ${name.padEnd(32)} ${plant.what}\n         `;
  if (foundBy === undefined) {
    const { redundant, open } = plant;
    const why =
      redundant !== undefined ? `; redundant: ${redundant}` : open !== undefined ? `; open: ${open}` : '';
    return `${what}NOT FOUND in ${seed} seeds${focus}, ${after}${why}`;
  }
  const expected = isAsExpected
    ? ''
    : `, which is not expected (${plant.redundant ?? plant.foundBy.join(', ')})`;
  return `${what}found by ${foundBy} at seed ${seed}${focus} after ${after}${expected}`;
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('write a whole number.');
}
