// Goal: what a node says of its part in a mirror is told in words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CacheStatistics, DeviceStatistics, MirrorStatistics } from '../../engine/statistics.ts';
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
  cache: undefined,
};

function said(mirror: MirrorStatistics, cache?: CacheStatistics): string {
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
        devices: [{ ...DEVICE, cache, mirror }],
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

test('what a cache holds, what it has saved, and what it still has to write out', () => {
  const cache: CacheStatistics = {
    mode: 'back',
    memory: 2 ** 27,
    used: 2 ** 26,
    dirty: 0,
    hits: 0,
    misses: 0,
    destaged: 0,
    flushForecastMs: 0,
    fault: undefined,
  };
  assert.doesNotMatch(said(MIRROR), /cache/);
  const idle = said(MIRROR, cache);
  assert.match(idle, /cache: write-back, 64 MiB of 128 MiB used, nothing was read yet\n/);
  assert.doesNotMatch(idle, /written out/);
  const fault = 'there is no space for block 7';
  const busy = {
    ...cache,
    mode: 'through',
    dirty: 2 ** 20,
    hits: 3,
    misses: 1,
    destaged: 2 ** 22,
    fault,
  } as const;
  const text = said(MIRROR, { ...busy, flushForecastMs: 1200 });
  assert.match(text, /cache: write-through, .* used, 75 % of reads found\n/);
  assert.match(text, /to be written out: 1 MiB \(about 2 s\); written out later so far: 4 MiB\n/);
  assert.match(text, /the cache cannot be written out: there is no space for block 7\n/);
  assert.match(said(MIRROR, { ...busy, flushForecastMs: undefined }), /to be written out: 1 MiB;/);
});
