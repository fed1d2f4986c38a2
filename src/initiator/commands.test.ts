/** Goal: what units say of themselves is read as the standards lay it out. Method: answers written by hand from them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacityIn, compareAndWrite, groupsIn, identityIn, readBlocks } from './commands.ts';
import { describe, verdictOf } from './verdict.ts';

const designator = (codeSet: number, associationAndType: number, bytes: readonly number[]): number[] => [
  codeSet,
  associationAndType,
  0,
  bytes.length,
  ...bytes,
];
const page = (...designators: readonly number[][]): Uint8Array => {
  const all = designators.flat();
  return Uint8Array.from([0, 0x83, all.length >> 8, all.length & 255, ...all]);
};

test('a unit is known by its own designator, NAA before others, whatever the port says', () => {
  const vendor = designator(2, 0x01, [0x41, 0x42]);
  const naa = designator(1, 0x03, [0x60, 1, 2, 3, 4, 5, 6, 7]);
  const port = designator(3, 0x98, [0x69, 0x71, 0x6e, 0]);
  const group = designator(1, 0x15, [0, 0, 0x01, 0x02]);
  assert.deepEqual(identityIn(page(vendor, port, naa, group)), { unit: '3:6001020304050607', group: 0x102 });
  assert.deepEqual(identityIn(page(vendor)), { unit: '1:4142', group: undefined });
  assert.equal(identityIn(page(port, group)), undefined);
  assert.equal(identityIn(page(naa).subarray(0, 10)), undefined);
});

test('port groups have their states by number', () => {
  const one = [0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
  const two = [0x0f, 0, 0, 2, 0, 0, 0, 0];
  const data = Uint8Array.from([0, 0, 0, one.length + two.length, ...one, ...two]);
  assert.deepEqual(
    [...groupsIn(data)],
    [
      [1, 'optimized'],
      [2, 'transitioning'],
    ],
  );
});

test('capacity is the last block and one more', () => {
  const data = Uint8Array.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0, ...new Uint8Array(20)]);
  assert.deepEqual(capacityIn(data), { blocks: 2 ** 32 + 1, blockLength: 512 });
  assert.equal(capacityIn(data.subarray(0, 8)), undefined);
});

test('CDBs hold address and length where SBC-3 wants them', () => {
  const { cdb, read } = readBlocks(0x1_0000_0001, 3, 512);
  assert.deepEqual([...cdb], [0x88, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0]);
  assert.equal(read, 1536);
  const block = new Uint8Array(512);
  const swap = compareAndWrite(9, { expected: block, data: block }, 512);
  assert.deepEqual([swap.cdb[0], swap.cdb[9], swap.cdb[13], swap.write?.length], [0x89, 9, 1, 1024]);
});

test('fixed and descriptor sense mean the same', () => {
  const fixed = (key: number, asc: number, ascq: number) =>
    Uint8Array.from([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0]);
  const described = (key: number, asc: number, ascq: number) =>
    Uint8Array.from([0x72, key, asc, ascq, 0, 0, 0, 0]);
  const cases = [
    [2, 0x04, 0x0c, 'pathFailed'],
    [2, 0x04, 0x0a, 'busy'],
    [6, 0x29, 0x00, 'again'],
    [0xb, 0x00, 0x00, 'busy'],
    [0xe, 0x1d, 0x00, 'miscompare'],
    [3, 0x11, 0x00, 'failed'],
    [5, 0x25, 0x00, 'pathFailed'],
    [5, 0x20, 0x00, 'failed'],
  ] as const;
  const data = new Uint8Array(0);
  for (const [key, asc, ascq, verdict] of cases)
    for (const make of [fixed, described])
      assert.equal(verdictOf({ status: 2, sense: make(key, asc, ascq), data }), verdict);
  assert.equal(describe({ status: 2, sense: fixed(2, 4, 12), data }), 'CHECK CONDITION, sense 2/04/0c');
});
