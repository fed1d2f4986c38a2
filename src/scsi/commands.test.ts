/**
 * Goal: every row of the command table keeps the rules that all commands share. Method: one test per rule, over all
 * rows, through a whole target device over the RAM store.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRamStore } from '../store/ram-store.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './command-table.ts';
import { Client, pointed, readyClient, said, targetOver, unitOver } from './testing/client.ts';

const BLOCKS = 1024;

function ram(blockLength: 512 | 4096 = 512, readOnly = false) {
  return createRamStore({ blockLength, blockCount: BLOCKS, readOnly });
}

/** A CDB of the row with its service action and otherwise zeros. */
function bare(row: Command): number[] {
  const cdb = Array.from({ length: 16 }, () => 0);
  cdb[0] = row.opcode;
  if (row.serviceAction !== undefined) cdb[1] = row.serviceAction;
  return cdb;
}

/** Rows that need a parameter list or another state to get that far are tested by their own files. */
describe('every command', () => {
  for (const row of COMMANDS) {
    test(`${row.name}: a reserved bit is INVALID FIELD IN CDB with its place`, async () => {
      const unit = unitOver(ram(), { removable: true });
      const client = await readyClient(targetOver(unit));
      for (let byte = 1; byte < row.usage.length; byte += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          const evaluated = (row.usage[byte]! >>> bit) & 1;
          if (evaluated === 1 || (byte === 1 && row.serviceAction !== undefined && bit < 5)) continue;
          const cdb = bare(row);
          cdb[byte]! |= 1 << bit;
          const ending = await client.run(cdb);
          assert.equal(said(ending), '5/24/00', `byte ${byte} bit ${bit}`);
          assert.equal(pointed(ending), `cdb ${byte}.${bit}`);
        }
      }
    });
  }

  test('reports the unit attention first, except the few that do not', async () => {
    for (const row of COMMANDS) {
      const client = new Client(targetOver(unitOver(ram(), { removable: true })));
      const ending = await client.run(bare(row));
      if (row.beforeUnitAttention === undefined) assert.equal(said(ending), '6/29/00', row.name);
      else assert.notEqual(said(ending), '6/29/00', row.name);
    }
  });

  test('that writes is refused on a read-only device', async () => {
    const client = await readyClient(targetOver(unitOver(ram(512, true))));
    const refused = COMMANDS.filter((row) => row.writesMedium !== undefined);
    assert.ok(refused.length >= 14);
    for (const row of refused) assert.equal(said(await client.run(bare(row))), '7/27/00', row.name);
  });

  test('of the medium says that there is none once it is ejected', async () => {
    const client = await readyClient(targetOver(unitOver(ram(), { removable: true })));
    assert.equal(said(await client.run([0x1b, 0, 0, 0, 2, 0])), 'good');
    for (const row of COMMANDS) {
      if (row.whileNotReady === undefined) {
        assert.equal(said(await client.run(bare(row))), '2/3a/00', row.name);
      }
    }
  });

  test('that is not in the table is an invalid operation code; a service action that is not, a wrong field', async () => {
    const client = await readyClient(targetOver(unitOver(ram())));
    assert.equal(said(await client.run([0xff])), '5/20/00');
    const ending = await client.run([0x9e, 0x1f]);
    assert.equal(said(ending), '5/24/00');
    assert.equal(pointed(ending), 'cdb 1.4');
  });

  test('for a LUN that is not there says so; INQUIRY, REPORT LUNS and REQUEST SENSE answer', async () => {
    const client = await readyClient(targetOver(unitOver(ram())));
    assert.equal(said(await client.run([0], { lun: 5 })), '5/25/00');
    assert.equal(said(await client.run([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64], { lun: 5 })), '5/25/00');
    const inquiry = await client.run([0x12, 0, 0, 0, 96], { lun: 5 });
    assert.equal(inquiry.data[0], 0x7f);
    const sense = await client.run([0x03, 0, 0, 0, 18], { lun: 5 });
    assert.equal(said(sense), 'good');
    assert.deepEqual([...sense.data.subarray(2, 3), ...sense.data.subarray(12, 14)], [5, 0x25, 0]);
  });
});

