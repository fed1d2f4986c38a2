/**
 * Goal: a size that was set holds over restarts until the configuration says something else, fits into the memory of the machine,
 * and is told to be kept only when it is. Method: a record in memory that fails where it is told, and an engine that answers.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DONE, fail, ok } from '../base/result.ts';
import type { DeviceAnswer } from '../engine/device-commands.ts';
import type { DeviceSpec } from '../engine/spec.ts';
import type { RecordFile } from '../ports/record-file.ts';
import { CacheSizes } from './cache-sizes.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

interface Bench {
  readonly sizes: CacheSizes;
  readonly events: string[];
  readonly now: () => number[];
}

function memoryRecord() {
  const state: { saved: Uint8Array | undefined; isBroken: boolean } = { saved: undefined, isBroken: false };
  const fault = { kind: 'ioError', name: 'caches', cause: 'no space' } as const;
  const record: RecordFile = {
    name: 'caches',
    load: () => Promise.resolve(state.isBroken ? fail(fault) : ok(state.saved)),
    save: (bytes) => {
      if (state.isBroken) return Promise.resolve(fail(fault));
      state.saved = bytes;
      return Promise.resolve(DONE);
    },
  };
  return { state, record };
}

async function started(
  record: RecordFile | undefined,
  configured: readonly number[] = [0, 128 * MIB],
  memory = GIB,
): Promise<Bench> {
  const devices = configured.map(
    (cacheMemory, at) => ({ kind: 'file', name: `disk${at + 1}`, cacheMemory }) as DeviceSpec,
  );
  const events: string[] = [];
  const sizes = new CacheSizes({ devices, memory, record, trace: (_level, event) => events.push(event) });
  await sizes.load();
  const now = (): number[] =>
    sizes.appliedTo(devices).map((device) => (device.kind === 'ram' ? 0 : device.cacheMemory));
  return { sizes, events, now };
}

const done = (): Promise<DeviceAnswer> => Promise.resolve(ok(undefined));

test('a size that was set holds over a restart, until the configuration says something else', async () => {
  const { record } = memoryRecord();
  const first = await started(record);
  const changed = await first.sizes.change('disk1', 256 * MIB, done);
  assert.deepEqual(changed, ok({ before: 0, after: 256 * MIB, advice: [] }));
  await first.sizes.change('disk2', 0, done);
  assert.deepEqual(first.now(), [256 * MIB, 0]);
  assert.deepEqual((await started(record)).now(), [256 * MIB, 0]);
  assert.deepEqual((await started(record, [0, 64 * MIB])).now(), [256 * MIB, 64 * MIB]);
  assert.deepEqual((await started(undefined)).now(), [0, 128 * MIB]);
});

test('caches that do not fit together are refused, and one that is given up makes room', async () => {
  const { record } = memoryRecord();
  const { sizes, now } = await started(record);
  let asked = 0;
  const resize = (): Promise<DeviceAnswer> => {
    asked += 1;
    return done();
  };
  const refused = await sizes.change('disk1', 720 * MIB, resize);
  assert.match(refused.ok ? '' : refused.fault, /device disk1 was not changed: caches take .* 80 % of this/);
  assert.deepEqual([asked, now()], [0, [0, 128 * MIB]]);
  // Two at once are judged one after the other.
  const [second, first] = await Promise.all([
    sizes.change('disk2', 0, resize),
    sizes.change('disk1', 720 * MIB, resize),
  ]);
  assert.deepEqual([second.ok, first.ok, now()], [true, true, [720 * MIB, 0]]);
});

test('what the engine refuses is not kept, and what is not kept is told', async () => {
  const { record, state } = memoryRecord();
  const { sizes, now } = await started(record);
  const no = fail('The cache of device disk1 was not changed: because.');
  assert.deepEqual(await sizes.change('disk1', MIB, () => Promise.resolve(no)), no);
  assert.deepEqual([state.saved, now()], [undefined, [0, 128 * MIB]]);
  state.isBroken = true;
  const unkept = await sizes.change('disk1', MIB, done);
  assert.equal(
    unkept.ok ? '' : unkept.fault,
    'Device disk1 has a cache of 1 MiB now, but that could not be kept (no space): after a restart of the node it has no cache again, as configured.',
  );
  // An engine that is started again gets what it had.
  assert.deepEqual(now(), [MIB, 128 * MIB]);
  const nowhere = await (await started(undefined)).sizes.change('disk1', 0, done);
  assert.match(nowhere.ok ? '' : nowhere.fault, /the node has no state directory/);
});

test('a record that cannot be read, or that does not fit any more, is told and the configuration counts', async () => {
  const { record, state } = memoryRecord();
  await (await started(record)).sizes.change('disk1', 600 * MIB, done);
  const small = await started(record, [0, 128 * MIB], GIB / 2);
  assert.deepEqual([small.now(), small.events], [[0, 128 * MIB], ['cacheSizes.tooLarge']]);
  for (const text of ['', '{}', '{"version":2,"caches":{}}', '{"version":1,"caches":{"disk1":{"set":-1}}}']) {
    state.saved = Buffer.from(text);
    const bad = await started(record);
    assert.deepEqual([bad.now(), bad.events], [[0, 128 * MIB], ['cacheSizes.unreadable']], text);
  }
  state.isBroken = true;
  assert.deepEqual((await started(record)).events, ['cacheSizes.unreadable']);
});

test('a small cache is set, with advice', async () => {
  const { sizes } = await started(memoryRecord().record);
  const changed = await sizes.change('disk1', 2 * MIB, done);
  assert.match(changed.ok ? changed.value.advice.join() : '', /disk1 has a cache of 2 MiB: below 128 MiB/);
});
