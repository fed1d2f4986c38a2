/** What the supervisor and the control process tell each other. Values are structured-cloned; both are the same build. */

import type { LunSpec } from '../../engine/spec.ts';
import type { EngineStatistics } from '../../engine/statistics.ts';

export interface TargetSummary {
  readonly name: string;
  readonly alias: string | undefined;
  readonly luns: readonly LunSpec[];
}

export type ToControl =
  | {
      readonly kind: 'start';
      readonly node: string;
      readonly stateDirectory: string | undefined;
      readonly portals: readonly string[];
      readonly targets: readonly TargetSummary[];
    }
  | { readonly kind: 'statistics'; readonly statistics: EngineStatistics }
  | { readonly kind: 'engineEnded'; readonly engine: number }
  | { readonly kind: 'stop' };

/** Answers `start`: whoever asks for the status gets it now, or cannot (the log says why). */
export type FromControl = { readonly kind: 'ready' };
