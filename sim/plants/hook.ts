/**
 * Loaded before all else (`node --import`) by the processes that hunt: replaces the text of the plant that the
 * environment names. Imported by anybody else it does nothing. One run with a plant, with the events that led there:
 *
 *   LOCKSTEP_PLANT=NAME node --import ./sim/plants/hook.ts sim/main.ts --front mirror --seed N --trace 100
 *   LOCKSTEP_PLANT=NAME node --import ./sim/plants/hook.ts src/cluster/leases.test.ts
 */

import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { PLANTS } from './catalogue.ts';
import { plantIn } from './plant.ts';

export const PLANT_VARIABLE = 'LOCKSTEP_PLANT';
export const HOOK: string = import.meta.filename;
/** Said at the end by a process in which nothing was planted. */
export const NEVER_LOADED = 'was never loaded: nothing was planted';

const ROOT = `${import.meta.dirname}/../..`;

let isDone = false;
const name = process.env[PLANT_VARIABLE];
if (name !== undefined) plant(name);

/** Whether the source with the fault in it was loaded in this process. */
export function isPlanted(): boolean {
  return isDone;
}

function plant(planted: string): void {
  const found = PLANTS[planted];
  if (found === undefined) throw new Error(`there is no plant ${planted}`);
  const target = pathToFileURL(`${ROOT}/${found.file}`).href;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url !== target) return loaded;
      const { source } = loaded;
      if (source === undefined || source === null) throw new Error(`${found.file} has no source`);
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      const edited = plantIn(text, found);
      isDone = true;
      return { ...loaded, source: edited };
    },
  });
  process.on('exit', () => {
    if (!isDone) throw new Error(`${found.file} ${NEVER_LOADED}`);
  });
}
