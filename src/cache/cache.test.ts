/** Goal: each rule of the cache alone. Method: a device beneath whose calls end when they are told to, and a clock. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { MaybeAsync, Result } from '../base/result.ts';
import type { DeviceFault, Durability, WriteCache } from '../ports/block-device.ts';
import { ManualClock } from '../replication/testing/manual-clock.ts';
import { type Cache, createCache, MEMORY_MIN } from './cache.ts';
import { bytesOf, numbersOf, WildDevice } from './testing/wild-device.ts';

/** Blocks of 512 bytes; the smallest cache has 64 pages of 8. */
const PAGE = 8;
const BLOCKS = 400 * PAGE;
const MIB = 2 ** 20;

interface Bench {
  readonly device: WildDevice;
  readonly clock: ManualClock;
  readonly cache: Cache;
  readonly names: () => string[];
}

function bench(mode: WriteCache | undefined, memory = MEMORY_MIN): Bench {
  const device = new WildDevice(new Uint32Array(BLOCKS));
  const clock = new ManualClock();
  const cache = createCache({ below: device, clock, memory, ...(mode === undefined ? {} : { mode }) });
  return { device, clock, cache, names: () => device.calls.map(({ name }) => name) };
}

function write(
  { cache }: Bench,
  lba: number,
  blocks: number,
  value: number,
  durability: Durability = 'cached',
) {
  return track(cache.write(lba, [bytesOf(Array.from({ length: blocks }, () => value))], durability));
}

interface Tracked<T> {
  result: Result<T, DeviceFault> | undefined;
}

function track<T>(answer: MaybeAsync<Result<T, DeviceFault>>): Tracked<T> {
  const tracked: Tracked<T> = { result: undefined };
  if (answer instanceof Promise) void answer.then((result) => (tracked.result = result));
  else tracked.result = answer;
  return tracked;
}

function hasEnded({ result }: Tracked<unknown>): boolean {
  return result !== undefined;
}

/** What is read, from memory or beneath; calls beneath end. */
async function read({ cache, device }: Bench, lba: number, blocks: number): Promise<number[]> {
  const reading = track(cache.read(lba, blocks));
  while (reading.result === undefined) {
    device.end();
    await turn();
  }
  assert.ok(reading.result.ok);
  const numbers = numbersOf(reading.result.value.segments);
  reading.result.value.release();
  return numbers;
}

async function endAll({ device }: Bench): Promise<void> {
  await turn();
  while (device.calls.length > 0) {
    device.end();
    await turn();
  }
}

test('without a choice a write is durable before it is answered, and then read from memory', async () => {
  const b = bench(undefined);
  assert.equal(b.cache.writeCache, 'through');
  const written = write(b, 0, 2, 7);
  assert.ok(!hasEnded(written));
  assert.deepEqual(b.names(), ['write 0+2']);
  b.device.end();
  await turn();
  assert.ok(written.result?.ok);
  assert.deepEqual([...b.device.crash(() => 0).subarray(0, 3)], [7, 7, 0]);
  assert.ok(track(b.cache.read(0, 2)).result?.ok);
  assert.equal(b.device.calls.length, 0);
});

test('write-back answers at once, and writes neighbours out as one when they are old, in order of addresses', async () => {
  // Long enough for runs of 16 pages.
  const b = bench('back', 5 * MIB);
  for (const page of [9, 200, 8, 10, 100]) assert.ok(write(b, page * PAGE, PAGE, page).result?.ok);
  assert.deepEqual(await read(b, 8 * PAGE, 1), [8]);
  b.clock.advance(2499);
  assert.deepEqual(b.names(), []);
  b.clock.advance(2501);
  assert.deepEqual(b.names(), ['write 64+24', 'write 800+8', 'write 1600+8']);
  await endAll(b);
  const { dirtyPages, destagedBytes, destageWrites } = b.cache.statistics;
  assert.deepEqual([dirtyPages, destagedBytes, destageWrites], [0, 5 * 4096, 3]);
});

