/** What a reset of a logical unit does on one node (SAM-5 §6.3.3). Persistent reservations and a running SANITIZE stay. */

import { type MaybeAsync, then } from '../base/result.ts';
import type { Aborter } from './command.ts';
import { abortTasks } from './execution.ts';
import { type LogicalUnit, MODE_DEFAULTS, type ResetKind } from './logical-unit.ts';
import { raiseOnAll } from './unit-attention.ts';

const ATTENTION = { unit: 'busDeviceReset', target: 'scsiBusReset' } as const;

/** Answers when no task of the unit on this node can touch the medium any more. */
export function resetHere(unit: LogicalUnit, kind: ResetKind, by: Aborter): MaybeAsync<void> {
  const aborted = abortTasks(unit, () => true, by);
  for (const link of unit.links) link.preventsRemoval = false;
  Object.assign(unit.mode, MODE_DEFAULTS);
  raiseOnAll(unit, ATTENTION[kind]);
  return then(aborted, () => restoreWriteCache(unit));
}

/** Mode parameters go back to their defaults (SPC-4 §7.5.1). A device that cannot flush now keeps its policy. */
function restoreWriteCache(unit: LogicalUnit): MaybeAsync<void> {
  if (unit.device.writeCache === unit.writeCacheDefault) return undefined;
  return then(unit.device.setWriteCache(unit.writeCacheDefault), () => undefined);
}
