/** Goal: paths are told as they are, and alike through all who serve. Method: every role, every reason to spare a node. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Role } from '../../cluster/messages.ts';
import { pathGroups, type PathInput } from './path-state.ts';

const USUAL: PathInput = {
  self: 1,
  nodes: [2, 1, 3, 4],
  role: 'serving',
  sealedForMs: 0,
  configuration: { members: [1, 2, 3, 4], learners: [] },
  asides: [],
};

/** 'a' and 'n' for active/optimized and non-optimized, 't', 'u'; '*' behind the preferred one; by node number. */
function paths(input: Partial<PathInput>): string {
  return pathGroups({ ...USUAL, ...input })
    .map(({ state, isPreferred }) => `${state === 'optimized' ? 'a' : state[0]}${isPreferred ? '*' : ''}`)
    .join(' ');
}

test('every path of every node that serves is active/optimized by default, the one of the first node preferred', () => {
  assert.equal(paths({}), 'a a* a a');
  assert.equal(paths({ nodes: [1, 2], configuration: { members: [1, 2], learners: [] } }), 'a* a');
});

test('the preference goes to the first node that serves', () => {
  assert.equal(paths({ configuration: { members: [1, 3], learners: [] } }), 'a* u a u');
});

test('a path is active/non-optimized where an administrator says so, and not preferred then', () => {
  assert.equal(paths({ asides: [2, 3] }), 'a* n n a');
});

test('learners and those who are absent are unavailable', () => {
  assert.equal(paths({ configuration: { members: [1, 2], learners: [4] } }), 'a a* u u');
});

test('the source of a resync is spared if two others serve, and only then', () => {
  assert.equal(paths({ configuration: { members: [1, 2, 3], learners: [4] } }), 'a a* n u');
  assert.equal(paths({ configuration: { members: [1, 2, 3], learners: [] } }), 'a a* a u');
  assert.equal(paths({ configuration: { members: [1, 2], learners: [3, 4] } }), 'a a* u u');
});

test('all who serve in a configuration tell the same', () => {
  const configuration = { members: [1, 2, 3], learners: [4] };
  for (const self of [1, 2, 3]) assert.equal(paths({ self, configuration, asides: [1] }), 'n a* n u');
});

test('a change of configuration is a transition of the own paths, unless it takes too long', () => {
  const configuration = { members: [1, 2], learners: [] };
  assert.equal(paths({ configuration, role: 'sealed', sealedForMs: 2999 }), 't a* u u');
  assert.equal(paths({ configuration, role: 'sealed', sealedForMs: 3000 }), 'u a* u u');
});

test('who does not serve is unavailable, whatever else is said of it', () => {
  const others: readonly Role[] = ['learning', 'waiting', 'blocked', 'diverged', 'failed', 'stopping'];
  for (const role of others) assert.equal(paths({ role, asides: [1] }), 'u a* a a', role);
});
