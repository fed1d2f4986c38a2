/** What `lockstep status` shows; the control process puts it together from what the engines tell. Plain data. */

import type { EngineStatistics } from '../../engine/statistics.ts';
import type { TargetSummary } from './messages.ts';

export interface NodeStatus {
  readonly node: string;
  /** Of the supervisor: SIGTERM stops the node in order. */
  readonly pid: number;
  readonly portals: readonly string[];
  readonly targets: readonly TargetSummary[];
  /** Of the engines that are up. */
  readonly engines: readonly EngineStatistics[];
}

/** The control process answers here, in the state directory; only the owner may ask. */
export const SOCKET_NAME = 'control.sock';
