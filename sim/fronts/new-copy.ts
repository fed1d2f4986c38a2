/** What lies on the disks of a simulated node when its device is new. */

import type { Prng } from '../../src/base/prng.ts';
import { NO_UUID } from '../../src/base/uuid.ts';
import type { Configuration } from '../../src/cluster/configuration.ts';
import { encodeSuperblock, SUPERBLOCK_LENGTH } from '../../src/cluster/superblock-format.ts';
import { encodeBlocks } from '../../src/judge/block-codec.ts';
import type { SectorPart } from '../disk-port.ts';
import { SECTOR_LENGTH } from '../medium.ts';
import { BLOCK_LENGTH, DEVICE, DEVICE_BLOCKS, NEW_BLOCKS, newLbaOf } from './mirror-layout.ts';
import type { MirrorSite } from './mirror-site.ts';

/** Nobody has written it. */
const OLD_VALUE = 2 ** 40;

export function newRecords(
  node: number,
  first: Configuration,
  { policy, journal }: MirrorSite,
): Map<number, SectorPart> {
  const superblock = encodeSuperblock({
    sequence: 1,
    attachmentLength: 0,
    attachmentChecksum: 0,
    superblock: {
      device: DEVICE,
      node,
      copy: NO_UUID.replace(/0$/, 'c'),
      promisedTerm: first.term,
      accepted: first,
      bound: first.members,
      installedTerm: first.term,
      copyTerm: first.term,
      copySequence: 1,
      dataState: 'inSync',
      hasCopy: true,
      shutdown: 'inOrder',
      writePolicy: policy,
      journal: { strategy: journal, isTrusted: true },
      blockLength: BLOCK_LENGTH,
      blockCount: DEVICE_BLOCKS,
      history: [],
    },
  });
  const content = new Map<number, SectorPart>();
  for (let sector = 0; sector < SUPERBLOCK_LENGTH / SECTOR_LENGTH; sector++)
    content.set(sector, {
      at: 0,
      bytes: superblock.slice(sector * SECTOR_LENGTH, (sector + 1) * SECTOR_LENGTH),
    });
  return content;
}

/** A medium that is longer than the device has something else behind its end. */
export function leftovers(random: Prng): Map<number, SectorPart> {
  const content = new Map<number, SectorPart>();
  for (let index = 0; index < NEW_BLOCKS; index++)
    if (random.chance(0.7))
      content.set(newLbaOf(index), { at: 0, bytes: encodeBlocks([OLD_VALUE + index], BLOCK_LENGTH) });
  return content;
}
