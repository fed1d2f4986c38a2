/** SYNCHRONIZE CACHE and PRE-FETCH (10), (16) (SBC-3 §5.8 ff., §5.24 ff.). */

import { fail, isAsync } from '../base/result.ts';
import { blocksOf, blockUsage, lbaOf, PLAN_NOTHING, rangeFault } from './blocks.ts';
import type { Command } from './command.ts';
import { GOOD, goodUnless } from './outcome.ts';

const IMMED = 0x02;
/** Obsolete since SBC-4; what is on the medium here is in no non-volatile cache above it. */
const SYNC_NV = 0x04;

/**
 * The whole device is flushed, whatever range is named. With IMMED the answer comes no earlier: a flush that fails after
 * its GOOD could be told to nobody.
 */
function synchronizeCache(opcode: number, length: 10 | 16): Command {
  return {
    name: `SYNCHRONIZE CACHE (${length})`,
    opcode,
    usage: blockUsage(opcode, length, SYNC_NV | IMMED),
    access: 'write',
    plan(request) {
      const wrong = rangeFault(request, lbaOf(request.cdb, length), blocksOf(request.cdb, length));
      return wrong === undefined ? PLAN_NOTHING : fail(wrong);
    },
    execute(request) {
      const result = request.unit.device.flush(request);
      return isAsync(result) ? result.then(goodUnless) : goodUnless(result);
    },
  };
}

/** Nothing is kept in a cache for it: GOOD, never CONDITION MET, which would say that all of it is there. */
function preFetch(opcode: number, length: 10 | 16): Command {
  return {
    name: `PRE-FETCH (${length})`,
    opcode,
    usage: blockUsage(opcode, length, IMMED),
    access: 'read',
    plan(request) {
      const wrong = rangeFault(request, lbaOf(request.cdb, length), blocksOf(request.cdb, length));
      return wrong === undefined ? PLAN_NOTHING : fail(wrong);
    },
    execute: () => GOOD,
  };
}

export const CACHE_COMMANDS: readonly Command[] = [
  synchronizeCache(0x35, 10),
  synchronizeCache(0x91, 16),
  preFetch(0x34, 10),
  preFetch(0x90, 16),
];
