/** The process that hunts one plant, which hook.ts has put into what it loads; hunt.ts starts it and hears of every seed. */

import { runTrial, type Trial } from '../trial.ts';
import type { Violation } from '../judge.ts';
import { isPlanted } from './hook.ts';

/** The only argument, as JSON. */
export interface Order extends Omit<Trial, 'seed' | 'flaw'> {
  readonly firstSeed: number;
  readonly seedsMax: number;
}

export type FromHunter =
  | { readonly kind: 'seed'; readonly seed: number }
  | {
      readonly kind: 'over';
      /** The source was loaded with the fault in it. */
      readonly isPlanted: boolean;
      readonly violation: Violation | undefined;
    };

const { firstSeed, seedsMax, ...trial } = JSON.parse(process.argv[2]!) as Order;
let violation: Violation | undefined;
for (let seed = firstSeed; seed <= seedsMax && violation === undefined; seed++) {
  tell({ kind: 'seed', seed });
  // oxlint-disable-next-line no-await-in-loop -- until one is found
  violation = (await runTrial({ ...trial, seed })).violation;
}
tell({ kind: 'over', isPlanted: isPlanted(), violation });
process.disconnect();

function tell(message: FromHunter): void {
  process.send!(message);
}