test('no more than half of the memory becomes dirty: writers wait, in order, and go on', async () => {
  const b = bench('back');
  const writes = Array.from({ length: 60 }, (_, page) => write(b, page * 3 * PAGE, PAGE, page + 1));
  assert.equal(writes.filter(({ result }) => result !== undefined).length, 32);
  assert.equal(b.cache.statistics.dirtyPages, 32);
  for (let rounds = 0; writes.some(({ result }) => result === undefined); rounds++) {
    assert.ok(rounds < 1000 && b.cache.statistics.dirtyPages <= 32);
    const waiting = writes.findIndex(({ result }) => result === undefined);
    assert.ok(writes.slice(waiting).every(({ result }) => result === undefined));
    b.device.end();
    await turn();
  }
  assert.ok(writes.every(({ result }) => result?.ok === true));
});

test('a page that is overwritten while it is written out stays dirty, and its writes take turns', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  const first = track(b.cache.flush());
  assert.deepEqual(b.names(), ['write 0+8']);
  write(b, 0, PAGE, 2);
  const second = track(b.cache.flush());
  assert.deepEqual(b.names(), ['write 0+8']);
  assert.deepEqual(await read(b, 0, 1), [2]);
  b.device.end('write 0+8');
  await turn();
  assert.deepEqual([...b.device.now.subarray(0, 2)], [1, 1]);
  assert.deepEqual(b.names().toSorted(), ['flush', 'write 0+8']);
  b.device.end('flush');
  await turn();
  assert.ok(first.result?.ok);
  assert.ok(!hasEnded(second));
  await endAll(b);
  assert.ok(hasEnded(second));
  assert.deepEqual([...b.device.now.subarray(0, 2)], [2, 2]);
});

test('a flush waits for what was dirty when it began, and for nothing newer', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  const flushed = track(b.cache.flush());
  for (let page = 1; page < 10; page++) write(b, page * 2 * PAGE, PAGE, page);
  b.device.end('write 0+8');
  await turn();
  assert.deepEqual(b.names(), ['flush']);
  b.device.end();
  await turn();
  assert.ok(flushed.result?.ok);
  assert.equal(b.cache.statistics.dirtyPages, 9);
});

test('what cannot be written out is told by flush, stays readable, and stops writes until it is written', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  write(b, 20 * PAGE, PAGE, 2);
  const flushed = track(b.cache.flush());
  b.device.end('write 0+8', 'badly');
  await turn();
  assert.ok(flushed.result?.ok === false && flushed.result.fault.kind === 'mediumError');
  assert.equal(write(b, 40 * PAGE, PAGE, 3).result?.ok, false);
  assert.deepEqual(await read(b, 0, 1), [1]);
  await endAll(b);
  assert.equal(b.cache.statistics.dirtyPages, 1);
  const again = track(b.cache.flush());
  await endAll(b);
  assert.ok(again.result?.ok);
  assert.deepEqual([b.device.now[0], b.cache.statistics.fault], [1, undefined]);
  assert.ok(write(b, 40 * PAGE, PAGE, 3).result?.ok);
});

test('when the flush beneath fails, nothing is acknowledged in memory until one goes well', async () => {
  const b = bench('back');
  const flushed = track(b.cache.flush());
  b.device.end('flush', 'badly');
  await turn();
  assert.equal(flushed.result?.ok, false);
  assert.equal(write(b, 0, 1, 1).result?.ok, false);
  const again = track(b.cache.flush());
  await endAll(b);
  assert.ok(again.result?.ok && write(b, 0, 1, 1).result?.ok);
});

test('a durable write that fails leaves what was acknowledged before', async () => {
  const b = bench('back');
  write(b, 0, 2, 1);
  const durable = write(b, 0, 2, 2, 'durable');
  b.device.end('write 0+2', 'badly');
  await turn();
  assert.equal(durable.result?.ok, false);
  assert.deepEqual(await read(b, 0, 2), [1, 1]);
  const flushed = track(b.cache.flush());
  await endAll(b);
  assert.ok(flushed.result?.ok && b.device.now[0] === 1);
});

test('UNMAP waits for what is being written out, and takes the place of what is dirty', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  void b.cache.flush();
  write(b, 0, PAGE, 2);
  const unmapped = track(b.cache.unmap([{ lba: 0, blocks: PAGE }], 'cached'));
  assert.deepEqual(b.names(), ['write 0+8']);
  b.device.end();
  await turn();
  assert.deepEqual(
    b.names().filter((name) => name !== 'flush'),
    ['unmap 0+8'],
  );
  b.device.end('unmap 0+8');
  await turn();
  assert.ok(unmapped.result?.ok);
  assert.equal(b.cache.statistics.dirtyPages, 0);
  assert.deepEqual(await read(b, 0, 1), [0]);
});

