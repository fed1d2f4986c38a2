/**
 * Goal: an administrator is told when a node has got its copy or lost it, or why it has not. Method: a membership that a
 * test plays, on a clock that it moves.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Result } from '../../base/result.ts';
import type { Configuration } from '../../cluster/configuration.ts';
import type { Beat, Role } from '../../cluster/messages.ts';
import { Peers } from '../../cluster/peers.ts';
import { SteppedClock } from '../../cluster/testing/stepped-clock.ts';
import type { Reason } from '../../cluster/think.ts';
import { BEAT_MS } from '../../cluster/times.ts';
import { ReplicaChanges } from './replica-change.ts';

const configuration = (term: number, more: Partial<Configuration> = {}): Configuration => ({
  term,
  id: `${term}`.padStart(32, '0'),
  members: [1, 2],
  learners: [],
  ...more,
});

/** Node 1 of two that serve in term 20; node 3 runs, and is heard by both. */
class Stage {
  readonly clock = new SteppedClock();
  readonly peers = new Peers(1);
  readonly proposed: Reason[] = [];
  role: Role = 'serving';
  serves = true;
  installed: Configuration | undefined = configuration(20);
  nodes: readonly number[] = [1, 2];
  /** What the beats of the others say. */
  beats: Record<number, Partial<Beat>> = {
    2: { hearsSync: [1, 3] },
    3: { hearsSync: [1, 2], role: 'waiting', accepted: { term: 0, members: [] } },
  };
  readonly changes: ReplicaChanges;
  #now = 0;

  constructor() {
    const proposer = {
      isBusy: false,
      mayTry: () => true,
      propose: (reason: Reason) => void this.proposed.push(reason),
    };
    this.changes = new ReplicaChanges({
      clock: this.clock,
      self: 1,
      membership: () =>
        ({
          installed: this.installed,
          role: this.role,
          proposer,
          mayServe: () => this.serves,
          site: { nodes: this.nodes, strategy: { kind: 'majority', witness: undefined } },
          peers: this.peers,
        }) as never,
    });
  }

  /** Everybody is heard all the time. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      this.#now += BEAT_MS;
      for (const [node, said] of Object.entries(this.beats)) {
        const usual = {
          kind: 'beat',
          incarnation: 1,
          sentAt: this.#now,
          term: 20,
          promised: 20,
          accepted: { term: 20, members: [1, 2] },
          hasRetired: false,
          role: 'serving',
          hears: [1],
          members: [1, 2],
        } as const;
        this.peers.heard(Number(node), { ...usual, hearsSync: [1], ...said }, true, this.clock.now());
      }
      this.changes.tick();
      await this.clock.advance(BEAT_MS);
    }
  }

  install(next: Configuration, nodes: readonly number[]): void {
    this.installed = next;
    this.nodes = nodes;
    this.changes.installed(next);
  }
}

function answerOf(change: Promise<Result<void, string>>): { value: Result<void, string> | undefined } {
  const answer: { value: Result<void, string> | undefined } = { value: undefined };
  void change.then((value) => {
    answer.value = value;
  });
  return answer;
}

test('a new node is proposed as soon as it promises, and the answer comes with the configuration', async () => {
  const stage = new Stage();
  const answer = answerOf(stage.changes.add(3));
  await stage.pass(4000);
  assert.equal(stage.proposed.length, 0, 'it has just started and promises nothing yet');
  await stage.pass(3000);
  assert.deepEqual(stage.proposed[0]!.change, { baseTerm: 20, replicas: [1, 2, 3] });
  assert.equal(answer.value, undefined);
  stage.install(configuration(36, { learners: [3], replicas: [1, 2, 3], formerly: [1, 2] }), [1, 2, 3]);
  await stage.pass(BEAT_MS);
  assert.deepEqual(answer.value, { ok: true, value: undefined });
});

test('another configuration that comes first is built upon', async () => {
  const stage = new Stage();
  const answer = answerOf(stage.changes.add(3));
  await stage.pass(7000);
  stage.install(configuration(36), [1, 2]);
  await stage.pass(1000);
  assert.deepEqual(stage.proposed.at(-1)!.change, { baseTerm: 36, replicas: [1, 2, 3] });
  assert.equal(answer.value, undefined);
});

test('a node that cannot learn now is not made a replica', async () => {
  const cases: readonly (readonly [(stage: Stage) => void, RegExp])[] = [
    [(stage) => delete stage.beats[3], /node 3 is not reached by this node/],
    [(stage) => (stage.beats[2] = { hearsSync: [1] }), /node 3 and node 2 do not reach each other/],
    [(stage) => (stage.beats[3] = { ...stage.beats[3], role: 'failed' }), /the copy of node 3 is not open/],
    [(stage) => (stage.serves = false), /does not serve it now/],
  ];
  for (const [spoil, reason] of cases) {
    const stage = new Stage();
    spoil(stage);
    const answer = answerOf(stage.changes.add(3));
    await stage.pass(31_000);
    assert.equal(stage.proposed.length, 0);
    assert.ok(answer.value?.ok === false && reason.test(answer.value.fault), JSON.stringify(answer.value));
  }
});

test('what is there already is no change, a fifth copy and the loss of the last are refused, and one change at a time', async () => {
  const stage = new Stage();
  assert.deepEqual(await stage.changes.add(2), { ok: true, value: undefined });
  assert.deepEqual(await stage.changes.remove(7), { ok: true, value: undefined });
  stage.installed = configuration(20, { members: [1], learners: [2] });
  const last = await stage.changes.remove(1);
  assert.ok(!last.ok && last.fault.includes('nobody else has everything'));
  stage.nodes = [1, 2, 5, 6];
  await stage.pass(6000);
  const fifth = await stage.changes.add(3);
  assert.ok(!fifth.ok && fifth.fault.includes('4 copies and no more'));
  stage.nodes = [1, 2];
  void stage.changes.add(3);
  const second = await stage.changes.remove(2);
  assert.ok(!second.ok && second.fault.includes('being changed already'));
});

test('who is taken away stands back, and hears of it', async () => {
  const stage = new Stage();
  const answer = answerOf(stage.changes.remove(1));
  await stage.pass(BEAT_MS);
  assert.deepEqual([stage.proposed[0]!.excluded, stage.proposed[0]!.change!.replicas], [[1], [2]]);
  stage.role = 'removed';
  await stage.pass(2 * BEAT_MS);
  assert.deepEqual(answer.value, { ok: true, value: undefined });
});

test('nobody knows what has become of a change whose copy has failed', async () => {
  const stage = new Stage();
  const answer = answerOf(stage.changes.remove(2));
  await stage.pass(BEAT_MS);
  stage.changes.stop();
  await stage.pass(BEAT_MS);
  assert.ok(answer.value?.ok === false && answer.value.fault.includes('it is not known'));
});
