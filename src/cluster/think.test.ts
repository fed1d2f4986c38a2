/**
 * Goal: a change is proposed when one is needed, by the node that should, after the patience that it should have, and never
 * without need. Method: one membership that is told, beat by beat, what the others say; how many looks it takes until it
 * proposes, and what.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Configuration, Strategy } from './configuration.ts';
import { Membership } from './membership.ts';
import type { MembershipPorts, Standing } from './ports.ts';
import type { Beat } from './messages.ts';
import { type Reason, reasonToPropose } from './think.ts';
import { BEAT_MS, FORGOTTEN_MS, SUSPECT_MS } from './times.ts';

const MAJORITY: Strategy = { kind: 'majority', witness: undefined };
const WITNESS: Strategy = { kind: 'majority', witness: 9 };
const HEARTBEAT: Strategy = { kind: 'heartbeat', policy: 'suspendLow' };
const CONTINUE: Strategy = { kind: 'heartbeat', policy: 'continue' };
const TERM = 20;
const ASTRAY_TICKS = 4;
const DEFERENCE_TICKS = 15;
const RIVALRY_TICKS = 15;
const POWERLESS_TICKS = 15;
const LONG = 60;

const of = (members: readonly number[], learners: readonly number[] = []): Configuration => ({
  term: TERM,
  id: 'f'.repeat(32),
  members,
  learners,
});

interface Situation {
  readonly strategy: Strategy;
  readonly self: number;
  /** Highest priority first. */
  readonly nodes?: readonly number[];
  /** What all have accepted. */
  readonly accepted: Configuration;
  readonly isDiverged?: boolean;
}

class Bench {
  readonly membership: Membership<string>;
  readonly ready: number[] = [];
  readonly slow = new Set<number>();
  now = 10_000;
  #sent = 0;

  constructor(situation: Situation) {
    const { strategy, self, accepted, nodes = [1, 2, 3], isDiverged = false } = situation;
    const standing: Standing = {
      promised: accepted.term,
      accepted,
      bound: accepted.members,
      isOut: false,
      isDiverged,
    };
    this.membership = new Membership<string>({
      self,
      site: { nodes, strategy },
      incarnation: 1,
      ports: this.#ports(),
      standing,
    });
  }

  /** It serves in what it has accepted, and knows who was there then. */
  serve(): this {
    this.membership.installed = this.membership.standing.accepted;
    for (const node of this.membership.site.nodes) this.membership.known.set(node, 1);
    return this;
  }

  /** Another node says this, on all paths, and lets this one serve. */
  hear(node: number, more: Partial<Beat> = {}, onSync = true, grants = true): this {
    const { accepted } = this.membership.standing;
    const isIn = [...accepted.members, ...accepted.learners].includes(node);
    const beat: Beat = {
      kind: 'beat',
      incarnation: 1,
      sentAt: (this.#sent += 1),
      term: isIn ? TERM : 0,
      promised: TERM,
      accepted,
      hasRetired: false,
      role: accepted.members.includes(node) ? 'serving' : isIn ? 'learning' : 'blocked',
      hears: [1, 2, 3, 4, 9],
      hearsSync: [1, 2, 3, 4, 9],
      members: isIn ? accepted.members : [],
      ...more,
    };
    this.membership.peers.heard(node, beat, onSync, this.now);
    if (grants)
      this.membership.onBeatAnswer(node, {
        kind: 'beatAnswer',
        incarnation: 1,
        sentAt: this.now,
        term: TERM,
      });
    return this;
  }

  look(): Reason | undefined {
    return reasonToPropose(this.membership, this.now);
  }

  /** At which look it proposes, and what; undefined: not in a long time. */
  untilProposed(): { readonly looks: number; readonly reason: Reason } | undefined {
    for (let looks = 1; looks <= LONG; looks++) {
      const reason = this.look();
      if (reason !== undefined) return { looks, reason };
    }
    return undefined;
  }

  #ports(): MembershipPorts<string> {
    const never = (): never => assert.fail('to think does nothing');
    return {
      clock: { now: () => this.now, after: never },
      trace: never,
      random: never,
      newId: never,
      sendBeat: never,
      send: never,
      seal: never,
      save: never,
      report: never,
      merge: never,
      accept: never,
      install: never,
      standBack: never,
      claim: never,
      writesBack: never,
      firsts: never,
      readyLearners: () => this.ready,
      slowNodes: () => this.slow,
    };
  }
}

