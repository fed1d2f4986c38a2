/**
 * Goal: what a configuration says of a cluster and its mirrored devices becomes the plan it says, and each mistake is told
 * with its place. Method: one good file, and what is wrong with small changes of it.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../../base/result.ts';
import { engineSpecs, type NodePlan } from '../plan.ts';
import { type ConfigFault, formatFaults, parseConfig } from './load.ts';
import { resolveConfig } from './resolve.ts';

const ID = '0123456789abcdef0123456789abcdef';
const GOOD = `
[node]
name = "alpha"

[cluster]
name = "site"
node = 1
certificates = "certificates"
listen = ["192.0.2.1:3262"]
confirm_reads = false

[[partner]]
name = "beta"
node = 2
links = [
  { kind = "sync", local = "192.0.2.1", remote = "192.0.2.2:3262" },
  { kind = "heartbeat", remote = "198.51.100.2:3262" },
]

[[partner]]
name = "gamma"
node = 3
links = [{ kind = "sync", remote = "192.0.2.3:3262" }]

[[portal]]
address = "192.0.2.1:3260"

[[device]]
name = "disk1"
kind = "mirror"
id = "${ID}"
path = "disk1.img"
size = "1G"
nodes = ["beta", "alpha"]
strategy = "majority"
witness = "gamma"

[[target]]
alias = "disk1"
luns = [{ device = "disk1" }]
allow = ["*"]
`;

function planOf(text: string): Result<NodePlan, readonly ConfigFault[]> {
  const config = parseConfig(text);
  if (!config.ok) return config;
  return resolveConfig(config.value, {
    directory: '/etc/lockstep',
    stateDirectory: '/state',
    nodeId: 'node',
    startId: 'start',
    isVirtualMachine: false,
    memory: 2 ** 34,
  });
}

function expectPlan(text: string): NodePlan {
  const plan = planOf(text);
  if (!plan.ok) assert.fail(formatFaults('file', plan.fault));
  return plan.value;
}

test('a node with a copy', () => {
  const { cluster, devices, targets, witnessed } = expectPlan(GOOD);
  assert.equal(cluster?.certificates, '/etc/lockstep/certificates');
  assert.deepEqual(
    cluster.partners.map(({ node, links }) => [node, links.length]),
    [
      [2, 2],
      [3, 1],
    ],
  );
  const [device] = devices;
  assert.ok(device?.kind === 'mirror');
  // The preferred node first.
  assert.deepEqual(device.site, { nodes: [2, 1], strategy: { kind: 'majority', witness: 3 } });
  assert.equal(device.path, '/etc/lockstep/disk1.img');
  assert.equal(device.recordsPath, `/state/mirrors/${ID}.records`);
  assert.equal(device.writeCache, 'through');
  assert.equal(targets[0]?.relativeTargetPort, 1, 'the port of a mirrored device has the number of its node');
  assert.deepEqual(witnessed, []);
});

test('a node with only a vote needs no portal and no target', () => {
  const text = GOOD.replace('"alpha"', '"gamma"')
    .replace('node = 1', 'node = 3')
    .replace('name = "gamma"\nnode = 3\nlinks', 'name = "alpha"\nnode = 1\nlinks')
    .replace(/\[\[portal\]\][^[]*/, '')
    .replace(/\[\[target\]\][^]*/, '')
    .replace('path = "disk1.img"\n', '');
  const plan = expectPlan(text);
  assert.deepEqual(plan.devices, []);
  const [spec] = engineSpecs(plan, []);
  assert.equal(spec?.witnessed[0]?.id, ID);
  assert.deepEqual(spec.witnessed[0].site.nodes, [2, 1]);
});

test('a device may begin on one node, and another one say where its copy would be', () => {
  const single = GOOD.replace('"beta", "alpha"', '"beta"').replace('witness = "gamma"\n', '');
  const [device] = expectPlan(single).devices;
  assert.ok(device?.kind === 'mirror');
  assert.deepEqual(device.site, { nodes: [2], strategy: { kind: 'majority', witness: undefined } });
  assert.equal(device.path, '/etc/lockstep/disk1.img');
});

