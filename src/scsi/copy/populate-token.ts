/** POPULATE TOKEN (SBC-3): a token for blocks as they are now. Nothing is copied yet. */

import { assert } from '../../base/assert.ts';
import { fail, type Result } from '../../base/result.ts';
import type { Outcome, Request } from '../command.ts';
import { joined, u32 } from '../fields.ts';
import { GOOD } from '../outcome.ts';
import { type Fault, fault } from '../sense.ts';
import { decodePopulateList, POPULATE_HEADER_LENGTH } from './token-lists.ts';
import { beginTokenOperation, endTokenOperation } from './token-operations.ts';

export const POPULATE_TOKEN = 0x10;
export const WRITE_USING_TOKEN = 0x11;

export async function populateToken(request: Request): Promise<Result<Outcome, Fault>> {
  const { unit, link, cdb } = request;
  const { tokens } = unit;
  assert(tokens !== undefined, 'a unit without tokens has no such command');
  const bytes = joined(request.dataOut);
  if (bytes.length < POPULATE_HEADER_LENGTH)
    return bytes.length === 0 ? GOOD : fail(fault('parameterListLengthError'));
  const list = decodePopulateList(bytes, unit.device.geometry);
  if (!list.ok) return list;
  const operation = beginTokenOperation(link, u32(cdb, 6), POPULATE_TOKEN, false);
  if (typeof operation === 'string') return fail(fault(operation));
  const token = tokens.create(unit, list.value.extents, list.value.inactivitySeconds);
  // What began before the token was watched for has ended: it is in the data, or not, for good.
  await Promise.all(writesUnderWay(request));
  operation.token = token.bytes;
  operation.transferCount = token.blocks;
  endTokenOperation(operation, undefined, request.aborted);
  return GOOD;
}

/** Mutations that the device has begun. Copies are long, but only the chunk they write just now is. */
function writesUnderWay(request: Request): Promise<unknown>[] {
  const { unit } = request;
  const pending: Promise<unknown>[] = [...unit.tokens!.writing];
  for (const other of unit.taskSet.tasks) {
    const { command } = other;
    if (other.phase !== 'running' || command.access !== 'write') continue;
    if (command.serviceAction === WRITE_USING_TOKEN && command.opcode === request.command.opcode) continue;
    pending.push(
      new Promise<void>((resolve) => {
        (other.whenEnded ??= []).push(resolve);
      }),
    );
  }
  return pending;
}
