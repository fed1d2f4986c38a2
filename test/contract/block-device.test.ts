// Goal: every store keeps the promises of the BlockDevice port. Method: one suite, run against each of them.

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { MirrorDevice } from '../../src/engine/mirror/mirror-device.ts';
import { type Joined, joinNodes, together } from '../../src/engine/mirror/testing/joined-nodes.ts';
import { createCache, MEMORY_MIN } from '../../src/cache/cache.ts';
import type { BlockLength, GrowableDevice } from '../../src/ports/block-device.ts';
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

async function flatOver(disk: Disk, blockLength: BlockLength): Promise<GrowableDevice> {
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
    const how = mode === 'none' ? { memory: 0 } : { mode, memory: MEMORY_MIN };
    const cached = (below: GrowableDevice): GrowableDevice =>
      createCache({ below, clock: systemClock, ...how });
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

for (const blockLength of [512, 4096] as const) {
  // They come together once: that takes a second.
  let nodes: ReadonlyMap<number, Joined> | undefined;
  after(() => {
    for (const { node } of nodes?.values() ?? []) node.abandon();
  });
  blockDeviceContract({
    name: `a mirror of two, ${blockLength}`,
    blockLength,
    reorders: true,
    hasFixedWriteCache: true,
    open: async () => {
      nodes ??= await joinNodes({
        count: 2,
        blockCount: BLOCK_COUNT,
        blockLength,
        clock: systemClock,
        random: () => Math.random(),
        digest: (data) => data.reduce((hash, part) => hash.update(part), createHash('sha1')).digest('hex'),
      });
      await together(nodes, () => new Promise((resolve) => setTimeout(resolve, 20)));
      const { node, store } = nodes.get(1)!;
      const device = new MirrorDevice(store, systemClock);
      device.attach(node);
      await expectOk(device.unmap([{ lba: 0, blocks: BLOCK_COUNT }], 'durable'));
      return device;
    },
  });
}