test('what is read beneath while its blocks change is answered, but not kept', async () => {
  const b = bench('through');
  const old = track(b.cache.read(0, 1));
  const written = write(b, 0, 1, 5);
  b.device.end('write 0+1');
  await turn();
  assert.ok(written.result?.ok);
  b.device.end('read 0+1');
  await turn();
  assert.ok(old.result?.ok);
  old.result.value.release();
  assert.deepEqual(await read(b, 0, 1), [5]);
});

test('what was read beneath before a write is not kept, even if the written page has left the cache', async () => {
  const b = bench('back');
  const old = track(b.cache.read(0, 1));
  write(b, 0, PAGE, 5);
  void b.cache.flush();
  b.device.end('write 0+8');
  await turn();
  b.device.end('flush');
  for (let page = 1; page < 300; page++) {
    const passing = track(b.cache.read(page * PAGE, 1));
    b.device.end(`read ${page * PAGE}+1`);
    await turn();
    assert.ok(passing.result?.ok);
    passing.result.value.release();
  }
  assert.deepEqual(b.names(), ['read 0+1']);
  // What the medium held when it was asked.
  b.device.calls[0]!.end(false, () => true);
  b.device.calls.length = 0;
  await turn();
  assert.ok(old.result?.ok);
  assert.deepEqual(numbersOf(old.result.value.segments), [0]);
  old.result.value.release();
  assert.deepEqual(await read(b, 0, 1), [5]);
});

test('a page of which a part is overwritten while it is written out loses nothing when that fails', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  const first = track(b.cache.flush());
  write(b, 0, 1, 2);
  b.device.end('write 0+8', 'badly');
  await turn();
  assert.equal(first.result?.ok, false);
  const second = track(b.cache.flush());
  await endAll(b);
  assert.ok(second.result?.ok);
  assert.deepEqual([...b.device.now.subarray(0, 3)], [2, 1, 1]);
});

test('a flush covers a page that is lent and partly overwritten while it waits its turn', async () => {
  const b = bench('back');
  for (let page = 0; page < 12; page++) write(b, page * 2 * PAGE, PAGE, 1);
  const flushed = track(b.cache.flush());
  assert.equal(b.device.calls.length, 8);
  const lent = track(b.cache.read(22 * PAGE, 1));
  assert.ok(lent.result?.ok);
  write(b, 22 * PAGE, 1, 2);
  while (!b.names().includes('flush')) {
    // Its own write last.
    b.device.end(b.names().find((name) => name !== 'write 176+8'));
    await turn();
  }
  assert.ok(!b.names().includes('write 176+8'));
  await endAll(b);
  assert.ok(flushed.result?.ok);
  assert.deepEqual(numbersOf(lent.result.value.segments), [1]);
  assert.deepEqual([...b.device.now.subarray(22 * PAGE, 22 * PAGE + 2)], [2, 1]);
});

test('a block that cannot be read beneath is read where it is cached', async () => {
  const b = bench('back');
  write(b, 1, 1, 9);
  const reading = track(b.cache.read(0, 3));
  assert.deepEqual(b.names(), ['read 0+1', 'read 2+1']);
  await endAll(b);
  assert.ok(reading.result?.ok);
  assert.deepEqual(numbersOf(reading.result.value.segments), [0, 9, 0]);
  reading.result.value.release();
});

test('through is answered when all is durable, and whoever waited for room is durable too', async () => {
  const b = bench('back');
  const writes = Array.from({ length: 40 }, (_, page) => write(b, page * 3 * PAGE, PAGE, page + 1));
  const changed = track(b.cache.setWriteCache('through'));
  await endAll(b);
  await endAll(b);
  assert.ok(changed.result?.ok && writes.every(({ result }) => result?.ok === true));
  assert.deepEqual([b.cache.writeCache, b.cache.statistics.dirtyPages], ['through', 0]);
  const left = b.device.crash(() => 0);
  for (let page = 0; page < 40; page++) assert.equal(left[page * 3 * PAGE], page + 1);
});