/** Every way to name LBA and length. */
const RANGED: readonly (readonly [name: string, cdb: (lba: number, blocks: number) => number[]])[] = [
  ...[0x28, 0x2a, 0x2e, 0x2f, 0x34, 0x35].map(
    (opcode) => [opcode.toString(16), (lba: number, n: number) => cdb10(opcode, lba, n)] as const,
  ),
  ...[0xa8, 0xaa, 0xae, 0xaf].map(
    (opcode) => [opcode.toString(16), (lba: number, n: number) => cdb12(opcode, lba, n)] as const,
  ),
  ...[0x88, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91].map(
    (opcode) => [opcode.toString(16), (lba: number, n: number) => cdb16(opcode, lba, n)] as const,
  ),
];

function be(value: number, length: number): number[] {
  return Array.from({ length }, (_, i) => Math.floor(value / 256 ** (length - 1 - i)) % 256);
}

function cdb10(opcode: number, lba: number, blocks: number): number[] {
  return [opcode, 0, ...be(lba, 4), 0, ...be(blocks, 2), 0];
}

function cdb12(opcode: number, lba: number, blocks: number): number[] {
  return [opcode, 0, ...be(lba, 4), ...be(blocks, 4), 0, 0];
}

function cdb16(opcode: number, lba: number, blocks: number): number[] {
  return [opcode, 0, ...be(lba, 8), ...be(blocks, 4), 0, 0];
}

describe('the range of a command', () => {
  for (const [name, cdb] of RANGED) {
    test(`${name}h ends at the capacity; nothing at the very end is no error`, async () => {
      const client = await readyClient(targetOver(unitOver(ram())));
      const block = new Uint8Array(512);
      assert.equal(said(await client.run(cdb(BLOCKS, 0))), 'good');
      assert.equal(said(await client.run(cdb(BLOCKS - 1, 1), { dataOut: block })), 'good');
      for (const [lba, blocks] of [
        [BLOCKS, 1],
        [BLOCKS + 1, 0],
        [BLOCKS - 1, 2],
        [0xffffffff, 1],
      ] as const) {
        assert.equal(
          said(await client.run(cdb(lba, blocks), { dataOut: block })),
          '5/21/00',
          `${lba}+${blocks}`,
        );
      }
    });
  }

  test('of 64-bit LBAs beyond 2^53 is out of range', async () => {
    const client = await readyClient(targetOver(unitOver(ram())));
    for (const opcode of [0x88, 0x8a, 0x8f]) {
      const top = [opcode, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0];
      assert.equal(said(await client.run(top)), '5/21/00');
    }
  });

  test('is limited to MAXIMUM TRANSFER LENGTH', async () => {
    const unit = unitOver(createRamStore({ blockLength: 4096, blockCount: 1 << 20 }));
    const client = await readyClient(targetOver(unit));
    const limits = await client.run([0x12, 1, 0xb0, 0, 255]);
    const most = new DataView(limits.data.buffer).getUint32(8);
    assert.equal(most, 4096);
    const ending = await client.run(cdb16(0x88, 0, most + 1));
    assert.equal(said(ending), '5/24/00');
    assert.equal(pointed(ending), 'cdb 10');
  });
});

