/** `npm run fuzz -- [--seed N] [--cases N] [--minutes N]`: seeds from N on, one after another, until time is over. */

import { parseArgs } from 'node:util';
import { fuzz } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1000' },
    cases: { type: 'string', default: '50000' },
    minutes: { type: 'string', default: '10' },
  },
});
const cases = Number(values.cases);
const until = performance.now() + Number(values.minutes) * 60_000;
for (let seed = Number(values.seed); ; seed++) {
  const { byKind, responses } = await fuzz(seed, cases);
  console.log(`seed ${seed}: ${cases} cases`, JSON.stringify({ byKind, responses }));
  if (performance.now() >= until) break;
}
