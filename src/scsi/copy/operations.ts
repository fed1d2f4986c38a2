/**
 * The copies of one I_T_L nexus by LIST IDENTIFIER: those that run, and the results that are held for RECEIVE COPY
 * RESULTS (SPC-4 §6.4.1, §6.21). They go with the nexus.
 */

import type { UnitNexus } from '../nexus.ts';
import type { Fault } from '../sense.ts';
import { CONCURRENT_COPIES_MAX } from './limits.ts';
import type { CopyList } from './parameter-list.ts';

export interface CopyOperation {
  /** COPY MANAGER STATUS. */
  status: 'inProgress' | 'completed' | 'failed';
  segmentsProcessed: number;
  bytesTransferred: number;
  /** Why it failed. */
  fault: Fault | undefined;
}

interface Operations {
  readonly byIdentifier: Map<number, CopyOperation>;
  running: number;
}

const operationsOf = new WeakMap<UnitNexus, Operations>();

function operations(link: UnitNexus): Operations {
  let known = operationsOf.get(link);
  if (known === undefined) {
    known = { byIdentifier: new Map(), running: 0 };
    operationsOf.set(link, known);
  }
  return known;
}

/** A new operation, or why there can be none now. */
export function beginOperation(
  link: UnitNexus,
  list: CopyList,
): CopyOperation | 'busy' | 'operationInProgress' {
  const all = operations(link);
  const former = list.usage === 'none' ? undefined : all.byIdentifier.get(list.listIdentifier);
  if (former?.status === 'inProgress') return 'operationInProgress';
  if (all.running >= CONCURRENT_COPIES_MAX) return 'busy';
  const operation: CopyOperation = {
    status: 'inProgress',
    segmentsProcessed: 0,
    bytesTransferred: 0,
    fault: undefined,
  };
  all.running += 1;
  if (list.usage !== 'none') {
    all.byIdentifier.delete(list.listIdentifier);
    all.byIdentifier.set(list.listIdentifier, operation);
    forgetOldest(all);
  }
  return operation;
}

export function endOperation(
  link: UnitNexus,
  list: CopyList,
  operation: CopyOperation,
  fault: Fault | undefined,
): void {
  const all = operations(link);
  all.running -= 1;
  operation.status = fault === undefined ? 'completed' : 'failed';
  operation.fault = fault;
  if (list.usage === 'discard') all.byIdentifier.delete(list.listIdentifier);
}

/** Results are held up to a number; those of copies that run are never given up. */
function forgetOldest({ byIdentifier }: Operations): void {
  if (byIdentifier.size <= CONCURRENT_COPIES_MAX) return;
  for (const [identifier, operation] of byIdentifier) {
    if (operation.status === 'inProgress') continue;
    byIdentifier.delete(identifier);
    return;
  }
}

export function operationOf(link: UnitNexus, listIdentifier: number): CopyOperation | undefined {
  return operations(link).byIdentifier.get(listIdentifier);
}

export function forgetOperation(link: UnitNexus, listIdentifier: number): void {
  operations(link).byIdentifier.delete(listIdentifier);
}
