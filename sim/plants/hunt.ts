/**
 * Hunts one plant in a process of its own: seeds from 1 on until a checker finds it, or until a run gets stuck, which
 * counts as found by `neverEnds`. A seed that fails without the plant, too, says nothing about it and is passed over.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { FrontName } from '../fronts/table.ts';
import { PLANTS } from './catalogue.ts';
import { HOOK, PLANT_VARIABLE } from './hook.ts';
import type { FromHunter, Order } from './hunter.ts';
import type { FoundBy, Plant } from './plant.ts';

export interface PlantResult {
  readonly name: string;
  readonly plant: Plant;
  readonly foundBy: FoundBy | undefined;
  readonly explanation: string;
  /** Where it was found, or the last one tried. */
  readonly seed: number;
  readonly seconds: number;
  readonly isAsExpected: boolean;
}

export interface HuntOptions {
  /** Instead of what the plant says. */
  readonly seedsMax?: number | undefined;
  readonly front?: FrontName | undefined;
  /** Of simulated time with faults in each run. */
  readonly secondsPerRun?: number | undefined;
}

const SECONDS_PER_RUN = 60;
/** A run takes seconds; one that takes this long will never end. */
const STUCK_MS = 300_000;
const HUNTER = `${import.meta.dirname}/hunter.ts`;

export async function huntPlant(name: string, options: HuntOptions = {}): Promise<PlantResult> {
  const plant = PLANTS[name];
  if (plant === undefined) throw new Error(`there is no plant ${name}`);
  const begunAt = performance.now();
  const { seed, foundBy, explanation } = await firstFailing(name, plant, {
    front: options.front ?? plant.focus ?? 'mirror',
    seconds: options.secondsPerRun ?? SECONDS_PER_RUN,
    firstSeed: 1,
    seedsMax: options.seedsMax ?? plant.seedsMax ?? 0,
  });
  return {
    name,
    plant,
    foundBy,
    explanation,
    seed,
    seconds: (performance.now() - begunAt) / 1000,
    isAsExpected: isAsExpected(plant, foundBy),
  };
}

async function firstFailing(
  name: string,
  plant: Plant,
  order: Order,
): Promise<Pick<PlantResult, 'seed' | 'foundBy' | 'explanation'>> {
  const { seed, over } = await askHunter(name, order);
  if (over?.isPlanted === false) throw new Error(`${plant.file} was never loaded: ${name} was not planted`);
  if (over === undefined) return { seed, foundBy: 'neverEnds', explanation: 'the run does not end' };
  if (over.violation === undefined) return { seed, foundBy: undefined, explanation: '' };
  const { front, seconds, seedsMax } = order;
  const unplanted = await askHunter(undefined, { front, seconds, firstSeed: seed, seedsMax: seed });
  if (unplanted.over !== undefined && unplanted.over.violation === undefined)
    return { seed, foundBy: over.violation.rule, explanation: over.violation.explanation };
  if (seed === seedsMax) return { seed, foundBy: undefined, explanation: '' };
  return firstFailing(name, plant, { ...order, firstSeed: seed + 1 });
}

/** Of a plant that is hunted. */
export function isAsExpected({ foundBy }: Plant, found: FoundBy | undefined): boolean {
  return foundBy === undefined ? found === undefined : found !== undefined && foundBy.includes(found);
}

type Over = Extract<FromHunter, { kind: 'over' }>;

/** `name`: without, nothing is planted. `over` is undefined if a run was stuck. */
async function askHunter(
  name: string | undefined,
  order: Order,
): Promise<{ seed: number; over: Over | undefined }> {
  const child = fork(HUNTER, [JSON.stringify(order)], {
    execArgv: ['--import', HOOK],
    // Without a name the variable is not there at all.
    env: { ...process.env, [PLANT_VARIABLE]: name },
    serialization: 'advanced',
  });
  let seed = 0;
  let over: Over | undefined;
  let isStuck = false;
  const stuck = setTimeout(() => {
    isStuck = true;
    child.kill('SIGKILL');
  }, STUCK_MS);
  child.on('message', (message) => {
    stuck.refresh();
    const told = message as FromHunter;
    if (told.kind === 'seed') seed = told.seed;
    else over = told;
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  clearTimeout(stuck);
  if (!isStuck && (over === undefined || status !== 0))
    throw new Error(`the process that hunts ${name ?? 'nothing'} ended with ${status} at seed ${seed}`);
  return { seed, over };
}
