/** WRITE SAME (10), (16) (SBC-3 §5.40, §5.41) and UNMAP (SBC-3 §5.26): one command, many blocks. */

import { fail, isAsync, type MaybeAsync, ok, type Result } from '../base/result.ts';
import type { DeviceFault, Extent } from '../ports/block-device.ts';
import { blocksByte, blocksOf, blockUsage, lbaOf, PLAN_NOTHING, rangeFault } from './blocks.ts';
import type { Command, Request } from './command.ts';
import { joined, u16, u32, u64 } from './fields.ts';
import { unmapBlocksMax, UNMAP_DESCRIPTORS_MAX, writeSameBlocksMax } from './limits.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { GOOD, goodUnless, refuse } from './outcome.ts';
import { type Fault, invalidCdbField, invalidParameter } from './sense.ts';

const UNMAP_BIT = 0x08;
/** No data-out buffer: zeros are meant; WRITE SAME (16) only. */
const NDOB_BIT = 0x01;

function writeSame(opcode: number, length: 10 | 16): Command {
  const flags = length === 16 ? UNMAP_BIT | NDOB_BIT : UNMAP_BIT;
  return {
    name: `WRITE SAME (${length})`,
    opcode,
    usage: blockUsage(opcode, length, flags),
    access: 'write',
    writesMedium: true,
    plan: (request) => planWriteSame(request, length),
    execute(request) {
      const result = spread(request, length);
      return isAsync(result) ? result.then(goodUnless) : goodUnless(result);
    },
  };
}

function planWriteSame(request: Request, length: 10 | 16): Result<number, Fault> {
  const { cdb, task, unit } = request;
  const { geometry } = unit.device;
  const blocks = blocksOf(cdb, length);
  // WSNZ, and MAXIMUM WRITE SAME LENGTH.
  if (blocks === 0 || blocks > writeSameBlocksMax(geometry)) return fail(invalidCdbField(blocksByte(length)));
  if ((cdb[1]! & UNMAP_BIT) !== 0 && !geometry.thin) return fail(invalidCdbField(1, 3));
  const wrong = rangeFault(request, lbaOf(cdb, length), blocks);
  if (wrong !== undefined) return fail(wrong);
  if ((cdb[1]! & NDOB_BIT) !== 0) return PLAN_NOTHING;
  // One block is due; more says that the initiator means something else.
  if (task.dataOutBufferLength > geometry.blockLength) return refuse('invalidFieldInInformationUnit');
  return ok(geometry.blockLength);
}

function spread(request: Request, length: 10 | 16): MaybeAsync<Result<void, DeviceFault>> {
  const { cdb } = request;
  const { device } = request.unit;
  const lba = lbaOf(cdb, length);
  const blocks = blocksOf(cdb, length);
  const pattern =
    (cdb[1]! & NDOB_BIT) === 0 ? joined(request.dataOut) : new Uint8Array(device.geometry.blockLength);
  // Unmapped blocks read as zeros (LBPRZ), so only zeros may be unmapped (SBC-3 §4.7.3.4.4).
  const zeros = pattern.every((byte) => byte === 0);
  return (cdb[1]! & UNMAP_BIT) !== 0 && zeros
    ? device.unmap([{ lba, blocks }], 'cached', request)
    : device.writeSame(lba, blocks, pattern, 'cached', request);
}

const LIST_LENGTH_BYTE = 7;
const HEADER_LENGTH = 8;
const DESCRIPTOR_LENGTH = 16;

const UNMAP: Command = {
  name: 'UNMAP',
  opcode: 0x42,
  usage: [0x42, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1f, 0xff, 0xff, 0x00],
  access: 'write',
  writesMedium: true,
  isSupportedBy: (unit: LogicalUnit) => unit.device.geometry.thin,
  plan(request) {
    const listLength = u16(request.cdb, LIST_LENGTH_BYTE);
    if (listLength !== 0 && listLength < HEADER_LENGTH) return refuse('parameterListLengthError');
    return ok(listLength);
  },
  execute(request) {
    if (request.dataOut.length === 0) return GOOD;
    const extents = extentsOf(request, joined(request.dataOut));
    if (!extents.ok) return extents;
    if (extents.value.length === 0) return GOOD;
    const result = request.unit.device.unmap(extents.value, 'cached', request);
    return isAsync(result) ? result.then(goodUnless) : goodUnless(result);
  },
};

/** The extents of an UNMAP parameter list, empty ones left out; nothing is unmapped when one is wrong. */
function extentsOf(request: Request, list: Uint8Array): Result<readonly Extent[], Fault> {
  const descriptorsLength = u16(list, 2);
  if (HEADER_LENGTH + descriptorsLength > list.length) return refuse('parameterListLengthError');
  // An incomplete descriptor at the end is ignored (SBC-3 §5.26.2).
  const count = Math.floor(descriptorsLength / DESCRIPTOR_LENGTH);
  if (count > UNMAP_DESCRIPTORS_MAX) return fail(invalidParameter(2));
  const blocksMax = unmapBlocksMax(request.unit.device.geometry);
  const extents: Extent[] = [];
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    const at = HEADER_LENGTH + i * DESCRIPTOR_LENGTH;
    const lba = u64(list, at);
    const blocks = u32(list, at + 8);
    const wrong = rangeFault(request, lba, blocks);
    if (wrong !== undefined) return fail(wrong);
    total += blocks;
    if (total > blocksMax) return fail(invalidParameter(at + 8));
    if (blocks > 0) extents.push({ lba, blocks });
  }
  return ok(extents);
}

export const WRITE_SAME_COMMANDS: readonly Command[] = [writeSame(0x41, 10), writeSame(0x93, 16), UNMAP];
