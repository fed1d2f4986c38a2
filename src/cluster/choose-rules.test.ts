/**
 * Goal: each rule of the choice, told by one case in which it alone decides. Method: promises made by hand. That the rules
 * together are enough is shown over all cases by choose.test.ts.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Choice, choose, type Chosen, type ChooseInput } from './choose.ts';
import type { Configuration, Strategy } from './configuration.ts';
import type { Report } from './messages.ts';
import { reportWith } from './testing/report.ts';

const MAJORITY: Strategy = { kind: 'majority', witness: undefined };
const SUSPEND_LOW: Strategy = { kind: 'heartbeat', policy: 'suspendLow' };

const of = (term: number, members: readonly number[], learners: readonly number[] = []): Configuration => ({
  term,
  id: `${term}`.padStart(32, '0'),
  members,
  learners,
});

/** By a copy that is joined with all others. */
const promise = (accepted: Configuration, more: Partial<Report<unknown>> = {}): Report<unknown> =>
  reportWith<unknown>(accepted, { hearsSync: [1, 2, 3], handover: 'data', ...more });

/** Of nodes 1, 2 and 3 those that have promised; the others are silent. */
function chosenBy(
  self: number,
  strategy: Strategy,
  promises: Readonly<Record<number, Report<unknown>>>,
  more: Partial<ChooseInput> = {},
): Chosen {
  return choose({
    site: { nodes: [1, 2, 3], strategy },
    self,
    promises: new Map(Object.entries(promises).map(([node, report]) => [Number(node), report])),
    excluded: new Set(),
    promoted: new Set(),
    later: [],
    isHeard: (node) => node in promises,
    retiredIn: () => undefined,
    firsts: [1],
    writesBack: false,
    isForced: false,
    winner: undefined,
    ...more,
  });
}

function choiceOf(...of: Parameters<typeof chosenBy>): Choice {
  const chosen = chosenBy(...of);
  assert.ok(chosen.kind === 'go', chosen.rule);
  return chosen;
}

const ALL = of(20, [1, 2, 3]);

test('leases of those who are left out and silent are waited for, as long as anyone knows', () => {
  const [one, two] = [
    [1, 100],
    [3, 900],
  ] as const;
  const promises = {
    1: promise(ALL, { leases: [one, two] }),
    2: promise(ALL, {
      leases: [
        [1, 1800],
        [3, 1500],
      ],
    }),
  };
  assert.deepEqual(
    [choiceOf(1, MAJORITY, promises).members, choiceOf(1, MAJORITY, promises).waitMs],
    [[1, 2], 1500],
  );
});

test('leases of those who have promised are over', () => {
  const promises = { 1: promise(ALL, { leases: [[2, 900]] }), 2: promise(ALL) };
  assert.equal(choiceOf(1, MAJORITY, promises, { excluded: new Set([2]) }).waitMs, 0);
});

test('what is pending on a learner of the last configuration is finished, too', () => {
  const base = of(20, [1, 2], [3]);
  assert.deepEqual(choiceOf(2, MAJORITY, { 2: promise(base), 3: promise(base) }).sources, [2, 3]);
});

test('heartbeat: while nobody knows that it was installed, the members of the one before have to agree as well', () => {
  const base = of(20, [1, 2]);
  const accepted = promise(base, { bound: [1, 2, 3] });
  const isHeard = { isHeard: () => true };
  assert.equal(chosenBy(1, SUSPEND_LOW, { 1: accepted, 2: accepted }, isHeard).kind, 'wait');
  assert.equal(chosenBy(1, SUSPEND_LOW, { 1: accepted, 2: promise(base) }, isHeard).kind, 'go');
});

test('voters that have lost their records are no votes: what they agreed to may be unknown to the others', () => {
  const promises = { 1: promise(ALL), 2: promise(ALL, { isBlank: true, isFresh: false }) };
  assert.equal(chosenBy(1, MAJORITY, promises).kind, 'wait');
  assert.equal(chosenBy(1, MAJORITY, { ...promises, 3: promise(ALL) }).kind, 'go');
});

test('what a voter without records says of the last configuration does not count', () => {
  const blank = promise(of(36, [3]), { isBlank: true, isFresh: false });
  assert.equal(choiceOf(1, MAJORITY, { 1: promise(ALL), 2: promise(ALL), 3: blank }).base.term, 20);
});

test('after an outage a copy starts that has accepted the last configuration', () => {
  const promises = {
    1: promise(of(4, [1, 2, 3]), { isFresh: false }),
    2: promise(ALL, { isFresh: false }),
    3: promise(of(4, [1, 2, 3]), { isFresh: false }),
  };
  assert.deepEqual(choiceOf(1, MAJORITY, promises).members, [2]);
});

test('after an outage a copy starts that was a member', () => {
  const base = of(20, [2, 3]);
  const restarted = promise(base, { isFresh: false });
  assert.deepEqual(choiceOf(1, MAJORITY, { 1: restarted, 2: restarted }).members, [2]);
  const alone = promise(of(20, [3]), { isFresh: false });
  assert.equal(chosenBy(1, MAJORITY, { 1: alone, 2: alone }).kind, 'wait');
});

test('a copy that has not accepted to go on alone has lost what its cache held with others', () => {
  const alone = of(20, [2]);
  const told = promise(alone, { isFresh: false });
  const failed = { 1: told, 2: promise(of(4, [1, 2]), { isFresh: false }) };
  assert.deepEqual(choiceOf(1, MAJORITY, failed).members, [2]);
  assert.equal(chosenBy(1, MAJORITY, failed, { writesBack: true }).kind, 'wait');
  const accepted = { 1: told, 2: promise(alone, { isFresh: false }) };
  assert.deepEqual(choiceOf(1, MAJORITY, accepted, { writesBack: true }).members, [2]);
});