test('through stays write-back when what is dirty cannot be written', async () => {
  const b = bench('back');
  write(b, 0, 1, 1);
  const changed = track(b.cache.setWriteCache('through'));
  await turn();
  b.device.end('write 0+1', 'badly');
  await turn();
  assert.equal(changed.result?.ok, false);
  assert.equal(b.cache.writeCache, 'back');
});

test('memory stays within its budget, bookkeeping included, and is given back when it becomes less', async () => {
  const b = bench('back', 2 * MIB);
  for (let page = 0; page < 200; page++) write(b, page * 2 * PAGE, PAGE, page + 1);
  const { memory, pages } = b.cache.statistics;
  assert.ok(memory <= 2 * MIB && memory > 1.7 * MIB && pages === 200);
  const changed = track(b.cache.resize(MIB));
  await endAll(b);
  assert.ok(changed.result?.ok);
  assert.ok(b.cache.statistics.memory <= MIB && b.cache.statistics.pages <= 192);
  for (let page = 0; page < 200; page++) assert.deepEqual(await read(b, page * 2 * PAGE, 1), [page + 1]);
  const large = createCache({ below: b.device, clock: b.clock, memory: 128 * MIB }).statistics.memory;
  assert.ok(large <= 128 * MIB && large > 127.5 * MIB);
});

test('mode none takes no memory and passes everything on', async () => {
  const b = bench('back');
  write(b, 0, 1, 1);
  const changed = track(b.cache.resize(0));
  await endAll(b);
  assert.ok(changed.result?.ok);
  assert.deepEqual([b.cache.statistics.memory, b.cache.statistics.pages, b.device.now[0]], [0, 0, 1]);
  assert.ok(!hasEnded(write(b, 0, 1, 2)));
  assert.deepEqual(b.names(), ['write 0+1']);
  await endAll(b);
  assert.deepEqual(await read(b, 0, 1), [2]);
});

test('a cache that comes and goes answers writes as before, and the device beneath does where there is none', async () => {
  for (const mode of ['through', 'back'] as const) {
    const b = bench(mode);
    write(b, 0, 1, 1);
    await endAll(b);
    const gone = track(b.cache.resize(0));
    await endAll(b);
    assert.ok(gone.result?.ok);
    assert.deepEqual([b.cache.mode, b.cache.writeCache, b.device.writeCache], ['none', mode, mode]);
    assert.deepEqual([b.device.now[0], b.cache.statistics.memory], [1, 0]);
    const back = track(b.cache.resize(MIB));
    await endAll(b);
    assert.ok(back.result?.ok);
    assert.deepEqual([b.cache.mode, b.device.writeCache], [mode, 'back']);
    const written = write(b, 0, 1, 2);
    assert.equal(hasEnded(written), mode === 'back');
    await endAll(b);
    assert.deepEqual(await read(b, 0, 1), [2]);
  }
});

test('without memory, too, through is answered when all that was called before is durable', async () => {
  const b = bench('back', 0);
  const early = write(b, 0, 1, 1);
  const first = track(b.cache.setWriteCache('through'));
  await turn();
  // The flush of the first does not cover the write, which ends later.
  b.device.end('flush');
  b.device.end('write 0+1');
  await turn();
  const second = track(b.cache.setWriteCache('through'));
  await endAll(b);
  assert.ok(early.result?.ok && first.result?.ok && second.result?.ok);
  assert.equal(b.device.crash(() => 0)[0], 1);
});

test('without memory, too, who was promised through gets it, though he waits and the mode changes', async () => {
  const b = bench('through');
  const gone = track(b.cache.resize(0));
  await endAll(b);
  assert.ok(gone.result?.ok && b.cache.writeCache === 'through');
  write(b, 0, 1, 1);
  const waiting = write(b, 0, 1, 2);
  assert.ok((await b.cache.setWriteCache('back')).ok);
  await endAll(b);
  assert.ok(waiting.result?.ok);
  assert.equal(b.device.crash(() => 0)[0], 2);
});

