/**
 * WRITE USING TOKEN (SBC-3): copies what a token stands for to ranges of the unit, in chunks and in order, so that
 * TRANSFER COUNT says how far it came when it fails. After each read it is looked whether the token still holds: what
 * was read is written only then.
 */

import { assert } from '../../base/assert.ts';
import { fail, type Result } from '../../base/result.ts';
import type { Extent } from '../../ports/block-device.ts';
import type { Task } from '../../ports/scsi-target.ts';
import type { Command, Outcome, Request } from '../command.ts';
import { begin } from '../execution.ts';
import { joined, u32 } from '../fields.ts';
import { GOOD } from '../outcome.ts';
import { createPace, type Pace } from '../pace.ts';
import { type Fault, fault, invalidParameter, type SenseReason } from '../sense.ts';
import { type CopyEnd, openEnd } from './ends.ts';
import { CHUNK_BYTES, UNMAP_CHUNK_BYTES } from './limits.ts';
import { WRITE_USING_TOKEN } from './populate-token.ts';
import { unitDesignators } from '../device-identification.ts';
import { creatorOf, hasTokenLength, RodType, rodTypeOf } from './token-format.ts';
import { decodeWriteList, WRITE_HEADER_LENGTH, type WriteList } from './token-lists.ts';
import { beginTokenOperation, endTokenOperation, type TokenOperation } from './token-operations.ts';
import type { Token, Tokens } from './tokens.ts';
import { transfer } from './transfer.ts';

/** Where the data comes from; undefined: zeros. */
interface Source {
  readonly token: Token;
  readonly tokens: Tokens;
  readonly end: CopyEnd;
}

export async function writeUsingToken(request: Request): Promise<Result<Outcome, Fault>> {
  const bytes = joined(request.dataOut);
  if (bytes.length < WRITE_HEADER_LENGTH)
    return bytes.length === 0 ? GOOD : fail(fault('parameterListLengthError'));
  const decoded = decodeWriteList(bytes, request.unit.device.geometry);
  if (!decoded.ok) return decoded;
  const list = decoded.value;
  const source = openSource(request, list.token);
  if (typeof source === 'string') return fail(fault(source));
  const wrong = source && rangeFault(request, list, source);
  if (wrong !== undefined) return fail(wrong);
  const { immediate } = list;
  const operation = beginTokenOperation(request.link, u32(request.cdb, 6), WRITE_USING_TOKEN, immediate);
  if (typeof operation === 'string') return fail(fault(operation));
  source?.tokens.use(source.token);
  const perform = (by: Request): Promise<Result<Outcome, Fault>> => copy(by, list, source, operation);
  const given = (): void => {
    source?.tokens.used(source.token, list.deletesToken);
    if (operation.status.startsWith('in')) endTokenOperation(operation, undefined, true);
  };
  if (!immediate) {
    const result = await perform(request);
    given();
    return result;
  }
  inBackground(request, perform, given);
  return GOOD;
}

function openSource(request: Request, bytes: Uint8Array): Source | undefined | SenseReason {
  if (!hasTokenLength(bytes)) return 'tokenLengthInvalid';
  if (rodTypeOf(bytes) === RodType.BLOCK_ZERO) return undefined;
  if (rodTypeOf(bytes) !== RodType.CHANGE_VULNERABLE) return 'tokenTypeUnsupported';
  const creator = request.nexus.port.findUnit(creatorOf(bytes));
  if (creator?.tokens === undefined) return 'tokenRemote';
  const token = creator.tokens.find(bytes);
  if (typeof token === 'string') return token;
  const end = openEnd(request, unitDesignators(creator)[0]!);
  if (end === undefined) return 'copyTargetDeviceNotReachable';
  return { token, tokens: creator.tokens, end: whileTokenHolds(end, token) };
}

/** The end as the token lets it be used: what was read while the data changed is not given out. */
function whileTokenHolds(end: CopyEnd, token: Token): CopyEnd {
  return {
    unit: end.unit,
    device: end.device,
    async use(access, action) {
      if (token.ended !== undefined) return token.ended;
      const result = await end.use(access, action);
      return result === 'done' && token.ended !== undefined ? token.ended : result;
    },
  };
}

/** The token holds enough data from the offset on, in whole blocks of its unit. */
function rangeFault(request: Request, list: WriteList, { token, end }: Source): Fault | undefined {
  const { blockLength } = request.unit.device.geometry;
  const held = token.blocks * end.device.geometry.blockLength;
  if (list.offset * blockLength > held) return invalidParameter(8);
  return (list.offset + list.blocks) * blockLength > held ? invalidParameter(534) : undefined;
}

