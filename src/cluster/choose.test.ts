/**
 * Goal: whatever voters have promised, the next configuration can lose nothing, and no two of them can come from one
 * state. Method: every combination of what each of 2 to 4 nodes (and a witness) may be, for every strategy, against a
 * second telling of the rules; then every split of a state in two, every graph of links, every order of two steps.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Choice, choose, type ChooseInput } from './choose.ts';
import { type Configuration, type Site, type Strategy, votersOf } from './configuration.ts';
import type { Report } from './messages.ts';
import { reportWith } from './testing/report.ts';

const WITNESS = 9;
/** What a node may be, as a proposer sees it. */
const SITUATIONS = {
  silent: undefined,
  /** Heard, but it has not promised. */
  mute: undefined,
  fresh: { isFresh: true },
  restarted: {},
  stopped: { wasStopped: true },
  writtenOut: { wasWrittenOut: true },
  /** It has not accepted the last configuration. */
  behind: { isFresh: true },
  blank: { isBlank: true },
  out: { isFresh: true, isOut: true },
  outRestarted: { isOut: true },
  failed: { isFresh: true, hasFailed: true },
  /** It has accepted nothing newer, or something. */
  retired: undefined,
  retiredAhead: undefined,
  excluded: { isFresh: true },
  /** It promised over a path that carries no data. */
  dataless: { isFresh: true, handover: undefined },
} satisfies Record<string, Partial<Report<unknown>> | undefined>;
type Situation = keyof typeof SITUATIONS;

const ALL = Object.keys(SITUATIONS) as Situation[];
const SOME: readonly Situation[] = ['silent', 'fresh', 'restarted', 'blank', 'out', 'behind'];

const MAJORITY: Strategy = { kind: 'majority', witness: undefined };
const WITH_WITNESS: Strategy = { kind: 'majority', witness: WITNESS };
const ARBITRATE: Strategy = { kind: 'heartbeat', policy: 'arbitrate' };
const SUSPEND_LOW: Strategy = { kind: 'heartbeat', policy: 'suspendLow' };
const CONTINUE: Strategy = { kind: 'heartbeat', policy: 'continue' };
const STRATEGIES = [MAJORITY, WITH_WITNESS, ARBITRATE, SUSPEND_LOW, CONTINUE];

const ascending = (a: number, b: number): number => a - b;
const idOf = (term: number): string => term.toString(16).padStart(32, '0');
const configuration = (
  term: number,
  members: readonly number[],
  learners: readonly number[] = [],
): Configuration => ({ term, id: idOf(term), members, learners });

function reportOf(accepted: Configuration, bound: readonly number[], more: Partial<Report<unknown>>) {
  const usual = { bound, isFresh: false, hearsSync: [1, 2, 3, 4], handover: 'data' };
  return reportWith<unknown>(accepted, { ...usual, ...more });
}

interface Case {
  readonly site: Site;
  readonly base: Configuration;
  readonly before: Configuration;
  readonly nodes: ReadonlyMap<number, Situation>;
  readonly self: number;
  readonly promoted: readonly number[];
  readonly writesBack: boolean;
  readonly isForced: boolean;
}

const hasPromised = (situation: Situation | undefined): boolean =>
  situation !== undefined && SITUATIONS[situation] !== undefined;

function inputOf({ site, base, before, nodes, self, promoted, writesBack, isForced }: Case): ChooseInput {
  const promises = new Map<number, Report<unknown>>();
  for (const [node, situation] of nodes) {
    const more = SITUATIONS[situation];
    if (more === undefined) continue;
    const accepted = situation === 'behind' ? before : base;
    const data = node === WITNESS ? { handover: undefined } : {};
    promises.set(node, reportOf(accepted, accepted.members, { ...more, ...data }));
  }
  return {
    site,
    self,
    promises,
    excluded: new Set([...nodes].filter(([, situation]) => situation === 'excluded').map(([node]) => node)),
    promoted: new Set(promoted),
    later: [],
    isHeard: (node) => nodes.get(node) !== 'silent',
    retiredIn: (node) => ({ retired: base.term, retiredAhead: base.term + 1 })[nodes.get(node) as string],
    firsts: site.nodes.slice(0, 1),
    writesBack,
    isForced,
    winner: undefined,
  };
}