for (const blockLength of [512, 4096] as const) {
  describe(`reading and writing blocks of ${blockLength} bytes`, () => {
    const data = (blocks: number, seed: number): Uint8Array =>
      Uint8Array.from({ length: blocks * blockLength }, (_, i) => (i * 7 + seed + (i >>> 9)) & 0xff);

    test('what is written in any form is read in any form', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      const writes = [
        [0x0a, 0, 0, 8, 3, 0],
        cdb10(0x2a, 8, 3),
        cdb12(0xaa, 8, 3),
        cdb16(0x8a, 8, 3),
        cdb10(0x2e, 8, 3),
        cdb12(0xae, 8, 3),
        cdb16(0x8e, 8, 3),
      ];
      const reads = [[0x08, 0, 0, 8, 3, 0], cdb10(0x28, 8, 3), cdb12(0xa8, 8, 3), cdb16(0x88, 8, 3)];
      for (const [seed, cdb] of writes.entries()) {
        const dataOut = data(3, seed);
        assert.equal(said(await client.run(cdb, { dataOut })), 'good');
        for (const readCdb of reads) assert.deepEqual((await client.run(readCdb)).data, dataOut);
      }
    });

    test('READ (6) of zero blocks means 256', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      assert.equal((await client.run([0x08, 0, 0, 0, 0, 0])).data.length, 256 * blockLength);
    });

    test('fewer whole blocks than the CDB says are written; a part of a block is not', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      await client.run(cdb10(0x2a, 0, 2), { dataOut: data(2, 1) });
      assert.equal(said(await client.run(cdb10(0x2a, 0, 2), { dataOut: data(1, 9) })), 'good');
      assert.equal(
        said(await client.run(cdb10(0x2a, 0, 1), { dataOut: data(1, 5).subarray(0, 200) })),
        '5/0e/03',
      );
      assert.equal(said(await client.run(cdb10(0x2a, 0, 1))), 'good');
      const now = (await client.run(cdb10(0x28, 0, 2))).data;
      assert.deepEqual(now.subarray(0, blockLength), data(1, 9));
      assert.deepEqual(now.subarray(blockLength), data(2, 1).subarray(blockLength));
    });

    test('VERIFY compares with all, with one block, or with nothing', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      const dataOut = data(4, 3);
      await client.run(cdb10(0x2a, 0, 4), { dataOut });
      const verify = (bytchk: number, blocks: number): number[] => {
        const cdb = cdb10(0x2f, 0, blocks);
        cdb[1] = bytchk << 1;
        return cdb;
      };
      assert.equal(said(await client.run(verify(0, 4))), 'good');
      assert.equal(said(await client.run(verify(1, 4), { dataOut })), 'good');
      const wrong = dataOut.slice();
      wrong[blockLength + 17]! ^= 1;
      const ending = await client.run(verify(1, 4), { dataOut: wrong });
      assert.equal(said(ending), 'e/1d/00');
      assert.equal(ending.sense![0], 0xf0);
      assert.equal(new DataView(ending.sense!.buffer).getUint32(3), blockLength + 17);
      assert.equal(said(await client.run(verify(2, 1))), '5/24/00');
      const block = data(1, 8);
      await client.run([0x41, 0, 0, 0, 0, 0, 0, 0, 4, 0], { dataOut: block });
      assert.equal(said(await client.run(verify(3, 4), { dataOut: block })), 'good');
      assert.equal(
        said(await client.run(verify(3, 4), { dataOut: wrong.subarray(0, blockLength) })),
        'e/1d/00',
      );
    });

    test('COMPARE AND WRITE writes when equal and says where it differs', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      const [before, after] = [data(2, 1), data(2, 2)];
      await client.run(cdb10(0x2a, 4, 2), { dataOut: before });
      const cdb = [0x89, 0, ...be(4, 8), 0, 0, 0, 2, 0, 0];
      const both = (first: Uint8Array, second: Uint8Array): Uint8Array =>
        Uint8Array.from([...first, ...second]);
      assert.equal(said(await client.run(cdb, { dataOut: both(before, after) })), 'good');
      const wrong = after.slice();
      wrong[blockLength + 3]! ^= 0x40;
      const ending = await client.run(cdb, { dataOut: both(wrong, before) });
      assert.equal(said(ending), 'e/1d/00');
      assert.equal(new DataView(ending.sense!.buffer).getUint32(3), blockLength + 3);
      assert.deepEqual((await client.run(cdb10(0x28, 4, 2))).data, after);
      // Sizes that do not agree with the CDB, on either side.
      assert.equal(said(await client.run(cdb, { dataOut: data(3, 1) })), '5/0e/03');
      assert.equal(pointed(await client.run(cdb, { dataOut: data(5, 1) })), 'cdb 13');
      const tooMany = [0x89, 0, ...be(4, 8), 0, 0, 0, 129, 0, 0];
      assert.equal(pointed(await client.run(tooMany)), 'cdb 13');
    });

    test('ORWRITE sets bits and clears none', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      const [before, mask] = [data(700, 1), data(700, 2)];
      await client.run(cdb16(0x8a, 0, 700), { dataOut: before });
      assert.equal(said(await client.run(cdb16(0x8b, 0, 700), { dataOut: mask })), 'good');
      const now = (await client.run(cdb16(0x88, 0, 700))).data;
      assert.ok(now.every((byte, i) => byte === (before[i]! | mask[i]!)));
    });

    test('WRITE SAME spreads a block, UNMAP and WRITE SAME with UNMAP make holes', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      const block = data(1, 6);
      assert.equal(said(await client.run(cdb16(0x93, 0, 512), { dataOut: block })), 'good');
      const read = (await client.run(cdb16(0x88, 0, 512))).data;
      for (let i = 0; i < 512; i += 1)
        assert.deepEqual(read.subarray(i * blockLength, (i + 1) * blockLength), block);
      const unmap = [0, 22, 0, 16, 0, 0, 0, 0, ...be(0, 8), ...be(256, 4), 0, 0, 0, 0];
      assert.equal(
        said(await client.run([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], { dataOut: Uint8Array.from(unmap) })),
        'good',
      );
      const zero = cdb16(0x93, 256, 128);
      zero[1] = 0x08 | 0x01; // UNMAP, NDOB
      assert.equal(said(await client.run(zero)), 'good');
      const status = await client.run([0x9e, 0x12, ...be(0, 8), ...be(56, 4), 0, 0]);
      const view = new DataView(status.data.buffer);
      assert.deepEqual([view.getUint32(16), status.data[20]], [384, 1]);
      assert.deepEqual([view.getUint32(28), view.getUint32(32) > 0, status.data[36]], [384, true, 0]);
      const holes = (await client.run(cdb16(0x88, 0, 384))).data;
      assert.ok(holes.every((byte) => byte === 0));
    });

    test('WRITE SAME refuses nothing, too much and data of another size', async () => {
      const client = await readyClient(targetOver(unitOver(ram(blockLength))));
      assert.equal(pointed(await client.run(cdb16(0x93, 0, 0))), 'cdb 10');
      assert.equal(pointed(await client.run(cdb16(0x93, 0, 0x40_0000))), 'cdb 10');
      assert.equal(said(await client.run(cdb16(0x93, 0, 1), { dataOut: data(2, 0) })), '5/0e/03');
      assert.equal(said(await client.run(cdb16(0x93, 0, 1), { dataOut: data(1, 0).subarray(1) })), '5/0e/03');
      assert.equal(said(await client.run(cdb16(0x93, BLOCKS, 1))), '5/21/00');
    });
  });
}

