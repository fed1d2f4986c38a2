/**
 * What every BlockDevice promises (src/ports/block-device.ts), as tests that each implementation runs. `open` makes a
 * fresh thin, writable device of BLOCK_COUNT zeroed blocks.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { MaybeAsync, Result } from '../../src/base/result.ts';
import { copyTo, lengthOf } from '../../src/base/segments.ts';
import type { BlockDevice, BlockLength } from '../../src/ports/block-device.ts';

export const BLOCK_COUNT = 512;

export interface Subject {
  readonly name: string;
  readonly blockLength: BlockLength;
  readonly open: () => Promise<BlockDevice>;
  /** Operations under way together may take effect in any order, as the port allows. */
  readonly reorders?: true;
  /** Whether changes are written through is not for one user of the device to say. */
  readonly hasFixedWriteCache?: true;
}

/** The value, or the test has failed. */
export async function expectOk<T>(answer: MaybeAsync<Result<T, unknown>>): Promise<T> {
  const result = await answer;
  if (!result.ok) assert.fail(`fault: ${JSON.stringify(result.fault)}`);
  return result.value;
}

export async function expectFault<F>(answer: MaybeAsync<Result<unknown, F>>): Promise<F> {
  const result = await answer;
  assert.ok(!result.ok, 'a fault was expected');
  return result.fault;
}

export async function readAll(device: BlockDevice, lba: number, blocks: number): Promise<Uint8Array> {
  const loan = await expectOk(device.read(lba, blocks));
  const copy = new Uint8Array(blocks * device.geometry.blockLength);
  assert.equal(lengthOf(loan.segments), copy.length);
  copyTo(loan.segments, copy, 0);
  loan.release();
  return copy;
}

