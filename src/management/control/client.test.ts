// Goal: what a node says of its part in a mirror is told in words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceStatistics, MirrorStatistics } from '../../engine/statistics.ts';
import { formatStatus } from './client.ts';

const MIRROR: MirrorStatistics = {
  condition: { word: 'synchronized', why: undefined },
  replicas: [],
  writePolicy: 'through',
  writePolicyInForce: 'through',
  journal: 'failure',
  strategy: 'heartbeat',
  epochId: undefined,
  role: 'serving',
  isServing: true,
  term: 33,
  members: [1, 2],
  learners: [],
  failure: undefined,
  resyncs: [],
  links: [],
};

const DEVICE: Omit<DeviceStatistics, 'mirror'> = {
  name: 'disk1',
  kind: 'mirror',
  bytes: 2 ** 30,
  blockLength: 512,
  writeCache: 'through',
  readOnly: false,
  naa: '6'.repeat(32),
  reads: 0,
  writes: 0,
  bytesRead: 0,
  bytesWritten: 0,
};

function said(mirror: MirrorStatistics): string {
  return formatStatus({
    node: 'alpha',
    pid: 1,
    portals: ['192.0.2.1:3260'],
    targets: [],
    engines: [
      {
        engine: 0,
        pid: 1,
        sessions: [],
        devices: [{ ...DEVICE, mirror }],
        witnessed: [{ name: 'disk2', mirror: { ...MIRROR, role: 'witness', isServing: false } }],
      },
    ],
  });
}

test('who serves, with whom', () => {
  const text = said(MIRROR);
  assert.match(text, /Device {4}disk1 {2}1 GiB/);
  assert.match(text, /mirror: serving, synchronized on 1 2\n/);
  assert.match(text, /Witness {3}of disk2\n {2}mirror: witness/);
});

test('how far a resync is, and why a copy takes no part', () => {
  const resyncs = [{ learner: 3, total: 100, left: 40, percent: 60, chunksPerSecond: 10, secondsLeft: 3.2 }];
  const text = said({ ...MIRROR, learners: [3], resyncs, failure: 'the disk has stopped answering' });
  assert.match(text, /being brought up to date: 3\n/);
  assert.match(text, /node 3: 60 % brought up to date, 4 s left/);
  assert.match(text, /this copy has failed: the disk has stopped answering/);
});