const three = (self = 1, strategy: Strategy = MAJORITY): Bench =>
  new Bench({ strategy, self, accepted: of([1, 2, 3]) }).serve();
const quiet = (bench: Bench): void => assert.equal(bench.untilProposed(), undefined);

test('nobody proposes while all is well', () => {
  for (const self of [1, 2, 3]) {
    const bench = three(self);
    for (const node of [1, 2, 3]) if (node !== self) bench.hear(node);
    quiet(bench);
  }
});

const LOSSES: readonly (readonly [string, (bench: Bench) => void])[] = [
  ['is silent', (bench) => void ((bench.now += SUSPECT_MS), bench.hear(2))],
  [
    'is heard on heartbeat links only',
    (bench) => void ((bench.now += SUSPECT_MS), bench.hear(2).hear(3, {}, false)),
  ],
  ['does not hear this one on a sync link', (bench) => void bench.hear(3, { hearsSync: [2] })],
  ['is another process than before', (bench) => void bench.hear(3, { incarnation: 2 })],
  ['keeps changes waiting', (bench) => void bench.slow.add(3)],
  ['has failed', (bench) => void bench.hear(3, { role: 'failed' })],
  ['has gone another way', (bench) => void bench.hear(3, { role: 'diverged' })],
  ['stops', (bench) => void bench.hear(3, { role: 'stopping' })],
];
for (const [what, happens] of LOSSES)
  test(`a member that ${what} is left out at once`, () => {
    const bench = three().hear(2).hear(3);
    happens(bench);
    const proposed = bench.untilProposed();
    assert.equal(proposed?.looks, 1);
    assert.deepEqual([proposed?.reason.excluded, proposed?.reason.promoted], [[3], []]);
  });

test('a learner that is lost is left out, too, and one who is neither is not missed', () => {
  const bench = new Bench({ strategy: MAJORITY, self: 1, accepted: of([1, 2], [3]) }).serve();
  bench.hear(2).hear(3);
  quiet(bench);
  bench.slow.add(3);
  assert.deepEqual(bench.look()?.excluded, [3]);
  quiet(new Bench({ strategy: MAJORITY, self: 1, accepted: of([1, 2]) }).serve().hear(2));
});

test('a member whom nobody lets serve though it hears enough of them proposes after a while', () => {
  const alone = (): Bench =>
    new Bench({ strategy: WITNESS, self: 1, nodes: [1, 2], accepted: of([1]) }).serve();
  const proposed = alone().hear(9, {}, false, false).untilProposed();
  assert.deepEqual([proposed?.looks, proposed?.reason.cause], [POWERLESS_TICKS + 1, 'nobody grants a lease']);
  quiet(alone().hear(9, {}, false));
  quiet(alone());
});

test('a witness without its record is given another configuration, when it may accept one', () => {
  const bench = (self: number): Bench =>
    new Bench({ strategy: WITNESS, self, nodes: [1, 2], accepted: of([1, 2]) }).serve().hear(3 - self);
  const forgetful: Partial<Beat> = { accepted: { term: 0, members: [] }, role: 'witness' };
  const proposed = bench(1).hear(9, forgetful).untilProposed();
  assert.equal(proposed?.reason.cause, 'the witness has lost its record');
  assert.ok(proposed.looks * BEAT_MS > FORGOTTEN_MS);
  quiet(bench(2).hear(9, forgetful));
  quiet(bench(1).hear(9));
});

test('heartbeat: of two that lost their sync links the lower waits for the higher, but not for ever', () => {
  for (const [self, looks] of [
    [1, 1],
    [2, DEFERENCE_TICKS],
  ] as const) {
    const bench = new Bench({ strategy: HEARTBEAT, self, nodes: [1, 2], accepted: of([1, 2]) }).serve();
    bench.hear(3 - self, { hearsSync: [] }, false);
    assert.equal(bench.untilProposed()?.looks, looks, `node ${self}`);
  }
});