const unmap = (client: Client, list: readonly number[]) =>
  client.run([0x42, 0, 0, 0, 0, 0, 0, ...be(list.length, 2), 0], { dataOut: Uint8Array.from(list) });
const unmapList = (extents: readonly [number, number][]): number[] => [
  ...be(6 + 16 * extents.length, 2),
  ...be(16 * extents.length, 2),
  ...be(0, 4),
  ...extents.flatMap(([lba, n]) => [...be(lba, 8), ...be(n, 4), ...be(0, 4)]),
];

test('UNMAP: no list and no blocks are no error; half a list and too many descriptors are', async () => {
  const client = await readyClient(targetOver(unitOver(ram())));
  const told = async (list: readonly number[]) => said(await unmap(client, list));
  assert.equal(await told([]), 'good');
  assert.equal(await told(unmapList([])), 'good');
  assert.equal(await told(unmapList([[BLOCKS, 0]])), 'good');
  assert.equal(await told(unmapList([[BLOCKS + 1, 0]])), '5/21/00');
  assert.equal(await told(unmapList([[BLOCKS, 1]])), '5/21/00');
  assert.equal(await told([0, 1, 2]), '5/1a/00');
  assert.equal(await told(unmapList([[0, 1]]).slice(0, 12)), '5/1a/00');
  const many = Array.from({ length: 257 }, (): [number, number] => [0, 1]);
  assert.equal(await told(unmapList(many)), '5/26/00');
});

test('UNMAP of more blocks than page B0h promises is refused, however they are divided', async () => {
  const max = 2 ** 29 / 512;
  const client = await readyClient(
    targetOver(unitOver(createRamStore({ blockLength: 512, blockCount: 2 * max }))),
  );
  const page = (await client.run([0x12, 1, 0xb0, 0, 64, 0])).data;
  assert.deepEqual([...page.subarray(20, 24)], be(max, 4));
  const told = async (extents: readonly [number, number][]) => said(await unmap(client, unmapList(extents)));
  assert.equal(await told([[max, max]]), 'good');
  assert.equal(await told([[0, max + 1]]), '5/26/00');
  assert.equal(
    await told([
      [0, max],
      [max, 1],
    ]),
    '5/26/00',
  );
});

test('a device that is not thin has no UNMAP, promises none, and refuses WRITE SAME with UNMAP', async () => {
  const device = createRamStore({ blockLength: 512, blockCount: BLOCKS, thin: false });
  const client = await readyClient(targetOver(unitOver(device)));
  assert.equal(said(await client.run([0x42])), '5/20/00');
  const one = await client.run([0xa3, 0x0c, 1, 0x42, 0, 0, 0, 0, 0, 64]);
  assert.equal(one.data[1]! & 7, 1);
  const same = cdb16(0x93, 0, 1);
  same[1] = 8;
  assert.equal(pointed(await client.run(same)), 'cdb 1.3');
});
