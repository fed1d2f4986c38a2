/** What every Disk promises (src/ports/disk.ts). `open` makes a fresh, writable, sparse disk of DISK_LENGTH bytes. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { copyTo } from '../../src/base/segments.ts';
import type { Disk } from '../../src/ports/disk.ts';
import { expectOk } from './block-device.ts';

export const DISK_LENGTH = 4 * 1024 * 1024;

export async function readBytes(disk: Disk, offset: number, length: number): Promise<Uint8Array> {
  const loan = await expectOk(disk.read(offset, length));
  const copy = new Uint8Array(length);
  copyTo(loan.segments, copy, 0);
  loan.release();
  return copy;
}

export function diskContract(name: string, open: () => Promise<Disk>): void {
  const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

  test(`${name}: reads what was written at any offset; what never was written is zero`, async () => {
    const disk = await open();
    for (const [offset, length] of [
      [0, 1],
      [511, 2],
      [4095, 4098],
      [DISK_LENGTH - 7, 7],
      [70_000, 1_500_000],
    ] as const) {
      await expectOk(disk.write(offset, [filled(length, 3)]));
      assert.deepEqual(await readBytes(disk, offset, length), filled(length, 3));
    }
    assert.deepEqual(await readBytes(disk, 20_000, 5000), filled(5000, 0));
    await disk.close();
  });

  test(`${name}: writes of one moment, adjoining or not, all arrive, in thousands of segments too`, async () => {
    const disk = await open();
    const many = Array.from({ length: 3000 }, (_, i) => filled(7, i % 256));
    const writes = [disk.write(2_000_000, many)];
    for (let i = 0; i < 200; i++) writes.push(disk.write(i * 4096, [filled(2048, i), filled(2048, i)]));
    for (let i = 0; i < 20; i++) writes.push(disk.write(3_000_000 + i * 8192, [filled(4096, i)]));
    await Promise.all(writes.map(async (write) => expectOk(write)));
    for (let i = 0; i < 200; i++) assert.deepEqual(await readBytes(disk, i * 4096, 4096), filled(4096, i));
    for (let i = 0; i < 20; i++)
      assert.deepEqual(await readBytes(disk, 3_000_000 + i * 8192, 4096), filled(4096, i));
    const content = await readBytes(disk, 2_000_000, 21_000);
    assert.ok(content.every((byte, i) => byte === Math.floor(i / 7) % 256));
    await disk.close();
  });

  test(`${name}: a punched range reads as zeros and is a hole; its neighbours stay`, async () => {
    const disk = await open();
    const granule = disk.punchGranularity;
    assert.ok(granule > 0);
    await expectOk(disk.write(0, [filled(granule * 4, 9)]));
    await expectOk(disk.punch(granule, granule * 2));
    await expectOk(disk.flush());
    assert.deepEqual(await readBytes(disk, granule - 1, 2), new Uint8Array([9, 0]));
    assert.deepEqual(await readBytes(disk, granule * 3 - 1, 2), new Uint8Array([0, 9]));
    assert.deepEqual(await expectOk(disk.extentAt(0)), { data: true, end: granule });
    assert.deepEqual(await expectOk(disk.extentAt(granule)), { data: false, end: granule * 3 });
    assert.deepEqual(await expectOk(disk.extentAt(granule * 4)), { data: false, end: DISK_LENGTH });
    await disk.close();
  });

  test(`${name}: lent bytes do not change`, async () => {
    const disk = await open();
    await expectOk(disk.write(0, [filled(8192, 1)]));
    const loan = await expectOk(disk.read(0, 8192));
    await expectOk(disk.write(0, [filled(8192, 2)]));
    const second = await expectOk(disk.read(0, 8192));
    assert.ok(loan.segments.every((segment) => segment.every((byte) => byte === 1)));
    assert.ok(second.segments.every((segment) => segment.every((byte) => byte === 2)));
    loan.release();
    second.release();
    await disk.close();
  });
}