async function copy(
  request: Request,
  list: WriteList,
  source: Source | undefined,
  operation: TokenOperation,
): Promise<Result<Outcome, Fault>> {
  const destination = openEnd(request, unitDesignators(request.unit)[0]!);
  assert(destination !== undefined && destination.unit === request.unit, 'a unit is found by its own name');
  const pace = createPace(request.unit.clock);
  let failed: SenseReason | undefined;
  let offset = list.offset;
  for (const extent of list.extents) {
    const work = { destination, extent, operation, pace };
    const result = source === undefined ? await writeZeros(work) : await copyExtent(work, source, offset);
    if (result !== 'done') {
      failed = result;
      break;
    }
    offset += extent.blocks;
  }
  const cause = failed === undefined ? undefined : fault(failed);
  endTokenOperation(operation, cause, request.aborted);
  return cause === undefined ? GOOD : fail(cause);
}

interface Work {
  readonly destination: CopyEnd;
  readonly extent: Extent;
  readonly operation: TokenOperation;
  readonly pace: Pace;
}

function moved({ destination, operation }: Work, bytes: number): void {
  operation.transferCount += bytes / destination.device.geometry.blockLength;
  operation.operations += 1;
}

/** From `offset` blocks into the token on, which may be in several of its extents. */
async function copyExtent(work: Work, { token, end }: Source, offset: number): Promise<'done' | SenseReason> {
  const { blockLength } = work.destination.device.geometry;
  const sourceBlock = end.device.geometry.blockLength;
  let skip = offset * blockLength;
  let to = work.extent.lba * blockLength;
  let left = work.extent.blocks * blockLength;
  for (const part of token.extents) {
    const size = part.blocks * sourceBlock;
    const length = Math.min(left, size - skip);
    if (length <= 0) {
      skip -= size;
      continue;
    }
    const from = { end, start: part.lba * sourceBlock + skip };
    const result = await transfer(from, { end: work.destination, start: to }, length, {
      pace: work.pace,
      inOrder: true,
      moved: (bytes) => moved(work, bytes),
    });
    if (result !== 'done') return result;
    to += length;
    left -= length;
    skip = 0;
    if (left === 0) break;
  }
  assert(left === 0, 'a token holds what was planned');
  return 'done';
}

/** The zero token: unmapped where that means zeros. */
async function writeZeros(work: Work): Promise<'done' | SenseReason> {
  const { destination, extent, pace } = work;
  const { blockLength, thin } = destination.device.geometry;
  const step = (thin ? UNMAP_CHUNK_BYTES : CHUNK_BYTES) / blockLength;
  const zeros = new Uint8Array(blockLength);
  for (let done = 0; done < extent.blocks; done += step) {
    const lba = extent.lba + done;
    const blocks = Math.min(step, extent.blocks - done);
    const result = await destination.use('write', (device, ticket) =>
      thin
        ? device.unmap([{ lba, blocks }], 'cached', ticket)
        : device.writeSame(lba, blocks, zeros, 'cached', ticket),
    );
    if (result !== 'done') return result;
    moved(work, blocks * blockLength);
    await pace.worked(blocks * blockLength);
  }
  return 'done';
}

const NO_CDB = new Uint8Array(16);
/** No transport uses it, so no ABORT TASK means a copy in the background; wider task management does. */
const NO_TAG = -1;

/** IMMED: the copy becomes a task of its own, of which the transport knows nothing. */
function inBackground(
  { link, task, command }: Request,
  perform: (by: Request) => Promise<Result<Outcome, Fault>>,
  ended: () => void,
): void {
  const background: Command = {
    name: command.name,
    opcode: command.opcode,
    serviceAction: WRITE_USING_TOKEN,
    usage: [],
    access: command.access,
    beforeUnitAttention: true,
    writesMedium: true,
    execute: perform,
  };
  const own: Task = {
    lunHigh: task.lunHigh,
    lunLow: task.lunLow,
    tag: NO_TAG,
    attribute: 'simple',
    cdb: NO_CDB,
    arrivedAt: task.arrivedAt,
    dataOutBufferLength: 0,
    dataInBufferLength: 0,
    server: undefined,
    receiveDataOut: () => undefined,
    complete: ended,
    abandoned: ended,
  };
  begin(link, own, background);
}
