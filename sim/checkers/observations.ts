/**
 * What nodes say about themselves while they run, judged at once:
 *
 *   served      a read was answered, or a write acknowledged, under this epoch: no other epoch of that number may ever
 *               serve, and none with a lower number once a higher one has served
 *   compared    what the members of one epoch hold at the same moment, where no change is on its way: the same
 *   fullResync  a whole replica is compared: only for a recorded reason
 */

export type Observation =
  | {
      readonly kind: 'served';
      readonly node: number;
      readonly device: number;
      /** Number and unique id of the epoch. */
      readonly epoch: number;
      readonly epochId: number;
    }
  | { readonly kind: 'compared'; readonly replicas: readonly SettledReplica[] }
  | { readonly kind: 'fullResync'; readonly node: number; readonly device: number; readonly reason: string };

export interface SettledReplica {
  readonly node: number;
  /** Block by block; undefined: not settled. */
  readonly values: readonly (number | undefined)[];
}

export interface ObservationViolation {
  readonly rule: 'twoEpochsServe' | 'oldEpochServes' | 'membersDiffer' | 'fullResyncWithoutReason';
  readonly explanation: string;
}

export interface ObservationChecker {
  observe(observation: Observation, now: number): void;
  /** The first. */
  readonly violation: ObservationViolation | undefined;
}

export function createObservationChecker(): ObservationChecker {
  /** Device → what served last. */
  const serving = new Map<
    number,
    { readonly epoch: number; readonly epochId: number; readonly node: number }
  >();
  let violation: ObservationViolation | undefined;

  function judge(observation: Observation): ObservationViolation | undefined {
    if (observation.kind === 'compared') return compare(observation.replicas);
    const { node, device } = observation;
    if (observation.kind === 'fullResync') {
      if (observation.reason !== '') return undefined;
      return { rule: 'fullResyncWithoutReason', explanation: `node ${node} resyncs all of device ${device}` };
    }
    const { epoch, epochId } = observation;
    const last = serving.get(device);
    const both = `node ${node} serves device ${device} in epoch ${epoch}, node ${last?.node} served in ${last?.epoch}`;
    if (last !== undefined && epoch < last.epoch) return { rule: 'oldEpochServes', explanation: both };
    if (last !== undefined && epoch === last.epoch && epochId !== last.epochId)
      return { rule: 'twoEpochsServe', explanation: `${both}: another one of that number` };
    if (last === undefined || epoch > last.epoch) serving.set(device, { epoch, epochId, node });
    return undefined;
  }

  return {
    observe(observation, now) {
      if (violation !== undefined) return;
      const found = judge(observation);
      if (found !== undefined) violation = { ...found, explanation: `at ${now}: ${found.explanation}` };
    },
    get violation() {
      return violation;
    },
  };
}

function compare(replicas: readonly SettledReplica[]): ObservationViolation | undefined {
  for (const [at, one] of replicas.entries())
    for (const other of replicas.slice(at + 1)) {
      const block = one.values.findIndex((value, i) => {
        const its = other.values[i];
        return value !== undefined && its !== undefined && value !== its;
      });
      if (block < 0) continue;
      const explanation = `both serve, and of block ${block} node ${one.node} holds ${one.values[block]}, node ${other.node} ${other.values[block]}`;
      return { rule: 'membersDiffer', explanation };
    }
  return undefined;
}