/** The rules again, for nodes that all reach each other: the members, or undefined for "wait". */
function expected(
  at: Case,
): { readonly members: readonly number[]; readonly isClaimed: boolean } | undefined {
  const { site, nodes, self, isForced } = at;
  const { strategy } = site;
  const is = (node: number, ...situations: Situation[]): boolean => situations.includes(nodes.get(node)!);
  const voters = votersOf(site);
  const promised = voters.filter((node) => hasPromised(nodes.get(node)));
  const remembering = promised.filter((node) => !is(node, 'blank'));
  if (remembering.length === 0) return undefined;
  const base = remembering.every((node) => is(node, 'behind')) ? at.before : at.base;
  // Nobody knows what these have agreed to; who is forced takes it that those without a record have agreed to nothing.
  const unknown = (node: number): boolean => !promised.includes(node) || (is(node, 'blank') && !isForced);
  const absent = base.members.filter(unknown);
  const dead = absent.filter((node) => is(node, 'retired') && base === at.base);
  const lost = absent.length - dead.length;
  let isClaimed = false;
  if (strategy.kind === 'majority') {
    if (promised.length * 2 <= voters.length || voters.filter(unknown).length * 2 > voters.length)
      return undefined;
  } else if (lost > 0 || (dead.length > 0 && strategy.policy === 'arbitrate')) {
    if (absent.some((node) => !dead.includes(node) && is(node, 'mute', 'retired', 'retiredAhead')))
      return undefined;
    if (is(self, 'out', 'outRestarted')) return undefined;
    isClaimed = strategy.policy === 'arbitrate';
    if (
      !isClaimed &&
      (is(self, 'restarted', 'stopped', 'writtenOut', 'blank') || !base.members.includes(self))
    )
      return undefined;
    const highest = site.nodes[0]!;
    if (strategy.policy === 'suspendLow' && (!promised.includes(highest) || is(highest, 'blank')))
      return undefined;
  }
  const counts = (node: number): boolean =>
    promised.includes(node) &&
    !is(node, 'blank', 'failed', 'dataless') &&
    (!is(node, 'out', 'outRestarted') || lost === 0);
  const isFresh = (node: number): boolean =>
    counts(node) && !is(node, 'restarted', 'stopped', 'writtenOut', 'outRestarted');
  const all = base.members.filter(isFresh);
  const wanted = all.filter((node) => !is(node, 'excluded'));
  const fresh = wanted.length > 0 ? wanted : all;
  const proven = at.promoted.filter(
    (node) =>
      base.learners.includes(node) &&
      isFresh(node) &&
      !is(node, 'excluded') &&
      (base === at.before || !is(node, 'behind')),
  );
  if (fresh.length > 0) return { members: [...fresh, ...proven].toSorted(ascending), isClaimed };
  const copies = site.nodes.filter(
    (node) => base.members.includes(node) && counts(node) && !is(node, 'excluded'),
  );
  const stopped = (['stopped', 'writtenOut'] as const).flatMap((how) =>
    copies.filter((node) => is(node, how)),
  );
  if (copies.length === 0) return undefined;
  if (stopped.length === 0 && at.writesBack && base.members.length > 1 && !isForced) return undefined;
  return { members: [stopped[0] ?? copies[0]!], isClaimed };
}

function* combinations(
  nodes: readonly number[],
  situations: readonly Situation[],
): Generator<Map<number, Situation>> {
  const [first, ...others] = nodes;
  if (first === undefined) return yield new Map();
  for (const rest of combinations(others, situations))
    for (const situation of situations) yield new Map([[first, situation], ...rest]);
}

