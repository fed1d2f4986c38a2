/** READ CAPACITY (10) and (16) (SBC-3 §5.15, §5.16). */

import type { Command } from './command.ts';
import { setU32, setU64, u32 } from './fields.ts';
import { goodWith } from './outcome.ts';

const LAST_LBA_32 = 0xffff_ffff;

const READ_CAPACITY_10: Command = {
  name: 'READ CAPACITY (10)',
  opcode: 0x25,
  usage: [0x25, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  access: 'none',
  execute({ unit }) {
    const { blockCount, blockLength } = unit.device.geometry;
    const bytes = new Uint8Array(8);
    setU32(bytes, 0, Math.min(blockCount - 1, LAST_LBA_32));
    setU32(bytes, 4, blockLength);
    return goodWith(bytes, bytes.length);
  },
};

const READ_CAPACITY_16: Command = {
  name: 'READ CAPACITY (16)',
  opcode: 0x9e,
  serviceAction: 0x10,
  usage: [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
  access: 'none',
  execute({ unit, cdb }) {
    const { blockCount, blockLength, physicalBlockExponent, thin } = unit.device.geometry;
    const bytes = new Uint8Array(32);
    setU64(bytes, 0, blockCount - 1);
    setU32(bytes, 8, blockLength);
    bytes[13] = physicalBlockExponent; // LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT
    if (thin) bytes[14] = 0x80 | 0x40; // LBPME, LBPRZ; lowest aligned LBA 0
    return goodWith(bytes, u32(cdb, 10));
  },
};

export const CAPACITY_COMMANDS: readonly Command[] = [READ_CAPACITY_10, READ_CAPACITY_16];