test('a device has the same identity on every node', () => {
  const other = GOOD.replace('name = "alpha"', 'name = "beta"')
    .replace('node = 1', 'node = 2')
    .replace('name = "beta"\nnode = 2\nlinks', 'name = "alpha"\nnode = 1\nlinks');
  assert.deepEqual(expectPlan(other).devices[0]?.identity, expectPlan(GOOD).devices[0]?.identity);
});

const mistakes: readonly (readonly [title: string, from: string | RegExp, to: string, complaint: RegExp])[] =
  [
    [
      'no cluster',
      /\[cluster\][^]*confirm_reads = false\n/,
      '',
      /there is no \[cluster\]: say who this node is/,
    ],
    ['a number twice', 'node = 2', 'node = 1', /another node has the number 1/],
    ['a name twice', 'name = "beta"', 'name = "alpha"', /another node has the name "alpha"/],
    ['an unknown node', '"beta", "alpha"', '"delta", "alpha"', /there is no node "delta"/],
    ['a node twice', '"beta", "alpha"', '"alpha", "alpha"', /a node stands here twice/],
    ['no node', '"beta", "alpha"', '', /name at least one node/],
    [
      'neither copy nor path',
      /path = "disk1.img"\n([^]*)"beta", "alpha"/,
      '$1"beta"',
      /this node, "alpha", has no part in it: it is neither in nodes nor the witness, and has no path/,
    ],
    ['no part in it', '"beta", "alpha"', '"beta", "gamma"', /has a copy: the witness is another node/],
    ['no path', 'path = "disk1.img"\n', '', /this node has a copy of it: write its path/],
    ['a bad id', ID, 'abc', /write 32 hexadecimal digits, the same on all nodes/],
    ['two and no third', 'witness = "gamma"\n', '', /two nodes have no majority without each other/],
    [
      'a witness for nothing',
      '"majority"',
      '"heartbeat"',
      /a witness is asked with strategy = "majority" only/,
    ],
    ['isolation by majority', 'witness', 'isolation = "continue"\nwitness', /a majority needs no such rule/],
    ['a ragged size', 'size = "1G"', 'size = "1000001"', /no multiple of the sector length 512/],
    ['an unsafe cache', 'size = "1G"', 'size = "1G"\nwrite_cache = "back"', /power_protected = true/],
    [
      'more cache than memory',
      'size = "1G"',
      'size = "1G"\ncache = "14G"',
      /caches take 14 GiB, and at most 12.8 GiB may be taken/,
    ],
    ['a bad link', 'kind = "heartbeat"', 'kind = "beat"', /write one of "sync", "heartbeat"/],
    ['a number too large', 'node = 3', 'node = 15', /the largest number of a node is 14/],
  ];

for (const [title, from, to, complaint] of mistakes)
  test(`refused: ${title}`, () => {
    const plan = planOf(GOOD.replace(from, to));
    assert.ok(!plan.ok, 'a fault was expected');
    assert.match(formatFaults('file', plan.fault), complaint);
  });

test('refused: a mirrored device behind two targets', () => {
  const second = GOOD.slice(GOOD.indexOf('[[target]]')).replace('"disk1"', '"other"');
  const plan = planOf(GOOD + second);
  assert.ok(!plan.ok);
  assert.match(formatFaults('file', plan.fault), /behind one target on each node/);
});

test('the cache of a mirrored copy is part of the plan', () => {
  const lines = 'size = "1G"\ncache = "2G"\nwrite_cache = "back"\npower_protected = true';
  const plan = planOf(GOOD.replace('size = "1G"', lines));
  assert.ok(plan.ok);
  const [device] = plan.value.devices;
  assert.ok(device?.kind === 'mirror');
  assert.deepEqual([device.cacheMemory, device.writeCache], [2 ** 31, 'back']);
});