function* subsets(nodes: readonly number[]): Generator<readonly number[]> {
  for (let set = 1; set < 1 << nodes.length; set++) yield nodes.filter((_, at) => (set & (1 << at)) !== 0);
}

/** Priorities are not the order of numbers. */
const PRIORITIES = [3, 1, 4, 2];

function* cases(count: number, strategy: Strategy, situations: readonly Situation[]): Generator<Case> {
  const nodes = PRIORITIES.filter((node) => node <= count);
  const site = { nodes, strategy };
  const voters = votersOf(site);
  // Standing back is the heartbeat strategy's.
  const possible = situations.filter((name) => strategy.kind === 'heartbeat' || !name.startsWith('out'));
  for (const members of subsets(nodes.toSorted(ascending))) {
    const learners = nodes.filter((node) => !members.includes(node)).toSorted(ascending);
    const base = configuration(20, members, learners);
    const before = configuration(10, nodes.toSorted(ascending));
    for (const of of combinations(nodes, possible))
      for (const witness of voters.includes(WITNESS)
        ? (['silent', 'blank', 'restarted'] as const)
        : [undefined]) {
        if (witness !== undefined) of.set(WITNESS, witness);
        const able = nodes.filter((node) => hasPromised(of.get(node)) && of.get(node) !== 'failed');
        for (const self of count === 4 ? able.slice(0, 1) : able)
          for (const [promoted, writesBack, isForced] of [
            [[], false, false],
            [learners, true, false],
            [learners, true, true],
          ] as const)
            yield { site, base, before, nodes: of, self, promoted, writesBack, isForced };
      }
  }
}

function describe({ site, base, nodes, self, promoted, writesBack, isForced }: Case): string {
  const of = [...nodes].map(([node, situation]) => `${node} ${situation}`).join(', ');
  return JSON.stringify({
    strategy: site.strategy,
    members: base.members,
    of,
    self,
    promoted,
    writesBack,
    isForced,
  });
}

/** What holds for every choice, whatever led to it. */
function holds(at: Case, { members, learners, base, sources }: Choice): void {
  const say = (what: string): string => `${what}: ${describe(at)}`;
  const { nodes, site } = at;
  const missing = base.members.some((node) => !hasPromised(nodes.get(node)) && nodes.get(node) !== 'retired');
  assert.ok(members.length > 0, say('somebody serves'));
  for (const node of members) {
    const situation = nodes.get(node)!;
    assert.ok(base.members.includes(node) || at.promoted.includes(node), say('members come from members'));
    assert.ok(
      !['silent', 'mute', 'blank', 'failed', 'retired', 'retiredAhead', 'dataless'].includes(situation),
      say('members count'),
    );
    assert.ok(
      situation !== 'excluded' ||
        members.every((other) => nodes.get(other) === 'excluded' || !base.members.includes(other)),
      say('who is to be left out stays only if nobody else can'),
    );
    if (site.strategy.kind === 'heartbeat' && missing)
      assert.ok(!situation.startsWith('out'), say('who stood back waits for all'));
  }
  for (const node of learners) {
    assert.ok(!members.includes(node), say('a learner is no member'));
    assert.ok(
      SITUATIONS[nodes.get(node)!] !== undefined && nodes.get(node) !== 'failed',
      say('learners promised'),
    );
  }
  for (const node of sources)
    assert.ok(
      [...base.members, ...base.learners].includes(node),
      say('what is finished was pending on whom it concerned'),
    );
}

for (const [count, situations] of [
  [2, ALL],
  [3, ALL],
  [4, SOME],
] as const)
  for (const strategy of STRATEGIES) {
    const name =
      strategy.kind === 'heartbeat' ? strategy.policy : `majority, witness ${strategy.witness ?? 'none'}`;
    test(`of ${count} nodes (${name}) those go on that have everything, and only if no others can`, () => {
      let [went, waited] = [0, 0];
      for (const at of cases(count, strategy, situations)) {
        const chosen = choose(inputOf(at));
        const right = expected(at);
        if (chosen.kind === 'wait') {
          assert.equal(undefined, right, describe(at));
          waited += 1;
          continue;
        }
        assert.deepEqual({ members: chosen.members, isClaimed: chosen.needsClaim }, right, describe(at));
        holds(at, chosen);
        went += 1;
      }
      assert.ok(went > 100 && waited > 100, `${went} went on, ${waited} waited`);
    });
  }

