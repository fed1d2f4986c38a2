/** Reports for tests: of a voter that has gone on without a restart and has nothing to tell, but for what a test says. */

import type { Configuration } from '../configuration.ts';
import type { Report } from '../messages.ts';

export function reportWith<H>(accepted: Configuration, more: Partial<Report<H>> = {}): Report<H> {
  return {
    promised: 99,
    accepted,
    bound: accepted.members,
    isFresh: true,
    wasStopped: false,
    wasWrittenOut: false,
    isBlank: false,
    isOut: false,
    isDiverged: false,
    hasKept: false,
    hasFailed: false,
    history: [],
    leases: [],
    hearsSync: [],
    handover: undefined,
    ...more,
  };
}