test('heartbeat: who has stood back is no member while someone is silent who may have gone on since', () => {
  const promises = { 1: promise(ALL, { isOut: true }), 2: promise(ALL) };
  assert.deepEqual(choiceOf(2, SUSPEND_LOW, promises).members, [2]);
  assert.deepEqual(choiceOf(2, SUSPEND_LOW, { ...promises, 3: promise(ALL) }).members, [1, 2, 3]);
});

test('heartbeat: who has stood back does not let others go on without the one that is silent', () => {
  const promises = { 1: promise(ALL), 2: promise(ALL, { isOut: true }) };
  assert.equal(chosenBy(2, SUSPEND_LOW, promises).kind, 'wait');
  assert.equal(chosenBy(1, SUSPEND_LOW, promises).kind, 'go');
});

test('a copy that was restarted does not take the place of the only one that has gone on, though that is to leave', () => {
  const two = of(20, [1, 3]);
  const promises = { 1: promise(two), 3: promise(two, { isFresh: false, wasStopped: true }) };
  for (const strategy of [MAJORITY, SUSPEND_LOW]) {
    const choice = choiceOf(
      1,
      strategy,
      { ...promises, 2: promise(of(4, [1, 2, 3]), { isFresh: false }) },
      { excluded: new Set([1]) },
    );
    assert.deepEqual([choice.members, choice.learners], [[1], [2, 3]]);
  }
  const both = { ...promises, 3: promise(two) };
  assert.deepEqual(choiceOf(1, SUSPEND_LOW, both, { excluded: new Set([1]) }).members, [3]);
});

/** Promises of these, which all reach each other. */
const all = (
  base: Configuration,
  nodes: readonly number[],
  more: Partial<Report<unknown>> = {},
): Readonly<Record<number, Report<unknown>>> =>
  Object.fromEntries(nodes.map((node) => [node, promise(base, { hearsSync: [1, 2, 3, 4], ...more })]));
const NEW = promise(of(0, []), { isBlank: true, isFresh: false, hearsSync: [1, 2, 3] });

test('replicas change only from the configuration that was looked at, and one change is complete before the next', () => {
  const change = { baseTerm: 20, replicas: [4, 1, 2, 3] };
  const added = choiceOf(1, MAJORITY, { ...all(ALL, [1, 2, 3]), 4: NEW }, { change });
  assert.deepEqual(
    [added.members, added.learners, added.replicas, added.formerly],
    [[1, 2, 3], [4], [1, 2, 3, 4], [1, 2, 3]],
  );
  const later = choiceOf(1, MAJORITY, { ...all(of(36, [1, 2, 3]), [1, 2, 3]), 4: NEW }, { change });
  assert.deepEqual([later.learners, later.replicas, later.formerly], [[], undefined, undefined]);
  const base = { ...ALL, replicas: [1, 2, 3], formerly: [1, 2] };
  const between = choiceOf(1, MAJORITY, { ...all(base, [1, 2, 3]), 4: NEW }, { change });
  assert.deepEqual([between.replicas, between.formerly], [[1, 2, 3], undefined], 'that one is complete now');
});

test('who cannot learn is not made a replica, and who is a member is not left without one', () => {
  const change = { baseTerm: 20, replicas: [1, 2, 3, 4] };
  for (const four of [
    undefined,
    { ...NEW, handover: undefined },
    { ...NEW, hasFailed: true },
    { ...NEW, hearsSync: [1] },
  ]) {
    const promises = four === undefined ? {} : { 4: four };
    const choice = choiceOf(1, MAJORITY, { ...all(ALL, [1, 2, 3]), ...promises }, { change });
    assert.deepEqual([choice.learners, choice.replicas, choice.formerly], [[], undefined, undefined]);
  }
  const without = { baseTerm: 20, replicas: [1, 2] };
  assert.equal(choiceOf(1, MAJORITY, all(ALL, [1, 2, 3]), { change: without }).replicas, undefined);
  const excluded = new Set([3]);
  const removed = choiceOf(1, MAJORITY, all(ALL, [1, 2, 3]), { change: without, excluded });
  assert.deepEqual(
    [removed.members, removed.learners, removed.replicas, removed.formerly],
    [[1, 2], [], [1, 2], [1, 2, 3]],
  );
});

test('what only somebody has accepted who has no vote in it counts, too', () => {
  // Node 3 was told of a configuration in which it has no copy; node 2 has not heard of it yet.
  const last = { ...of(36, [1, 2]), replicas: [1, 2] };
  const promises = {
    2: promise({ ...of(20, [1, 2]), replicas: [1, 2], formerly: [1, 2, 3] }),
    3: promise(last, { isFresh: false, bound: [1, 2] }),
  };
  assert.equal(chosenBy(2, SUSPEND_LOW, promises).kind, 'wait', 'node 1 is silent');
  const both = choiceOf(1, SUSPEND_LOW, { ...promises, 1: promise(last) });
  assert.deepEqual([both.base.term, both.members, both.replicas], [36, [1, 2], [1, 2]]);
});

test('a copy from a time at which it was alone does not begin before those that have gone on since have promised', () => {
  const [early, now] = [of(20, [1]), of(90, [1, 2])];
  const site = { nodes: [1], strategy: SUSPEND_LOW };
  const old = promise(early, { isFresh: false });
  const more = { site, later: [2] };
  assert.equal(chosenBy(1, SUSPEND_LOW, { 1: old }, more).kind, 'wait');
  const since = promise({ ...now, replicas: [1, 2] });
  const choice = choiceOf(1, SUSPEND_LOW, { 1: old, 2: since }, more);
  assert.deepEqual([choice.base.term, choice.members, choice.learners], [90, [2], [1]]);
});
