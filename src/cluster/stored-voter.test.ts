/**
 * Goal: stand-ins that share nothing but a register are one voter. Method: several of them on one store in memory, each with
 * its own way to it; then random schedules of many of them, of which every grant and every promise is checked; then
 * clusters of two with such a witness.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPrng } from '../base/prng.ts';
import type { Configuration } from './configuration.ts';
import type { Beat, BeatAnswer, Control } from './messages.ts';
import { decodeRegister, encodeRegister, VOTE, type VoteRecord } from './registers.ts';
import { StoredVoter } from './stored-voter.ts';
import { type Fate, MemoryVotes } from './testing/memory-votes.ts';
import { SmallCluster } from './testing/small-cluster.ts';
import { SteppedClock } from './testing/stepped-clock.ts';
import { BEAT_MS, DRIFT, LEASE_MS, PROPOSAL_MS_MAX, STORE_MS } from './times.ts';

const DEVICE = 'd'.repeat(32);
const FIRST = configurationOf(1, [1, 2]);
const FULL_LEASE = LEASE_MS * DRIFT;
const BLANK_MS = (PROPOSAL_MS_MAX + STORE_MS) * DRIFT;

type Promised = Extract<Control<string>, { kind: 'promise' }>;

function configurationOf(term: number, members: readonly number[]): Configuration {
  return { term, id: term.toString(16).padStart(32, '0'), members, learners: [] };
}

/** A node as its stand-in sees it. */
class Node {
  readonly voter: StoredVoter<string>;
  readonly beats: Beat[] = [];
  readonly grants: BeatAnswer[] = [];
  readonly answers: Control<string>[] = [];
  readonly #self: number;
  readonly #clock: SteppedClock;

  constructor(votes: MemoryVotes, clock: SteppedClock, self: number) {
    this.#self = self;
    this.#clock = clock;
    this.voter = new StoredVoter<string>({
      store: votes.of(self),
      device: DEVICE,
      self,
      incarnation: 1,
      nodes: [1, 2],
      clock,
      onBeat: (beat) => this.beats.push(beat),
      onBeatAnswer: (answer) => this.grants.push(answer),
      onControl: (message) => this.answers.push(message),
    });
  }

  prepare(term: number): void {
    this.voter.onControl({ kind: 'prepare', term, excluded: [], withHandover: false });
  }

  accept(term: number, members: readonly number[]): void {
    const proposal = { configuration: configurationOf(term, members), handover: undefined, diverged: [] };
    this.voter.onControl({ kind: 'accept', proposal });
  }

  install(term: number, members: readonly number[]): void {
    this.voter.onControl({ kind: 'install', configuration: configurationOf(term, members) });
  }

