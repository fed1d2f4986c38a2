/**
 * Goal: an administrator chooses between sides of several nodes, from whichever node; all that is given up is kept first. Method: as
 * in split-brain.test.ts; nodes answer each other at once.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { answerForSide, type FileKeeper } from '../../src/engine/own-side.ts';
import type { ClusterSpec } from '../../src/engine/spec.ts';
import { conflictOf, resolveConflict, type SplitBrainParts } from '../../src/engine/split-brain.ts';
import { fail, ok } from '../../src/base/result.ts';
import { Scenario } from './scenario.ts';

const SITE = { nodes: [1, 2, 3], strategy: { kind: 'heartbeat', policy: 'continue' } } as const;
const NAMES = ['alpha', 'beta', 'gamma'];
const [FIRST, OTHER] = [3, 150];
const LEASE_AND_MORE_MS = 8000;

/** Nodes 1 and 2 on one side, 3 on the other. */
async function conflict(): Promise<Scenario> {
  const scenario = new Scenario({ site: SITE });
  await scenario.until(() => scenario.isTogether, 'all come to serve');
  await scenario.write(1, FIRST, 10);
  await scenario.write(2, OTHER, 11);
  const heals = [scenario.cut(1, 3), scenario.cut(2, 3)];
  await scenario.pass(LEASE_AND_MORE_MS);
  assert.deepEqual(scenario.serving, [1, 2, 3]);
  await scenario.write(2, FIRST, 21);
  await scenario.write(3, FIRST, 22);
  await scenario.write(3, OTHER, 32);
  for (const heal of heals) heal();
  await scenario.until(() => scenario.serving.join() === '1,2', 'the one with the lower priority stops');
  await scenario.pass(1000);
  return scenario;
}

function asked(scenario: Scenario, kept: Map<string, number[]>, isFull = false): SplitBrainParts {
  const cluster: ClusterSpec = {
    name: 'site',
    nodeName: 'alpha',
    node: 1,
    certificates: '',
    partners: [2, 3].map((node) => ({ node, name: NAMES[node - 1]!, links: [] })),
    voteStore: undefined,
    confirmsReads: false,
  };
  const openKeeper = (of: string) => (name: string) => {
    const chunks: number[] = [];
    const keeper: FileKeeper = {
      file: `/${of}/${name}`,
      fault: isFull ? 'no space is left' : undefined,
      keep: (chunk) => {
        chunks.push(chunk);
        return Promise.resolve(!isFull);
      },
      finish: (all) => {
        assert.deepEqual(chunks, all);
        kept.set(of, chunks);
        return Promise.resolve(true);
      },
    };
    return Promise.resolve(ok(keeper));
  };
  return {
    device: 'disk1',
    nodes: SITE.nodes,
    cluster,
    clock: scenario.mirror(1).membership.ports.clock,
    ask: (node, request) => {
      const name = NAMES[node - 1]!;
      const own = { device: 'disk1', name, node: scenario.mirror(node), openKeeper: openKeeper(name) };
      return answerForSide(own, request);
    },
  };
}

test('a side of one node is chosen before one of two', async () => {
  const scenario = await conflict();
  const kept = new Map<string, number[]>();
  const parts = asked(scenario, kept);
  const found = await scenario.result(conflictOf(parts));
  assert.ok(found.ok);
  assert.deepEqual(
    found.value.sides.map(({ node, isServing }) => [node, isServing]),
    [
      ['alpha', true],
      ['beta', true],
      ['gamma', false],
    ],
  );
  const resolved = await scenario.result(resolveConflict(parts, 'gamma'));
  assert.ok(resolved.ok, JSON.stringify(resolved));
  assert.deepEqual([...kept.keys()].toSorted(), ['alpha', 'beta']);
  await scenario.until(() => scenario.isTogether, 'all serve again');
  await scenario.pass(1000);
  assert.deepEqual(scenario.contents(FIRST), [22, 22, 22]);
  assert.deepEqual(scenario.contents(OTHER), [32, 32, 32]);
});

test('a side of two nodes is chosen before one of one', async () => {
  const scenario = await conflict();
  const kept = new Map<string, number[]>();
  const resolved = await scenario.result(resolveConflict(asked(scenario, kept), 'beta'));
  assert.ok(resolved.ok, JSON.stringify(resolved));
  assert.deepEqual([...kept.keys()], ['gamma']);
  assert.ok(kept.get('gamma')!.length >= 2);
  await scenario.until(() => scenario.isTogether, 'all serve again');
  await scenario.pass(1000);
  assert.deepEqual(scenario.contents(FIRST), [21, 21, 21]);
  assert.deepEqual(scenario.contents(OTHER), [11, 11, 11]);
});

test('what cannot be kept is not given up', async () => {
  const scenario = await conflict();
  const resolved = await scenario.result(resolveConflict(asked(scenario, new Map(), true), 'alpha'));
  assert.deepEqual(
    resolved,
    fail(
      'What only node gamma holds of device disk1 could not be kept: no space is left. Nothing was overwritten; make room or mend that, and try again.',
    ),
  );
  await scenario.pass(5000);
  assert.deepEqual(scenario.serving, [1, 2]);
  assert.deepEqual(scenario.contents(FIRST), [21, 21, 22]);
});

test('who is no side cannot be chosen, and where there is none nothing happens', async () => {
  const scenario = await conflict();
  const parts = asked(scenario, new Map());
  const strange = await scenario.result(resolveConflict(parts, 'delta'));
  assert.match(JSON.stringify(strange), /Node delta is no side .*: there are alpha, beta, gamma/);
  const whole = new Scenario({ site: SITE });
  await whole.until(() => whole.isTogether, 'all come to serve');
  const none = await whole.result(resolveConflict(asked(whole, new Map()), 'alpha'));
  assert.match(JSON.stringify(none), /Device disk1 has no split brain/);
  assert.deepEqual(whole.serving, [1, 2, 3]);
});
