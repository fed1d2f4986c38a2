// Goal: the simulated disk is a disk. Method: the contract that all disks keep; then promises and virtual time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrng } from '../src/base/prng.ts';
import { DISK_LENGTH, diskContract, readBytes } from '../test/contract/disk.ts';
import type { DiskPort } from './disk-port.ts';
import { createDiskPort } from './disk-port.ts';
import type { Host } from './host.ts';
import { createHost } from './host.ts';
import { SECTOR_LENGTH } from './medium.ts';
import type { Scheduler } from './scheduler.ts';
import { createScheduler } from './scheduler.ts';
import { createTrace } from './trace.ts';

function create(latency: number): { scheduler: Scheduler; host: Host; disk: DiskPort } {
  const scheduler = createScheduler();
  const random = createPrng(1);
  const host = createHost({ id: 0, scheduler, random, drift: 0 });
  const disk = createDiskPort({
    source: 1,
    host,
    scheduler,
    random,
    trace: createTrace(() => scheduler.now()),
    sectorCount: DISK_LENGTH / SECTOR_LENGTH,
    latencyMs: { read: latency, write: latency, flush: latency },
  });
  return { scheduler, host, disk };
}

diskContract('simulated', () => Promise.resolve(create(0).disk));

test('a disk with latency answers when virtual time has passed, and not while the process is frozen', async () => {
  const { scheduler, host, disk } = create(1);
  const answers: string[] = [];
  const ask = async (): Promise<void> => {
    const written = await disk.write(0, [new Uint8Array(4096).fill(7)]);
    answers.push(`written ${written.ok}`);
    const flushed = await disk.flush();
    answers.push(`flushed ${flushed.ok}`);
  };
  const asked = ask();
  assert.deepEqual(answers, []);
  host.freeze();
  await scheduler.runSettled(100);
  assert.deepEqual(answers, []);
  host.resume();
  await scheduler.runSettled(200);
  await asked;
  assert.deepEqual(answers, ['written true', 'flushed true']);
});

test('faults of the disk come back as faults of the port', async () => {
  const { disk } = create(0);
  disk.device.conditions.noSpace = true;
  assert.deepEqual(await disk.write(1024, [new Uint8Array(512)]), {
    ok: false,
    fault: { kind: 'noSpace', offset: 1024 },
  });
  disk.device.conditions.noSpace = false;
  disk.device.conditions.flushError = 1;
  const flushed = await disk.flush();
  assert.ok(!flushed.ok && flushed.fault.kind === 'ioError' && flushed.fault.operation === 'flush');
  disk.device.conditions.flushError = 0;
  assert.deepEqual(await disk.flush(), flushed, 'until it is opened again');
  disk.reopen();
  assert.ok((await disk.flush()).ok);
});

test('rot changes a durable byte, and nothing says so', async () => {
  const { disk } = create(0);
  await disk.write(0, [new Uint8Array(SECTOR_LENGTH).fill(7)]);
  await disk.flush();
  disk.device.rot();
  assert.equal((await readBytes(disk, 0, 1))[0], 6);
});
