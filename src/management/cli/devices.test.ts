// Goal: what a node tells of its devices is told in words, in columns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceStatistics, MirrorStatistics, ReplicaStatistics } from '../../engine/statistics.ts';
import { cacheText, deviceDetails, deviceList, settingsText } from './devices.ts';

const alpha: ReplicaStatistics = {
  node: 1,
  name: 'alpha',
  state: 'synchronized',
  why: undefined,
  resync: undefined,
  lack: undefined,
  path: 'optimized',
  isPreferred: true,
};
const MiB = 2 ** 20;
const beta: ReplicaStatistics = {
  ...alpha,
  node: 2,
  name: 'beta',
  state: 'resynchronizing',
  path: 'unavailable',
  isPreferred: false,
  resync: {
    percent: 60,
    bytesDone: 60 * MiB,
    bytesTotal: 100 * MiB,
    bytesPerSecond: 20 * MiB,
    secondsLeft: 1.9,
  },
};
const mirror: MirrorStatistics = {
  condition: { word: 'resynchronizing', why: 'beta is brought up to date' },
  replicas: [alpha, beta],
  writePolicy: 'back',
  writePolicyInForce: 'through',
  journal: 'continuous',
  strategy: 'majority',
  role: 'serving',
  isServing: true,
  term: 33,
  epochId: 'e'.repeat(32),
  members: [1],
  learners: [2],
  failure: undefined,
  resyncs: [],
  links: [],
};
const device: DeviceStatistics = {
  name: 'disk1',
  kind: 'mirror',
  bytes: 2 ** 30,
  blockLength: 4096,
  writeCache: 'through',
  readOnly: false,
  naa: '6'.repeat(32),
  reads: 0,
  writes: 0,
  bytesRead: 0,
  bytesWritten: 0,
  cache: undefined,
  mirror,
};

test('a list has a line for each device', () => {
  const plain: DeviceStatistics = {
    ...device,
    name: 'scratch',
    kind: 'ram',
    bytes: 4 * MiB,
    mirror: undefined,
  };
  assert.equal(
    deviceList([device, plain]),
    [
      'Device   Size   State            Copies  Writes',
      'disk1    1 GiB  resynchronizing  1 of 2  through',
      'scratch  4 MiB  served           1       through',
      '',
    ].join('\n'),
  );
  assert.equal(deviceList([]), 'no devices\n');
});

test('one device is told with its state, why, and how far each copy is', () => {
  const text = deviceDetails(device);
  for (const line of [
    'Size      1 GiB (1073741824 bytes) in blocks of 4096',
    'State     resynchronizing',
    '          beta is brought up to date',
    'Writes    through for now, back when it is redundant again',
    'Journal   continuous',
    `Epoch     33 (${'e'.repeat(32)})`,
    'alpha  synchronized              active/optimized, preferred',
    'beta   being brought up to date  unavailable                  60 %, 60 MiB of 100 MiB, 20 MiB/s, 2 s left',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\n${text}`);
});

test('why a copy takes no part stands beside it', () => {
  const away: ReplicaStatistics = {
    ...beta,
    state: 'away',
    why: 'nothing is heard of the node',
    resync: undefined,
    lack: { bytes: 3 * 2 ** 20, percent: 18.75 },
  };
  const text = deviceDetails({ ...device, mirror: { ...mirror, replicas: [alpha, away] } });
  assert.match(
    text,
    /^beta +away: nothing is heard of the node +unavailable +lacks up to 3 MiB, 18\.8 % of the device$/m,
  );
});

test('what became of a cache is told with what it was', () => {
  const advice: string[] = [];
  assert.equal(
    cacheText('disk1', { before: 0, after: 2 ** 27, advice }),
    'Device disk1: cache of this node is 128 MiB (was none)\n',
  );
  assert.equal(cacheText('disk1', { before: 0, after: 0, advice }), 'Device disk1: nothing to change\n');
});

test('of settings only what has changed is told', () => {
  const before = {
    priority: ['alpha', 'beta'],
    writePolicy: 'through',
    aside: [],
    fullResyncAbove: 100,
  } as const;
  assert.equal(settingsText('disk1', { before, after: before }), 'Device disk1: nothing to change\n');
  assert.equal(
    settingsText('disk1', { before, after: { ...before, aside: ['beta'] } }),
    'Device disk1: aside is beta (was none)\n',
  );
  assert.equal(
    settingsText('disk1', { before, after: { ...before, fullResyncAbove: 30 } }),
    'Device disk1: full resync above is 30 % (was 100 %)\n',
  );
});