  beat(term: number): void {
    this.voter.onBeat(beatOf(term, this.#clock.now()));
  }

  get promises(): Promised[] {
    return this.answers.filter((answer): answer is Promised => answer.kind === 'promise');
  }

  /** What was answered since the last look, in short. */
  said(): string[] {
    const short = this.answers.map((answer) =>
      answer.kind === 'refuse' ? `refuse ${answer.term} for ${answer.promised}` : nameOf(answer),
    );
    this.answers.length = 0;
    return short;
  }

  restarted(votes: MemoryVotes): Node {
    this.voter.close();
    return new Node(votes, this.#clock, this.#self);
  }
}

function beatOf(term: number, sentAt: number): Beat {
  return {
    kind: 'beat',
    incarnation: 1,
    sentAt,
    term,
    promised: term,
    accepted: { term, members: [] },
    hasRetired: false,
    role: 'serving',
    hears: [],
    hearsSync: [],
    members: [],
  };
}

function nameOf(answer: Control<string>): string {
  return 'term' in answer ? `${answer.kind} ${answer.term}` : answer.kind;
}

function site(record: VoteRecord | 'empty' = { promised: 1, accepted: FIRST }) {
  const clock = new SteppedClock();
  const votes = new MemoryVotes();
  if (record !== 'empty') votes.replace(encodeRegister(VOTE, DEVICE, record));
  const a = new Node(votes, clock, 1);
  const b = new Node(votes, clock, 2);
  const stored = (): VoteRecord | undefined => {
    const decoded = decodeRegister(VOTE, DEVICE, votes.bytes ?? new Uint8Array());
    return decoded.kind === 'found' ? decoded.record : undefined;
  };
  return { clock, votes, a, b, stored };
}

test('what one stand-in has promised or accepted, the others stand by', async () => {
  const { clock, a, b, stored } = site();
  a.prepare(17);
  await clock.advance(1);
  assert.deepEqual(a.said(), ['promise 17']);
  b.prepare(2);
  await clock.advance(1);
  assert.deepEqual(b.said(), ['refuse 2 for 17']);
  a.accept(17, [1]);
  await clock.advance(1);
  assert.deepEqual(a.said(), ['accepted 17']);
  b.accept(2, [2]);
  b.prepare(34);
  await clock.advance(1);
  assert.deepEqual(b.promises[0]!.report.accepted, configurationOf(17, [1]));
  assert.deepEqual(b.said().toSorted(), ['promise 34', 'refuse 2 for 17']);
  a.accept(17, [1, 2]);
  a.install(17, [1, 2]);
  await clock.advance(1);
  assert.deepEqual(a.said(), ['refuse 17 for 34']);
  assert.deepEqual(stored(), { promised: 34, accepted: configurationOf(17, [1]) });
});

test('of two that have read the same, one swaps and the other reads again', async () => {
  for (const terms of [
    [17, 34],
    [33, 18],
  ] as const) {
    const { clock, a, b, stored } = site();
    a.prepare(terms[0]);
    b.prepare(terms[1]);
    await clock.advance(1);
    assert.equal(stored()!.promised, Math.max(...terms));
    const said = [...a.said(), ...b.said()];
    assert.ok(said.includes(`promise ${Math.max(...terms)}`));
    assert.equal(said.length, 2);
  }
});

test('an installed configuration that it has not accepted is told, and counts', async () => {
  const { clock, a, b, stored } = site();
  a.install(17, [1]);
  await clock.advance(1);
  assert.deepEqual(stored(), { promised: 17, accepted: configurationOf(17, [1]) });
  assert.deepEqual(a.said(), []);
  b.prepare(34);
  await clock.advance(1);
  assert.equal(b.promises[0]!.report.accepted.term, 17);
});

test('every lease counts in full from the moment of the promise, by the clock of who asked', async () => {
  const { clock, a } = site();
  a.prepare(17);
  await clock.advance(500);
  a.prepare(17);
  await clock.advance(1);
  const leases = a.promises.map(({ report }) => report.leases);
  assert.deepEqual(leases, [
    [
      [1, FULL_LEASE],
      [2, FULL_LEASE],
    ],
    [
      [1, FULL_LEASE - 500],
      [2, FULL_LEASE - 500],
    ],
  ]);
});

test('a beat is worth a lease only if it is of the term that was accepted and promised last, and of a member', async () => {
  const { clock, votes, a, b } = site();
  const grants = async (record: VoteRecord, term: number): Promise<number[]> => {
    votes.replace(encodeRegister(VOTE, DEVICE, record));
    await clock.advance(BEAT_MS);
    for (const node of [a, b]) {
      node.grants.length = 0;
      node.beat(term);
    }
    await clock.advance(BEAT_MS);
    return [a, b].flatMap(({ grants }, at) => (grants.length === 0 ? [] : [at + 1]));
  };
  const accepted = configurationOf(17, [1]);
  assert.deepEqual(await grants({ promised: 1, accepted: FIRST }, 1), [1, 2]);
  assert.deepEqual(await grants({ promised: 17, accepted }, 17), [1]);
  assert.deepEqual(await grants({ promised: 17, accepted }, 1), []);
  assert.deepEqual(await grants({ promised: 34, accepted }, 17), []);
  assert.deepEqual(await grants({ promised: 0, accepted: configurationOf(0, [1]) }, 0), []);
});

test('a beat that comes while a read is under way waits for the next one', async () => {
  const { clock, votes } = site();
  const { resolve, promise } = Promise.withResolvers<void>();
  const store = votes.of(3);
  let reads = 0;
  const grants: number[] = [];
  const voter = new StoredVoter<string>({
    store: {
      ...store,
      read: async () => {
        reads += 1;
        const result = await store.read();
        if (reads === 1) await promise;
        return result;
      },
    },
    device: DEVICE,
    self: 1,
    incarnation: 1,
    nodes: [1, 2],
    clock,
    onBeat: () => undefined,
    onBeatAnswer: ({ sentAt }) => grants.push(sentAt),
    onControl: () => undefined,
  });
  voter.onBeat(beatOf(1, clock.now()));
  await clock.advance(BEAT_MS);
  // Meanwhile somebody promises something newer; what was read before says nothing about the second beat.
  votes.replace(encodeRegister(VOTE, DEVICE, { promised: 34, accepted: FIRST }));
  voter.onBeat(beatOf(1, clock.now()));
  resolve();
  await clock.advance(BEAT_MS);
  assert.equal(reads, 2);
  assert.deepEqual(grants, [0]);
});

test('beats that come at any pace cost one read per interval', async () => {
  const { clock, votes, a } = site();
  for (let ms = 0; ms < 2000; ms += 10) {
    a.beat(1);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await clock.advance(10);
  }
  assert.ok(votes.reads <= 12, `${votes.reads} reads`);
  assert.ok(a.grants.length >= 9, `${a.grants.length} grants`);
});

test('an answer that was lost is found when it is asked again; it is a promise of this process', async () => {
  const { clock, votes, a } = site();
  votes.setFate(1, 'writeUnheard');
  a.prepare(17);
  await clock.advance(10);
  assert.deepEqual(a.said(), []);
  votes.setFate(1, 'well');
  a.prepare(17);
  await clock.advance(10);
  assert.deepEqual(a.said(), ['promise 17']);
});

test('a term that a former process of the node has promised is not promised again', async () => {
  const { clock, votes, a } = site();
  a.prepare(17);
  await clock.advance(1);
  const next = a.restarted(votes);
  next.prepare(17);
  await clock.advance(1);
  assert.deepEqual(next.said(), ['refuse 17 for 17']);
  // It knows by the witness's beat what to propose.
  assert.equal(next.beats.at(-1)!.promised, 17);
  next.accept(17, [1]);
  next.install(17, [1]);
  next.prepare(33);
  await clock.advance(1);
  assert.equal(next.promises[0]!.report.accepted.term, 1);
});

for (const fate of ['cut', 'hung', 'unheard'] as const)
  test(`a store that is ${fate} is a silent witness, and is heard again when it answers`, async () => {
    const { clock, votes, a } = site();
    votes.setFate(1, fate);
    for (let at = 0; at < 20; at++) {
      a.beat(1);
      a.prepare(17);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await clock.advance(BEAT_MS);
    }
    assert.deepEqual([a.beats.length, a.grants.length, a.said().length], [0, 0, 0]);
    votes.setFate(1, 'well');
    await clock.advance(STORE_MS + BEAT_MS);
    a.beat(1);
    a.prepare(17);
    await clock.advance(BEAT_MS);
    assert.deepEqual(a.said(), ['promise 17']);
    assert.ok(a.beats.length > 0);
  });

for (const bytes of [undefined, new Uint8Array(88)])
  test(`a register that is ${bytes === undefined ? 'empty' : 'damaged'} has no vote until it has accepted something`, async () => {
    const { clock, votes, a, b, stored } = site('empty');
    if (bytes !== undefined) votes.replace(bytes);
    a.accept(17, [1]);
    a.install(17, [1]);
    a.prepare(17);
    await clock.advance(BLANK_MS - 10);
    a.prepare(33);
    await clock.advance(1);
    assert.deepEqual([a.said(), stored()], [[], undefined]);
    await clock.advance(10);
    a.prepare(33);
    await clock.advance(1);
    assert.equal(a.promises[0]!.report.isBlank, true);
    // Not what it has promised to nobody.
    b.accept(50, [2]);
    await clock.advance(1);
    assert.deepEqual(b.said(), []);
    a.accept(33, [1]);
    await clock.advance(1);
    assert.deepEqual(a.said(), ['promise 33', 'accepted 33']);
    b.prepare(50);
    await clock.advance(1);
    assert.equal(b.promises[0]!.report.isBlank, false);
  });

test('what a later program wrote, or one of another device, is left alone', async () => {
  const foreign = encodeRegister(VOTE, 'e'.repeat(32), { promised: 1, accepted: FIRST });
  const { clock, votes, a } = site('empty');
  votes.replace(foreign);
  a.prepare(17);
  a.beat(1);
  await clock.advance(2 * BLANK_MS);
  a.prepare(33);
  await clock.advance(1000);
  assert.deepEqual([a.said(), a.beats.length, votes.bytes], [[], 0, foreign]);
});

// ── Random schedules ──

const FATES: readonly Fate[] = ['well', 'well', 'well', 'cut', 'unheard', 'writeUnheard', 'hung'];

async function randomSchedule(seed: number): Promise<void> {
  const random = createPrng(seed);
  const { clock, votes, a, b, stored } = site();
  const nodes = [a, b];
  const accepted = new Map<number, string>();
  let highest = 1;
  for (let step = 0; step < 120; step++) {
    const at = random.integer(0, 1);
    const node = nodes[at]!;
    const term = (Math.floor(highest / 16) + random.integer(0, 1)) * 16 + at + 1;
    highest = Math.max(highest, term);
    const action = random.integer(0, 9);
    if (action < 3) node.prepare(term);
    else if (action < 5) node.accept(node.promises.at(-1)?.term ?? term, [random.integer(1, 2)]);
    else if (action < 8) node.beat(stored()!.accepted.term);
    else if (action < 9) votes.setFate(at + 1, random.pick(FATES));
    else nodes[at] = node.restarted(votes);
    const before = stored()!;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await clock.advance(random.pick([0, 0, 1, 150, 700]));
    const now = stored()!;
    assert.ok(now.promised >= before.promised && now.accepted.term >= before.accepted.term);
    const was = accepted.get(now.accepted.term) ?? now.accepted.members.join();
    assert.equal(now.accepted.members.join(), was, 'a term has one configuration');
    accepted.set(now.accepted.term, was);
  }
}

test('in any order, with any answer lost, promised and accepted never decrease', async () => {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (let seed = 1; seed <= 300; seed++) await randomSchedule(seed);
});

test('in any order, no lease outlives what a newer promise says of it', async () => {
  let compared = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = createPrng(seed);
    const { clock, votes, a, b } = site({ promised: 1, accepted: FIRST });
    let told: { readonly term: number; readonly until: number } | undefined;
    for (let step = 0; step < 40 && told === undefined; step++) {
      a.beat(1);
      votes.setFate(1, random.pick(FATES));
      if (step > 5) {
        votes.setFate(2, random.pick(FATES));
        b.prepare(34);
      }
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await clock.advance(random.integer(1, 250));
      const promise = b.promises[0];
      if (promise !== undefined) told = { term: 34, until: clock.now() + promise.report.leases[0]![1] };
    }
    votes.setFate(1, 'well');
    for (let step = 0; step < 10; step++) {
      a.beat(1);
      // oxlint-disable-next-line no-await-in-loop -- as above
      await clock.advance(BEAT_MS);
    }
    const lastGrant = a.grants.at(-1);
    if (told === undefined || lastGrant === undefined) continue;
    compared += 1;
    assert.ok(lastGrant.sentAt + LEASE_MS <= told.until, `seed ${seed}`);
  }
  assert.ok(compared > 200, `${compared} cases`);
});

// ── Two nodes and a stored vote ──

async function together(): Promise<SmallCluster> {
  const cluster = new SmallCluster('stored');
  await cluster.clock.advance(6000);
  const { nodes } = cluster.site;
  cluster.of(cluster.serving[0]!).proposer.propose({ cause: 'test', excluded: [], promoted: nodes });
  await cluster.clock.advance(1000);
  assert.deepEqual(cluster.serving, nodes);
  return cluster;
}

function setFates(cluster: SmallCluster, fate: Fate): void {
  for (const node of cluster.site.nodes) cluster.votes.setFate(node, fate);
}

for (const fate of ['cut', 'hung'] as const)
  test(`two that hear each other need no store: it may be ${fate}`, async () => {
    const cluster = await together();
    setFates(cluster, fate);
    await cluster.clock.advance(20_000);
    assert.deepEqual(cluster.serving, [1, 2]);
    setFates(cluster, 'well');
    cluster.cut(1, 2, 'sync', 'heartbeat');
    await cluster.clock.advance(5000);
    assert.equal(cluster.serving.length, 1);
  });

test('without the store and without each other nobody goes on, until it answers one of them', async () => {
  const cluster = await together();
  setFates(cluster, 'hung');
  cluster.cut(1, 2, 'sync', 'heartbeat');
  await cluster.clock.advance(20_000);
  assert.deepEqual(cluster.serving, []);
  cluster.votes.setFate(2, 'well');
  await cluster.clock.advance(8000);
  assert.deepEqual(cluster.serving, [2]);
  setFates(cluster, 'well');
  await cluster.clock.advance(20_000);
  assert.deepEqual(cluster.serving, [2], 'and the other one learns that from the store');
});

test('a register that was emptied has its vote back after the next change that both agree to', async () => {
  const cluster = await together();
  cluster.votes.replace(undefined);
  cluster.of(1).proposer.propose({ cause: 'test', excluded: [], promoted: [] });
  await cluster.clock.advance(1000);
  cluster.of(1).proposer.propose({ cause: 'test', excluded: [], promoted: [] });
  await cluster.clock.advance(BLANK_MS);
  cluster.of(1).proposer.propose({ cause: 'test', excluded: [], promoted: [] });
  await cluster.clock.advance(2000);
  assert.deepEqual(cluster.serving, [1, 2]);
  cluster.cut(1, 2, 'sync', 'heartbeat');
  await cluster.clock.advance(5000);
  assert.equal(cluster.serving.length, 1);
});

test('a register that was emptied lets nobody go on alone', async () => {
  const cluster = await together();
  cluster.votes.replace(undefined);
  cluster.cut(1, 2, 'sync', 'heartbeat');
  await cluster.clock.advance(30_000);
  assert.deepEqual(cluster.serving, []);
});
