/** EXTENDED COPY (LID1) (SPC-4 §6.4) and RECEIVE COPY RESULTS (§6.21, §6.23, §6.24): rows of the command table. */

import { fail, ok } from '../../base/result.ts';
import { Status } from '../../ports/scsi-target.ts';
import type { Command, Request } from '../command.ts';
import { setU16, setU32, u32 } from '../fields.ts';
import { goodWith, refuse } from '../outcome.ts';
import { encodeSense, invalidCdbField } from '../sense.ts';
import { extendedCopy } from './extended-copy.ts';
import {
  CONCURRENT_COPIES_MAX,
  CSCD_DESCRIPTORS_MAX,
  DESCRIPTOR_LIST_LENGTH_MAX,
  DESCRIPTOR_TYPES,
  SEGMENT_DESCRIPTORS_MAX,
  SEGMENT_GRANULARITY_EXPONENT,
  SEGMENT_LENGTH_MAX,
} from './limits.ts';
import { type CopyOperation, forgetOperation, operationOf } from './operations.ts';
import { HEADER_LENGTH } from './parameter-list.ts';

const EXTENDED_COPY = 0x83;
const RECEIVE_COPY_RESULTS = 0x84;

const COPY_MANAGER_STATUS = { inProgress: 0x00, completed: 0x01, failed: 0x02 } as const;

/** COPY STATUS: 0 available data (4), 4 status, 5 segments processed (2), 7 units of 8 transfer count (4). */
function encodeCopyStatus(operation: CopyOperation): Uint8Array {
  const bytes = new Uint8Array(12);
  setU32(bytes, 0, bytes.length - 4);
  bytes[4] = COPY_MANAGER_STATUS[operation.status];
  setU16(bytes, 5, operation.segmentsProcessed);
  let units = 0; // bytes, KiB, MiB, …
  let count = operation.bytesTransferred;
  while (count > 0xffffffff) {
    count = Math.floor(count / 1024);
    units += 1;
  }
  bytes[7] = units;
  setU32(bytes, 8, count);
  return bytes;
}

/** OPERATING PARAMETERS. Nothing is held for RECEIVE COPY DATA, and there are no stream devices. */
function encodeOperatingParameters(): Uint8Array {
  const bytes = new Uint8Array(44 + DESCRIPTOR_TYPES.length);
  setU32(bytes, 0, bytes.length - 4);
  bytes[4] = 0x01; // SNLID: LIST ID USAGE 11b
  setU16(bytes, 8, CSCD_DESCRIPTORS_MAX);
  setU16(bytes, 10, SEGMENT_DESCRIPTORS_MAX);
  setU32(bytes, 12, DESCRIPTOR_LIST_LENGTH_MAX);
  setU32(bytes, 16, SEGMENT_LENGTH_MAX);
  setU16(bytes, 34, CONCURRENT_COPIES_MAX);
  bytes[36] = CONCURRENT_COPIES_MAX;
  bytes[37] = SEGMENT_GRANULARITY_EXPONENT;
  bytes[43] = DESCRIPTOR_TYPES.length;
  bytes.set(DESCRIPTOR_TYPES, 44);
  return bytes;
}

/** FAILED SEGMENT DETAILS: 56 status, 58 sense data length (2), 60 sense data; no data when nothing has failed. */
function encodeFailedSegment({ fault }: CopyOperation): Uint8Array {
  const sense = fault && encodeSense(fault, 'fixed');
  if (sense === undefined) return new Uint8Array(4);
  const bytes = new Uint8Array(60 + sense.length);
  setU32(bytes, 0, bytes.length - 4);
  bytes[56] = Status.CHECK_CONDITION;
  setU16(bytes, 58, sense.length);
  bytes.set(sense, 60);
  return bytes;
}

function receiveResults(action: string, serviceAction: number, execute: Command['execute']): Command {
  return {
    name: `RECEIVE COPY RESULTS, ${action}`,
    opcode: RECEIVE_COPY_RESULTS,
    serviceAction,
    usage: [RECEIVE_COPY_RESULTS, serviceAction, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
    access: 'none',
    execute,
  };
}

const allocationLength = ({ cdb }: Request): number => u32(cdb, 10);

export const COPY_COMMANDS: readonly Command[] = [
  {
    name: 'EXTENDED COPY (LID1)',
    opcode: EXTENDED_COPY,
    serviceAction: 0x00,
    usage: [EXTENDED_COPY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
    access: 'exclusive',
    plan: ({ cdb }) => {
      const length = u32(cdb, 10);
      const fits =
        length === 0 || (length >= HEADER_LENGTH && length <= HEADER_LENGTH + DESCRIPTOR_LIST_LENGTH_MAX);
      return fits ? ok(length) : refuse('parameterListLengthError');
    },
    execute: extendedCopy,
  },
  receiveResults('COPY STATUS', 0x00, (request) => {
    const operation = operationOf(request.link, request.cdb[2]!);
    if (operation === undefined) return fail(invalidCdbField(2));
    return goodWith(encodeCopyStatus(operation), allocationLength(request));
  }),
  receiveResults('OPERATING PARAMETERS', 0x03, (request) =>
    goodWith(encodeOperatingParameters(), allocationLength(request)),
  ),
  receiveResults('FAILED SEGMENT DETAILS', 0x04, (request) => {
    const listIdentifier = request.cdb[2]!;
    const operation = operationOf(request.link, listIdentifier);
    if (operation === undefined) return fail(invalidCdbField(2));
    // SPC-4 §6.24: what has been told is not kept.
    if (operation.status === 'failed') forgetOperation(request.link, listIdentifier);
    return goodWith(encodeFailedSegment(operation), allocationLength(request));
  }),
];
