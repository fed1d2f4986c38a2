/** Goal: advice comes when it is due and names the device. Method: a table. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeviceSpec } from '../engine/spec.ts';
import { adviceOn } from './advice.ts';

const TIB = 2 ** 40;
const FILE: DeviceSpec = {
  kind: 'file',
  name: 'mail',
  path: '/srv/mail.img',
  length: TIB,
  cacheMemory: 0,
  isPowerProtected: false,
  blockLength: 512,
  physicalBlockExponent: undefined,
  provisioning: 'thin',
  readOnly: false,
  writeCache: 'through',
  removable: false,
  identity: { naa: '6'.repeat(32), serial: '1' },
};

test('devices above 6 TiB are served, with the advice to make several of them', () => {
  assert.deepEqual(adviceOn([{ ...FILE, length: 6 * TIB }]), []);
  assert.match(adviceOn([{ ...FILE, length: 7 * TIB }])[0]!, /Device mail has 7 TiB: above 6 TiB/);
  assert.deepEqual(adviceOn([{ ...FILE, length: undefined }]), []);
});

test('a write-back cache comes with the advice to have an uninterruptible power supply', () => {
  assert.deepEqual(adviceOn([FILE]), []);
  assert.match(
    adviceOn([{ ...FILE, writeCache: 'back' }])[0]!,
    /Device mail .* uninterruptible power supply/,
  );
});

test('a cache below 128 MiB comes with the advice to make it larger', () => {
  assert.deepEqual(adviceOn([{ ...FILE, cacheMemory: 128 * 2 ** 20 }]), []);
  assert.match(
    adviceOn([{ ...FILE, cacheMemory: 2 ** 20 }])[0]!,
    /Device mail has a cache of 1 MiB: below 128 MiB/,
  );
});