export function blockDeviceContract(subject: Subject): void {
  const { name, blockLength } = subject;
  const blocksOf = (count: number, value: number): Uint8Array =>
    new Uint8Array(count * blockLength).fill(value);

  test(`${name}: reads what was written, wherever segments are cut`, async () => {
    const device = await subject.open();
    const data = blocksOf(3, 0).map((_, i) => i % 251);
    const cut = [data.subarray(0, 1), data.subarray(1, 1), data.subarray(1, 700), data.subarray(700)];
    await expectOk(device.write(7, cut, 'cached'));
    assert.deepEqual(await readAll(device, 7, 3), data);
    assert.deepEqual(await readAll(device, 6, 1), blocksOf(1, 0));
    assert.deepEqual(await readAll(device, 10, 1), blocksOf(1, 0));
    await device.close();
  });

  test(`${name}: a loan keeps its bytes whatever is written meanwhile`, async () => {
    const device = await subject.open();
    await expectOk(device.write(0, [blocksOf(BLOCK_COUNT, 1)], 'cached'));
    const loans = await Promise.all([
      expectOk(device.read(0, 1)),
      expectOk(device.read(0, BLOCK_COUNT)),
      expectOk(device.read(3, 2)),
    ]);
    await expectOk(device.write(0, [blocksOf(4, 2)], 'cached'));
    await expectOk(device.writeSame(4, 9, blocksOf(1, 3), 'cached'));
    await expectOk(device.unmap([{ lba: 13, blocks: BLOCK_COUNT - 13 }], 'cached'));
    await expectOk(device.write(20, [blocksOf(4, 4)], 'cached'));
    for (const loan of loans) {
      for (const segment of loan.segments) assert.ok(segment.every((byte) => byte === 1));
      loan.release();
    }
    assert.deepEqual(await readAll(device, 3, 2), new Uint8Array([...blocksOf(1, 2), ...blocksOf(1, 3)]));
    assert.deepEqual(await readAll(device, 13, 1), blocksOf(1, 0));
    await device.close();
  });

  test(`${name}: COMPARE AND WRITE writes if equal and else names the first byte that differs`, async () => {
    const device = await subject.open();
    await expectOk(device.write(9, [blocksOf(2, 5)], 'cached'));
    const wrong = blocksOf(2, 5);
    wrong[blockLength + 3] = 6;
    const fault = await expectFault(device.compareAndWrite(9, [wrong], [blocksOf(2, 8)], 'durable'));
    assert.deepEqual(fault, { kind: 'miscompare', offset: blockLength + 3 });
    assert.deepEqual(await readAll(device, 9, 2), blocksOf(2, 5));
    const cut = [blocksOf(1, 5), blocksOf(1, 5)];
    await expectOk(device.compareAndWrite(9, cut, [blocksOf(2, 8)], 'durable'));
    assert.deepEqual(await readAll(device, 9, 2), blocksOf(2, 8));
    await device.close();
  });

  test(`${name}: of many racing COMPARE AND WRITEs from one value exactly one wins`, async () => {
    const device = await subject.open();
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map(async (value) =>
        device.compareAndWrite(3, [blocksOf(1, 0)], [blocksOf(1, value)], 'cached'),
      ),
    );
    assert.equal(answers.filter((answer) => answer.ok).length, 1);
    await device.close();
  });

  test(`${name}: unmapped blocks read as zeros and are reported, runs adjoin and never exceed the limit`, async () => {
    const device = await subject.open();
    const granule = Math.max(device.geometry.unmapGranularity, 8);
    await expectOk(device.write(granule, [blocksOf(granule * 4, 9)], 'cached'));
    await expectOk(device.unmap([{ lba: granule * 2, blocks: granule }], 'durable'));
    assert.deepEqual(await readAll(device, granule * 2, granule), blocksOf(granule, 0));
    assert.deepEqual(await readAll(device, granule * 3, 1), blocksOf(1, 9));
    const runs = await expectOk(device.mapping(0, BLOCK_COUNT, 100));
    assert.deepEqual(
      runs.map(({ lba, blocks, mapped }) => [lba / granule, blocks / granule, mapped]),
      [
        [0, 1, false],
        [1, 1, true],
        [2, 1, false],
        [3, 2, true],
        [5, BLOCK_COUNT / granule - 5, false],
      ],
    );
    assert.deepEqual(await expectOk(device.mapping(granule, BLOCK_COUNT - granule, 2)), runs.slice(1, 3));
    await device.close();
  });

  test(`${name}: a ragged unmap clears just its blocks, and the last one of a granule gives it back`, async () => {
    const device = await subject.open();
    await expectOk(device.write(0, [blocksOf(64, 7)], 'cached'));
    await expectOk(device.unmap([{ lba: 3, blocks: 17 }], 'cached'));
    assert.deepEqual(await readAll(device, 2, 1), blocksOf(1, 7));
    assert.deepEqual(await readAll(device, 3, 17), blocksOf(17, 0));
    assert.deepEqual(await readAll(device, 20, 1), blocksOf(1, 7));
    for (let lba = 0; lba < 64; lba++) await expectOk(device.unmap([{ lba, blocks: 1 }], 'cached'));
    const runs = await expectOk(device.mapping(0, BLOCK_COUNT, 100));
    assert.deepEqual(runs, [{ lba: 0, blocks: BLOCK_COUNT, mapped: false }]);
    await device.close();
  });

  if (subject.hasFixedWriteCache === undefined) writeCacheTest(subject, blocksOf(1, 1));

  test(`${name}: a range outside the device is a bug of the caller`, async () => {
    const device = await subject.open();
    const attempt = async (lba: number, blocks: number): Promise<unknown> => await device.read(lba, blocks);
    await assert.rejects(attempt(BLOCK_COUNT, 1), /within the device/);
    await assert.rejects(attempt(BLOCK_COUNT - 1, 2), /within the device/);
    await assert.rejects(attempt(0.5, 1), /counts/);
    await device.close();
  });

  modelTest(subject);
}

function writeCacheTest({ name, open }: Subject, block: Uint8Array): void {
  test(`${name}: the write cache can be turned off and on`, async () => {
    const device = await open();
    await expectOk(device.write(0, [block], 'cached'));
    await expectOk(device.setWriteCache('through'));
    assert.equal(device.writeCache, 'through');
    await expectOk(device.write(1, [block], 'cached'));
    await expectOk(device.setWriteCache('back'));
    assert.equal(device.writeCache, 'back');
    await expectOk(device.flush());
    await device.close();
  });
}

