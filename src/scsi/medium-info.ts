/** GET LBA STATUS (SBC-3 §5.4) and READ DEFECT DATA (10), (12) (SBC-3 §5.17, §5.18): what the medium is like. */

import { isAsync, type Result } from '../base/result.ts';
import type { DeviceFault, MappedExtent } from '../ports/block-device.ts';
import { lbaOf } from './blocks.ts';
import type { Command, Outcome } from './command.ts';
import { setU32, setU64, u16, u32 } from './fields.ts';
import { deviceFault, goodWith, refuse } from './outcome.ts';
import type { Fault } from './sense.ts';

/** PROVISIONING STATUS. */
const MAPPED = 0;
const DEALLOCATED = 1;

const HEADER_LENGTH = 8;
const DESCRIPTOR_LENGTH = 16;
/** Runs that one command looks for. */
const RUNS_MAX = 256;
const RUN_BLOCKS_MAX = 0xffff_ffff;

const GET_LBA_STATUS: Command = {
  name: 'GET LBA STATUS',
  opcode: 0x9e,
  serviceAction: 0x12,
  usage: [0x9e, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
  access: 'read',
  execute({ cdb, unit }) {
    const lba = lbaOf(cdb, 16);
    const { blockCount } = unit.device.geometry;
    if (lba >= blockCount) return refuse('lbaOutOfRange');
    const allocationLength = u32(cdb, 10);
    const room = Math.floor((allocationLength - HEADER_LENGTH) / DESCRIPTOR_LENGTH);
    const runsMax = Math.min(Math.max(room, 1), RUNS_MAX);
    const blocks = Math.min(blockCount - lba, RUN_BLOCKS_MAX);
    const result = unit.device.mapping(lba, blocks, runsMax);
    const answer = (runs: Result<readonly MappedExtent[], DeviceFault>): Result<Outcome, Fault> =>
      runs.ok ? goodWith(lbaStatus(runs.value), allocationLength) : deviceFault(runs.fault);
    return isAsync(result) ? result.then(answer) : answer(result);
  },
};

function lbaStatus(runs: readonly MappedExtent[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + DESCRIPTOR_LENGTH * runs.length);
  setU32(bytes, 0, bytes.length - 4);
  runs.forEach((run, i) => {
    const at = HEADER_LENGTH + DESCRIPTOR_LENGTH * i;
    setU64(bytes, at, run.lba);
    setU32(bytes, at + 8, run.blocks);
    bytes[at + 12] = run.mapped ? MAPPED : DEALLOCATED;
  });
  return bytes;
}

/** PLIST, GLIST and DEFECT LIST FORMAT, echoed: the lists asked for are here, in the format asked for, and empty. */
const LISTS_MASK = 0x1f;

const READ_DEFECT_DATA_10: Command = {
  name: 'READ DEFECT DATA (10)',
  opcode: 0x37,
  usage: [0x37, 0x00, LISTS_MASK, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0x00],
  access: 'read',
  execute: ({ cdb }) => goodWith(Uint8Array.of(0, cdb[2]!, 0, 0), u16(cdb, 7)),
};

const READ_DEFECT_DATA_12: Command = {
  name: 'READ DEFECT DATA (12)',
  opcode: 0xb7,
  usage: [0xb7, LISTS_MASK, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
  access: 'read',
  execute: ({ cdb }) => goodWith(Uint8Array.of(0, cdb[1]!, 0, 0, 0, 0, 0, 0), u32(cdb, 6)),
};

export const MEDIUM_INFO_COMMANDS: readonly Command[] = [
  GET_LBA_STATUS,
  READ_DEFECT_DATA_10,
  READ_DEFECT_DATA_12,
];
