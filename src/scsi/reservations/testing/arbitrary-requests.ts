/** For tests only: requests of a few nexuses with a few keys, so that random ones meet. */

import fc from 'fast-check';
import { type NexusName, ReservationType } from '../state.ts';
import type { ReservationRequest } from '../step.ts';

export const A: NexusName = { initiatorPort: 'iqn.a,i,0x000000000001', targetPort: 1 };
export const B: NexusName = { initiatorPort: 'iqn.b,i,0x000000000001', targetPort: 1 };
export const B2: NexusName = { initiatorPort: 'iqn.b,i,0x000000000001', targetPort: 2 };
export const C: NexusName = { initiatorPort: 'iqn.c,i,0x000000000001', targetPort: 2 };
export const TYPES = Object.values(ReservationType);

const nexus = fc.constantFrom(A, B, B2, C);
const key = fc.constantFrom(0n, 1n, 2n, 3n);
const type = fc.constantFrom(...TYPES);
export const request: fc.Arbitrary<ReservationRequest> = fc.oneof(
  fc.record({
    kind: fc.constant('register' as const),
    nexus,
    key,
    newKey: key,
    ignoreExistingKey: fc.boolean(),
    aptpl: fc.boolean(),
    targetPorts: fc.constantFrom([1], [2], [1, 2]),
    initiatorPorts: fc.option(fc.constantFrom([A.initiatorPort], [B.initiatorPort, C.initiatorPort]), {
      nil: undefined,
      freq: 6,
    }),
  }),
  fc.record({ kind: fc.constantFrom('reserve' as const, 'release' as const), nexus, key, type }),
  fc.record({ kind: fc.constant('clear' as const), nexus, key }),
  fc.record({ kind: fc.constant('preempt' as const), nexus, key, victimKey: key, type, abort: fc.boolean() }),
  fc.record({
    kind: fc.constant('registerAndMove' as const),
    nexus,
    key,
    newKey: key,
    aptpl: fc.boolean(),
    unregister: fc.boolean(),
    to: nexus,
  }),
  fc.record({ kind: fc.constantFrom('legacyReserve' as const, 'legacyRelease' as const), nexus }),
);
