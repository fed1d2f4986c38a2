/** What the supervisor and the control process tell each other. Values are structured-cloned; both are the same build. */

import type { DeviceAnswer, DeviceCommand } from '../../engine/device-commands.ts';
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
  | { readonly kind: 'answer'; readonly id: number; readonly answer: DeviceAnswer }
  | { readonly kind: 'stop' };

export type FromControl =
  /** Answers `start`: whoever asks for the status gets it now, or cannot (the log says why). */
  | { readonly kind: 'ready' }
  /** An administrator asks something of a device; answered once, with the same `id`. */
  | {
      readonly kind: 'command';
      readonly id: number;
      readonly device: string;
      readonly command: DeviceCommand;
    };

/** What `lockstep` asks the control process of a node, a line of JSON. */
export type Question =
  /** A `NodeStatus`. */
  | { readonly kind: 'status' }
  /** A `DeviceAnswer`. */
  | { readonly kind: 'device'; readonly device: string; readonly command: DeviceCommand };