/** What a voter has durably, and whether its process goes on. */
interface Voter {
  readonly accepted: Configuration;
  readonly bound: readonly number[];
  readonly isFresh: boolean;
  readonly isOut: boolean;
  readonly isBlank: boolean;
}

const KINDS = ['silent', 'joined', 'dataless', 'excluded', 'retired'] as const;
type Kind = (typeof KINDS)[number];

/** What `self` chooses when the others are there in these ways, and do not hear the rest. */
function propose(
  site: Site,
  voters: ReadonlyMap<number, Voter>,
  self: number,
  kinds: ReadonlyMap<number, Kind>,
) {
  const promises = new Map<number, Report<unknown>>();
  for (const [node, kind] of kinds) {
    const { accepted, bound, ...rest } = voters.get(node)!;
    if (kind === 'silent' || kind === 'retired') continue;
    const isOut = rest.isOut || (kind === 'excluded' && site.strategy.kind === 'heartbeat');
    const data = kind === 'dataless' || node === WITNESS ? { handover: undefined } : {};
    promises.set(node, reportOf(accepted, bound, { ...rest, isOut, ...data }));
  }
  return choose({
    site,
    self,
    promises,
    excluded: new Set([...kinds].filter(([, kind]) => kind === 'excluded').map(([node]) => node)),
    promoted: new Set(),
    later: [],
    isHeard: (node) => kinds.get(node) !== 'silent',
    retiredIn: (node) => (kinds.get(node) === 'retired' ? voters.get(node)!.accepted.term : undefined),
    firsts: site.nodes.slice(0, 1),
    writesBack: false,
    isForced: false,
    winner: undefined,
  });
}

function* ways<T>(nodes: readonly number[], of: (node: number) => readonly T[]): Generator<Map<number, T>> {
  const [first, ...others] = nodes;
  if (first === undefined) return yield new Map();
  for (const rest of ways(others, of)) for (const way of of(first)) yield new Map([[first, way], ...rest]);
}

function* proposals(site: Site, voters: ReadonlyMap<number, Voter>, kinds: readonly Kind[]) {
  for (const self of site.nodes)
    for (const way of ways(votersOf(site), (node) =>
      node === self ? (['joined'] as const) : node === WITNESS ? (['silent', 'joined'] as const) : kinds,
    )) {
      const chosen = propose(site, voters, self, way);
      if (chosen.kind === 'go') yield { self, way, chosen };
    }
}