interface Operation {
  readonly kind: 'read' | 'write' | 'writeSame' | 'unmap' | 'compareAndWrite' | 'flush';
  readonly lba: number;
  readonly blocks: number;
  readonly value: number;
  readonly durable: boolean;
}

const operation = fc
  .record({
    kind: fc.constantFrom('read', 'read', 'write', 'write', 'writeSame', 'unmap', 'compareAndWrite', 'flush'),
    lba: fc.nat(BLOCK_COUNT - 1),
    blocks: fc.integer({ min: 1, max: 40 }),
    value: fc.nat(3),
    durable: fc.boolean(),
  })
  .map(
    (drawn): Operation => ({
      ...(drawn as Operation),
      blocks: Math.min(drawn.blocks, BLOCK_COUNT - drawn.lba),
    }),
  );

/**
 * Batches of concurrent operations against one value per block. Those that overlap take effect in the order of their
 * calls (the stores promise that, more than the port does), so the model is sequential.
 */
function modelTest(subject: Subject): void {
  test(`${subject.name}: behaves as an array of blocks under concurrent operations`, async () => {
    const batches = fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), { maxLength: 8 });
    const property = fc.asyncProperty(batches, async (drawn) => {
      const device = await subject.open();
      const model = new Uint8Array(BLOCK_COUNT);
      for (const batch of drawn) {
        if (subject.reorders === undefined)
          await Promise.all(batch.map((one) => perform(device, model, one)));
        else await inTurn(device, model, batch);
      }
      const content = await readAll(device, 0, BLOCK_COUNT);
      for (let lba = 0; lba < BLOCK_COUNT; lba++) checkBlock(device, content, lba, model[lba]!);
      await device.close();
    });
    await fc.assert(property, { numRuns: 25 });
  });
}

/** One after the other; timers are heard in between. */
async function inTurn(device: BlockDevice, model: Uint8Array, batch: readonly Operation[]): Promise<void> {
  for (const one of batch) {
    await perform(device, model, one);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Calls at once, so that a batch is called in its order; then awaits and checks against the model of that moment. */
async function perform(device: BlockDevice, model: Uint8Array, one: Operation): Promise<void> {
  const { lba, blocks, value } = one;
  const { blockLength } = device.geometry;
  const durability = one.durable ? 'durable' : 'cached';
  const filled = new Uint8Array(blocks * blockLength).fill(value);
  switch (one.kind) {
    case 'flush':
      await expectOk(device.flush());
      return;
    case 'read': {
      const expected = model.slice(lba, lba + blocks);
      const content = await readAll(device, lba, blocks);
      expected.forEach((block, i) => checkBlock(device, content, i, block));
      return;
    }
    case 'write':
      model.fill(value, lba, lba + blocks);
      await expectOk(device.write(lba, [filled.subarray(0, 100), filled.subarray(100)], durability));
      return;
    case 'writeSame':
      model.fill(value, lba, lba + blocks);
      await expectOk(device.writeSame(lba, blocks, filled.subarray(0, blockLength), durability));
      return;
    case 'unmap':
      model.fill(0, lba, lba + blocks);
      await expectOk(device.unmap([{ lba, blocks }], durability));
      return;
    case 'compareAndWrite': {
      const differs = model.subarray(lba, lba + blocks).findIndex((block) => block !== 1);
      if (differs === -1) model.fill(value, lba, lba + blocks);
      const ones = new Uint8Array(blocks * blockLength).fill(1);
      const result = await device.compareAndWrite(lba, [ones], [filled], durability);
      if (differs === -1) assert.ok(result.ok);
      else
        assert.deepEqual(result, { ok: false, fault: { kind: 'miscompare', offset: differs * blockLength } });
    }
  }
}

function checkBlock(device: BlockDevice, content: Uint8Array, index: number, value: number): void {
  const { blockLength } = device.geometry;
  const block = content.subarray(index * blockLength, (index + 1) * blockLength);
  assert.ok(
    Buffer.compare(block, new Uint8Array(blockLength).fill(value)) === 0,
    `block ${index} holds ${block[0]}…${block.at(-1)}, ${value} expected`,
  );
}
