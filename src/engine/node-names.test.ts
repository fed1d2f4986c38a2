// Goal: what the core says of nodes by their numbers is told with their names, and other numbers stay.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withNodeNames } from './node-names.ts';
import type { ClusterSpec } from './spec.ts';

const CLUSTER: ClusterSpec = {
  name: 'site',
  nodeName: 'alpha',
  node: 1,
  certificates: '',
  partners: [{ name: 'beta', node: 2, links: [] }],
  voteStore: undefined,
  confirmsReads: false,
};

for (const [told, named] of [
  ['node 2 cannot follow: 24 blocks', 'node beta cannot follow: 24 blocks'],
  ['node 1, 2 is heard', 'node alpha, beta is heard'],
  ['waits for node 9', 'waits for node 9'],
  ['1 of 2 votes', '1 of 2 votes'],
] as const)
  test(told, () => assert.equal(withNodeNames(CLUSTER, told), named));