test('a cache that cannot be written out becomes neither smaller nor none, and loses nothing', async () => {
  for (const memory of [MEMORY_MIN, 0]) {
    const b = bench('back', 2 * MIB);
    for (let page = 0; page < 100; page++) write(b, page * 2 * PAGE, 1, page + 1);
    const { memory: before } = b.cache.statistics;
    const changed = track(b.cache.resize(memory));
    for (await turn(); b.device.calls.length > 0; await turn()) b.device.end(undefined, 'badly');
    assert.equal(changed.result?.ok, false);
    assert.deepEqual(
      [b.cache.mode, b.device.writeCache, b.cache.statistics.memory],
      ['back', 'back', before],
    );
    for (let page = 0; page < 100; page++) assert.deepEqual(await read(b, page * 2 * PAGE, 1), [page + 1]);
    const again = track(b.cache.resize(memory));
    await endAll(b);
    assert.ok(again.result?.ok && b.cache.statistics.memory <= memory);
    for (let page = 0; page < 100; page++) assert.equal(b.device.now[page * 2 * PAGE], page + 1);
  }
});

test('a scan does not push out what is asked for again and again', async () => {
  const b = bench('through', MIB);
  const hot = Array.from({ length: 40 }, (_, page) => page * PAGE);
  for (let round = 0; round < 4; round++) for (const lba of hot) await read(b, lba, 1);
  for (let page = 50; page < 400; page++) await read(b, page * PAGE, 1);
  const { misses } = b.cache.statistics;
  for (const lba of hot) await read(b, lba, 1);
  assert.equal(b.cache.statistics.misses, misses);
  assert.ok(b.cache.statistics.evictions > 0);
});

test('the time that a flush of everything takes is told from the speed that was seen', async () => {
  const b = bench('back');
  write(b, 0, PAGE, 1);
  assert.equal(b.cache.statistics.flushForecastMs, undefined);
  void b.cache.flush();
  b.clock.advance(4);
  await endAll(b);
  assert.equal(b.cache.statistics.flushForecastMs, 0);
  for (let page = 0; page < 10; page++) write(b, page * 2 * PAGE, PAGE, 1);
  assert.equal(b.cache.statistics.flushForecastMs, 40);
});

test('a cache that is given up writes nothing out any more, and says when all is still', async () => {
  const b = bench('back');
  for (let page = 0; page < 20; page++) write(b, page * 2 * PAGE, PAGE, 1);
  const waiting = track(b.cache.flush());
  const begun = b.names().length;
  let isStill = false;
  void b.cache.abandon().then(() => (isStill = true));
  for (let ended = 0; ended < begun; ended++) {
    assert.equal(isStill, false);
    b.device.end();
    await turn();
  }
  assert.deepEqual([isStill, b.device.calls.length, waiting.result?.ok], [true, 0, false]);
  b.clock.advance(60_000);
  assert.equal(b.device.calls.length, 0);
});

test('a cache over a medium that is opened anew is empty, and goes on', async () => {
  const b = bench('back');
  for (let page = 0; page < 3; page++) write(b, page * 2 * PAGE, PAGE, 1);
  void b.cache.flush();
  b.device.end('write 0+8');
  b.device.end('write 16+8', 'badly');
  const held = track(b.cache.read(0, 1));
  const reading = track(b.cache.read(90 * PAGE, 1));
  let isEmpty = false;
  void b.cache.forget().then(() => (isEmpty = true));
  await turn();
  assert.equal(isEmpty, false);
  b.device.end('write 32+8');
  await turn();
  const { pages, dirtyPages, fault } = b.cache.statistics;
  assert.deepEqual([isEmpty, pages, dirtyPages, fault], [true, 0, 0, undefined]);
  b.device.now.fill(5);
  // What was read before is answered, and not kept; what was lent stays as it was.
  await endAll(b);
  assert.ok(reading.result?.ok && held.result?.ok);
  assert.deepEqual(numbersOf(held.result.value.segments), [1]);
  assert.deepEqual(await read(b, 0, 1), [5]);
  assert.deepEqual(await read(b, 90 * PAGE, 1), [5]);
  assert.ok(write(b, 0, PAGE, 6).result?.ok);
  const flushed = track(b.cache.flush());
  await endAll(b);
  assert.deepEqual([flushed.result?.ok, b.device.now[0]], [true, 6]);
});