for (const [count, strategy] of [
  [2, MAJORITY],
  [3, MAJORITY],
  [2, WITH_WITNESS],
  [2, SUSPEND_LOW],
  [3, SUSPEND_LOW],
  [2, ARBITRATE],
  [3, ARBITRATE],
] as const) {
  const name =
    strategy.kind === 'heartbeat' ? strategy.policy : `majority, witness ${strategy.witness ?? 'none'}`;
  const site = { nodes: PRIORITIES.filter((node) => node <= count), strategy };
  const first = configuration(16, site.nodes.toSorted(ascending));

  test(`${count} nodes (${name}): of two that do not hear each other at most one goes on`, () => {
    let both = 0;
    for (const voters of ways(votersOf(site), () => states(first))) {
      const all = [...proposals(site, voters, ['silent', 'joined'])];
      for (const a of all)
        for (const b of all) {
          if (
            a.self >= b.self ||
            [...a.way].some(([node, kind]) => kind === 'joined' && b.way.get(node) === 'joined')
          )
            continue;
          both += 1;
          // The arbiter lets one of them go on.
          assert.ok(
            a.chosen.needsClaim && b.chosen.needsClaim,
            JSON.stringify([[...voters], [...a.way], [...b.way]]),
          );
        }
    }
    assert.equal(both > 0, name === 'arbitrate');
  });

  test(`${count} nodes (${name}): what may have been installed is what everything later begins from`, () => {
    const fresh = { accepted: first, bound: first.members, isFresh: true, isOut: false, isBlank: false };
    const voters = new Map(votersOf(site).map((node) => [node, fresh]));
    let checked = 0;
    for (const { way, chosen } of proposals(site, voters, KINDS)) {
      const second = configuration(32, chosen.members, chosen.learners);
      for (const after of afterwards(site, voters, way, chosen, second))
        for (const next of proposals(site, after, ['silent', 'joined', 'dataless', 'retired'])) {
          checked += 1;
          // Who is not in the arbiter's last claim does not get another.
          if (
            next.chosen.needsClaim &&
            (chosen.needsClaim ? !chosen.members.includes(next.self) : !second.members.includes(next.self))
          )
            continue;
          assert.equal(
            next.chosen.base.term,
            second.term,
            JSON.stringify({
              way: [...way],
              second,
              after: [...after],
              next: [...next.way],
              self: next.self,
            }),
          );
        }
    }
    assert.ok(checked > 10, `${checked} second steps`);
  });
}

function states(accepted: Configuration): Voter[] {
  const bound = accepted.members;
  const usual = { accepted, bound, isFresh: true, isOut: false, isBlank: false };
  return [
    usual,
    { ...usual, isFresh: false },
    { ...usual, isOut: true },
    { ...usual, isFresh: false, isBlank: true },
  ];
}

/** All that voters may have when `second` is complete: those who had to accept it have, others perhaps; some were restarted. */
function* afterwards(
  site: Site,
  before: ReadonlyMap<number, Voter>,
  way: ReadonlyMap<number, Kind>,
  chosen: Choice,
  second: Configuration,
): Generator<ReadonlyMap<number, Voter>> {
  const included = [...second.members, ...second.learners];
  const after = (node: number): Voter[] => {
    const was = before.get(node)!;
    if (way.get(node) === 'retired') return [{ ...was, isFresh: false }];
    const isOut = was.isOut || (way.get(node) === 'excluded' && site.strategy.kind === 'heartbeat');
    const isIn = included.includes(node);
    const bound = [...new Set([...was.bound, ...second.members])];
    const has = { ...was, accepted: second, bound, isFresh: isIn, isOut: isOut && !isIn };
    const must = isIn || chosen.told.includes(node);
    const kept = must ? [] : [{ ...was, isOut }];
    return [...kept, has, { ...has, bound: second.members }].flatMap((voter) => [
      voter,
      { ...voter, isFresh: false },
    ]);
  };
  for (const voters of ways([...before.keys()], after)) {
    const count = [...voters.values()].filter(({ accepted }) => accepted === second).length;
    const need = site.strategy.kind === 'majority' ? Math.floor(voters.size / 2) + 1 : 1;
    if (count >= need) yield voters;
  }
}

test('while priorities change, of two that lose each other neither goes on before it knows whether it is the first', () => {
  const base = configuration(20, [1, 2]);
  const goesOn = (self: number, firsts: readonly number[]): boolean => {
    const promises = new Map([[self, reportOf(base, base.members, { isFresh: true })]]);
    const chosen = choose({
      site: { nodes: [1, 2], strategy: SUSPEND_LOW },
      self,
      promises,
      excluded: new Set(),
      promoted: new Set(),
      later: [],
      isHeard: () => false,
      retiredIn: () => undefined,
      firsts,
      writesBack: false,
      isForced: false,
      winner: undefined,
    });
    return chosen.kind === 'go';
  };
  assert.deepEqual(
    [goesOn(1, [1]), goesOn(1, [1, 2]), goesOn(2, [1, 2]), goesOn(2, [2])],
    [true, false, false, true],
  );
});