test('priority is the order of the site, not the number', () => {
  const bench = new Bench({ strategy: HEARTBEAT, self: 1, nodes: [2, 1], accepted: of([1, 2]) }).serve();
  bench.hear(2, { hearsSync: [] }, false);
  assert.equal(bench.untilProposed()?.looks, DEFERENCE_TICKS);
});

test('heartbeat: a higher one that is silent or has failed is not waited for; majority waits for nobody', () => {
  const silent = new Bench({ strategy: HEARTBEAT, self: 2, nodes: [1, 2], accepted: of([1, 2]) }).serve();
  assert.equal(silent.untilProposed()?.looks, 1);
  const failed = new Bench({ strategy: HEARTBEAT, self: 2, nodes: [1, 2], accepted: of([1, 2]) }).serve();
  assert.equal(failed.hear(1, { role: 'failed', hearsSync: [] }, false).untilProposed()?.looks, 1);
  assert.equal(three(2).hear(3).hear(1, { hearsSync: [] }, false).untilProposed()?.looks, 1);
});

test('a member in another term is given a few looks to change over', () => {
  const bench = three().hear(2).hear(3, { term: 0, role: 'sealed' });
  const proposed = bench.untilProposed();
  assert.equal(proposed?.looks, ASTRAY_TICKS + 1);
  assert.deepEqual(proposed.reason.excluded, []);
  const again = three().hear(2).hear(3, { term: 0, role: 'sealed' });
  for (let look = 0; look < ASTRAY_TICKS; look++) assert.equal(again.look(), undefined);
  again.hear(3);
  assert.equal(again.look(), undefined);
  again.hear(3, { term: 0, role: 'sealed' });
  assert.equal(again.untilProposed()?.looks, ASTRAY_TICKS + 1, 'counted anew');
});

test('learners that were proven equal are promoted, by whichever member knows it', () => {
  for (const self of [1, 2]) {
    const bench = new Bench({ strategy: MAJORITY, self, accepted: of([1, 2], [3]) }).serve();
    bench.hear(3 - self).hear(3);
    bench.ready.push(3);
    assert.deepEqual(bench.look(), {
      cause: 'node 3 has been brought up to date',
      excluded: [],
      promoted: [3],
    });
  }
});

test('who is back joins when the first member and all others reach it, and it them', () => {
  const away = (self: number): Bench =>
    new Bench({ strategy: MAJORITY, self, accepted: of([1, 2]) }).serve().hear(3 - self);
  assert.equal(away(1).hear(3).look()?.cause, 'node 3 is back');
  quiet(away(2).hear(3));
  quiet(away(1).hear(3, { hearsSync: [1] }));
  quiet(
    away(1)
      .hear(3)
      .hear(2, { hearsSync: [1] }),
  );
  quiet(away(1).hear(3, {}, false));
  quiet(away(1).hear(3, { role: 'failed' }));
  quiet(away(1).hear(3, { role: 'diverged' }));
});

test('continue: two that serve without each other are found, the higher acts first', () => {
  const alone = (self: number): Bench =>
    new Bench({ strategy: CONTINUE, self, nodes: [1, 2], accepted: of([self]) }).serve();
  const rival = (self: number): Partial<Beat> => ({ role: 'serving', members: [self], term: 36 });
  assert.equal(alone(1).hear(2, rival(2)).untilProposed()?.looks, RIVALRY_TICKS + 1);
  assert.equal(alone(2).hear(1, rival(1)).untilProposed()?.looks, RIVALRY_TICKS + DEFERENCE_TICKS + 1);
  quiet(alone(1).hear(2, { ...rival(2), members: [1, 2] }));
});

test('an administrator’s word is carried out at once, also when all is well', () => {
  const bench = three().hear(2).hear(3);
  bench.membership.proposer.force();
  assert.equal(bench.look()?.cause, 'an administrator has decided');
});

// ── Nobody serves ──

