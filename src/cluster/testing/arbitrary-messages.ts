/** Any messages about configurations, for properties. */

import fc from 'fast-check';
import { NO_UUID } from '../../base/uuid.ts';
import type { Configuration } from '../configuration.ts';
import { type EpochRecord, HISTORY_MAX } from '../history.ts';
import type { Beat, BeatAnswer, Control, Report, Role } from '../messages.ts';

const ROLES: readonly Role[] = [
  'serving',
  'learning',
  'sealed',
  'waiting',
  'blocked',
  'diverged',
  'failed',
  'witness',
];

const count = fc.maxSafeNat();
const nodes = (maxLength: number) => fc.uniqueArray(fc.integer({ min: 1, max: 0xffff }), { maxLength });
const moment = fc.double({ noNaN: true, noDefaultInfinity: true });
export const uuid = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''));

const replicas = nodes(4).filter(({ length }) => length > 0);
const configuration: fc.Arbitrary<Configuration> = fc.record(
  { term: count, id: uuid, members: nodes(4), learners: nodes(4), replicas, formerly: replicas },
  { requiredKeys: ['term', 'id', 'members', 'learners'] },
);

export const beat: fc.Arbitrary<Beat> = fc.record({
  kind: fc.constant('beat' as const),
  incarnation: count,
  sentAt: moment,
  term: count,
  promised: count,
  accepted: fc.record({ term: count, members: nodes(4) }),
  hasRetired: fc.boolean(),
  role: fc.constantFrom(...ROLES),
  hears: nodes(5),
  hearsSync: nodes(5),
  members: nodes(4),
});

export const beatAnswer: fc.Arbitrary<BeatAnswer> = fc.record({
  kind: fc.constant('beatAnswer' as const),
  incarnation: count,
  sentAt: moment,
  term: count,
});

const epoch: fc.Arbitrary<EpochRecord> = fc.record({
  term: count,
  id: uuid.filter((id) => id !== NO_UUID),
  members: nodes(4),
  wroteData: fc.boolean(),
});

export const history = fc
  .uniqueArray(epoch, { selector: ({ term }) => term, maxLength: HISTORY_MAX, size: 'max' })
  .map((epochs) => epochs.toSorted((a, b) => a.term - b.term));

const report = <H>(handover: fc.Arbitrary<H>): fc.Arbitrary<Report<H>> =>
  fc.record({
    promised: count,
    accepted: configuration,
    bound: nodes(4),
    isFresh: fc.boolean(),
    wasStopped: fc.boolean(),
    wasWrittenOut: fc.boolean(),
    isBlank: fc.boolean(),
    isOut: fc.boolean(),
    isDiverged: fc.boolean(),
    hasKept: fc.boolean(),
    hasFailed: fc.boolean(),
    history,
    leases: fc.array(fc.tuple(fc.nat(0xffff), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })), {
      maxLength: 5,
    }),
    hearsSync: nodes(5),
    handover: fc.option(handover, { nil: undefined }),
  });

export const control = <H>(handover: fc.Arbitrary<H>): fc.Arbitrary<Control<H>> =>
  fc.oneof(
    fc.record({
      kind: fc.constant('prepare' as const),
      term: count,
      excluded: nodes(5),
      withHandover: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('promise' as const), term: count, report: report(handover) }),
    fc.record({ kind: fc.constant('refuse' as const), term: count, promised: count }),
    fc.record({
      kind: fc.constant('accept' as const),
      proposal: fc.record({
        configuration,
        diverged: nodes(4),
        handover: fc.option(handover, { nil: undefined }),
      }),
    }),
    fc.record({ kind: fc.constant('accepted' as const), term: count }),
    fc.record({ kind: fc.constant('install' as const), configuration }),
  );
