/**
 * Unit attention conditions (SAM-5 §5.14): something happened to the logical unit that an initiator has not caused
 * itself. Each I_T_L nexus has its own queue; a condition is queued once, and reset conditions go first and swallow
 * what they imply.
 */

import type { LogicalUnit } from './logical-unit.ts';
import type { NexusState, UnitNexus } from './nexus.ts';
import { encodeSense, type SenseReason } from './sense.ts';

/** More different conditions than there are reasons never wait. */
const ATTENTIONS_MAX = 16;

/** SAM-5 §5.14 table 49: lower is reported first. What is not here comes last, in order of arrival. */
const PRECEDENCE: Partial<Record<SenseReason, number>> = {
  powerOnOrReset: 0,
  scsiBusReset: 2,
  busDeviceReset: 3,
  deviceInternalReset: 4,
  nexusLoss: 6,
};
const PRECEDENCE_OTHER = 10;

function precedence(reason: SenseReason): number {
  return PRECEDENCE[reason] ?? PRECEDENCE_OTHER;
}

/** Conditions that are reported even before RESERVATION CONFLICT (SAM-5 §5.3.3). */
export function isResetAttention(reason: SenseReason): boolean {
  return precedence(reason) < PRECEDENCE_OTHER;
}

/** Queues a condition for one I_T_L nexus. */
export function raise(link: UnitNexus, reason: SenseReason): void {
  const { attentions } = link;
  const rank = precedence(reason);
  if (attentions.includes(reason)) return;
  if (attentions.length >= ATTENTIONS_MAX) return;
  let at = attentions.length;
  while (at > 0 && precedence(attentions[at - 1]!) > rank) at -= 1;
  attentions.splice(at, 0, reason);
  const sense = encodeSense({ reason }, link.unit.mode.descriptorSense ? 'descriptor' : 'fixed');
  link.nexus.events.unitAttention(link.lunHigh, 0, sense!);
}

/** Queues a condition for every nexus of the unit, except the one that caused it. */
export function raiseOnAll(unit: LogicalUnit, reason: SenseReason, except?: NexusState): void {
  for (const link of unit.links) {
    if (link.nexus !== except) raise(link, reason);
  }
}