/** All were restarted, or are out. */
const waiting = (self: number, strategy: Strategy = MAJORITY, accepted = of([1, 2, 3])): Bench =>
  new Bench({ strategy, self, accepted });
const idle: Partial<Beat> = { role: 'waiting', term: 0 };

test('when nobody serves the highest begins after a little, and each next one much later', () => {
  const looks = [1, 2, 3].map((self) => {
    const bench = waiting(self);
    for (const node of [1, 2, 3]) if (node !== self) bench.hear(node, idle);
    return bench.untilProposed()!.looks;
  });
  assert.deepEqual(looks, [4, 4 + 2 + DEFERENCE_TICKS, 4 + 4 + DEFERENCE_TICKS]);
});

test('higher ones that have failed or are silent are not deferred to', () => {
  assert.equal(waiting(2).hear(1, { role: 'failed', term: 0 }).hear(3, idle).untilProposed()?.looks, 6);
  assert.equal(waiting(2).hear(3, idle).untilProposed()?.looks, 6);
});

test('while somebody serves, others wait; and their patience begins anew', () => {
  const bench = waiting(1).hear(2, idle).hear(3, idle);
  for (let look = 0; look < 3; look++) assert.equal(bench.look(), undefined);
  bench.hear(2);
  assert.equal(bench.look(), undefined);
  quiet(bench);
  bench.hear(2, idle);
  assert.equal(bench.untilProposed()?.looks, 4);
});

test('majority: without enough voters in hearing there is nothing to propose; a witness is one', () => {
  quiet(waiting(1));
  assert.ok(waiting(1).hear(2, idle).untilProposed() !== undefined);
  const two = (): Bench => new Bench({ strategy: WITNESS, self: 1, nodes: [1, 2], accepted: of([1, 2]) });
  quiet(two());
  assert.ok(two().hear(9, { role: 'witness', term: 0 }).untilProposed() !== undefined);
  assert.ok(waiting(1, HEARTBEAT).untilProposed() !== undefined, 'heartbeat counts no votes');
});

test('who was left out and hears none of those that went on keeps quiet, also when only a voter told it so', () => {
  quiet(waiting(3, HEARTBEAT, of([1, 2])));
  quiet(waiting(3, MAJORITY, of([1, 2])).hear(9, { role: 'witness', term: 0 }));
  const told = new Bench({ strategy: WITNESS, self: 2, nodes: [1, 2], accepted: of([1, 2]) });
  told.hear(9, { role: 'witness', term: 0, accepted: { term: TERM + 16, members: [1] } });
  quiet(told);
  assert.ok(
    waiting(3, HEARTBEAT, of([1, 2]))
      .hear(2, idle)
      .untilProposed() !== undefined,
  );
});

test('a side of a split brain waits until somebody chooses', () => {
  const diverged = (): Bench =>
    new Bench({ strategy: CONTINUE, self: 1, nodes: [1, 2], accepted: of([1]), isDiverged: true });
  quiet(diverged().hear(2, idle));
  const told = diverged().hear(2, idle);
  told.membership.proposer.resolve(1);
  assert.ok(told.untilProposed() !== undefined);
});

// ── A disk that was put back to a time at which others had no copy ──

const alone = (): Bench => new Bench({ strategy: HEARTBEAT, self: 3, nodes: [3], accepted: of([3]) });
const LATER = { accepted: { term: TERM + 100, members: [2, 3] } };

test('a copy that knew nobody else waits while one that has gone on since serves, and asks it when it does not', () => {
  assert.equal(alone().untilProposed()?.looks, 4);
  quiet(alone().hear(2, { ...LATER, role: 'serving' }));
  assert.equal(
    alone()
      .hear(2, { ...LATER, ...idle })
      .untilProposed()?.looks,
    4 + DEFERENCE_TICKS,
  );
  assert.equal(
    alone()
      .hear(2, { ...idle, accepted: of([2]) })
      .untilProposed()?.looks,
    4,
  );
});

test('whoever serves alone, and hears one that has gone on since with others, asks it', () => {
  quiet(alone().serve());
  assert.match(alone().serve().hear(2, LATER).look()!.cause, /node 2 has gone on/);
});
