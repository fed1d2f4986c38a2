/** Goal: paths are told as they are. Method: every role, and every reason to spare a node. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Role } from '../../cluster/messages.ts';
import { pathState } from './path-state.ts';

const USUAL = { role: 'serving', sealedForMs: 0, members: 2, isResyncSource: false, isAside: false } as const;

test('every path of every node that serves is active/optimized by default', () => {
  for (const members of [1, 2, 3, 4]) assert.equal(pathState({ ...USUAL, members }), 'optimized');
});

test('a path is active/non-optimized where an administrator says so', () => {
  assert.equal(pathState({ ...USUAL, isAside: true }), 'nonOptimized');
});

test('the source of a resync is spared if two others serve, and only then', () => {
  for (const [members, state] of [
    [1, 'optimized'],
    [2, 'optimized'],
    [3, 'nonOptimized'],
    [4, 'nonOptimized'],
  ] as const)
    assert.equal(pathState({ ...USUAL, members, isResyncSource: true }), state);
});

test('a change of configuration is a transition, unless it takes too long', () => {
  assert.equal(pathState({ ...USUAL, role: 'sealed', sealedForMs: 2999 }), 'transitioning');
  assert.equal(pathState({ ...USUAL, role: 'sealed', sealedForMs: 3000 }), 'unavailable');
});

test('who does not serve is unavailable, whatever else is said of it', () => {
  const others: readonly Role[] = [
    'learning',
    'waiting',
    'blocked',
    'diverged',
    'failed',
    'witness',
    'stopping',
  ];
  for (const role of others)
    assert.equal(pathState({ ...USUAL, role, members: 4, isAside: true }), 'unavailable', role);
});
