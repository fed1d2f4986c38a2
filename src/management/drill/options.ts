/** What `lockstep drill` is told. */

import type { Profile } from '../../drill/worker.ts';
import type { DemoOptions } from '../demo/plan.ts';
import type { FaultName } from './faults.ts';

export interface DrillOptions extends Omit<DemoOptions, 'size' | 'directory'> {
  /** Undefined: one that is removed afterwards. */
  readonly directory: string | undefined;
  readonly faults: readonly FaultName[];
  /** Of load with each fault, at least. */
  readonly seconds: number;
  readonly profile: Profile;
  readonly seed: number;
  readonly html?: string;
  readonly json?: boolean;
}
