// Goal: every store keeps the promises of the BlockDevice port. Method: one suite, run against each of them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { createCache, MEMORY_MIN } from '../../src/cache/cache.ts';
import type { BlockDevice, BlockLength } from '../../src/ports/block-device.ts';
import type { Disk } from '../../src/ports/disk.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openFileDisk } from '../../src/runtime/file-disk.ts';
import { openFlatStore } from '../../src/store/flat-store.ts';
import { createRamStore } from '../../src/store/ram-store.ts';
import { BLOCK_COUNT, blockDeviceContract, expectOk } from './block-device.ts';
import { MemoryDisk } from './memory-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-store-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

async function flatOver(disk: Disk, blockLength: BlockLength): Promise<BlockDevice> {
  return await expectOk(openFlatStore({ disk, blockLength, writeCache: 'back' }));
}

for (const blockLength of [512, 4096] as const) {
  blockDeviceContract({
    name: `RAM, ${blockLength}`,
    blockLength,
    open: () => Promise.resolve(createRamStore({ blockLength, blockCount: BLOCK_COUNT })),
  });
  blockDeviceContract({
    name: `flat over a file, ${blockLength}`,
    blockLength,
    open: async () => {
      const create = { length: BLOCK_COUNT * blockLength, allocation: 'sparse' } as const;
      const path = join(folder, `${(files += 1)}.img`);
      return await flatOver(await expectOk(openFileDisk(path, { readOnly: false, create })), blockLength);
    },
  });
  blockDeviceContract({
    name: `flat over a disk that answers out of order, ${blockLength}`,
    blockLength,
    open: async () => {
      const disk = new MemoryDisk(BLOCK_COUNT * blockLength);
      let turns = 0;
      disk.delay = () => (turns = (turns * 5 + 3) % 7);
      return await flatOver(disk, blockLength);
    },
  });
  // So small that most of the device has no place in it.
  for (const mode of ['back', 'through', 'none'] as const) {
    const cached = (below: BlockDevice): BlockDevice =>
      createCache({ below, clock: systemClock, mode, memory: MEMORY_MIN });
    blockDeviceContract({
      name: `cache (${mode}) over RAM, ${blockLength}`,
      blockLength,
      open: () => Promise.resolve(cached(createRamStore({ blockLength, blockCount: BLOCK_COUNT }))),
    });
    blockDeviceContract({
      name: `cache (${mode}) over flat, disk answers out of order, ${blockLength}`,
      blockLength,
      open: async () => {
        const disk = new MemoryDisk(BLOCK_COUNT * blockLength);
        let turns = 0;
        disk.delay = () => (turns = (turns * 5 + 3) % 7);
        return cached(await flatOver(disk, blockLength));
      },
    });
  }
}
