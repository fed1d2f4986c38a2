/** POPULATE TOKEN, WRITE USING TOKEN and RECEIVE ROD TOKEN INFORMATION (SPC-4): rows of the command table. */

import { fail, ok } from '../../base/result.ts';
import type { Command } from '../command.ts';
import { u32 } from '../fields.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { goodWith, refuse } from '../outcome.ts';
import { invalidCdbField } from '../sense.ts';
import { POPULATE_TOKEN, populateToken, WRITE_USING_TOKEN } from './populate-token.ts';
import { POPULATE_HEADER_LENGTH, RANGES_LENGTH_MAX, WRITE_HEADER_LENGTH } from './token-lists.ts';
import { encodeTokenInformation, tokenOperation } from './token-operations.ts';
import { writeUsingToken } from './write-using-token.ts';

const isSupportedBy = (unit: LogicalUnit): boolean => unit.tokens !== undefined;

function out(
  serviceAction: number,
  headerLength: number,
): Pick<Command, 'opcode' | 'serviceAction' | 'usage' | 'isSupportedBy' | 'plan'> {
  return {
    opcode: 0x83,
    serviceAction,
    usage: [0x83, serviceAction, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f, 0],
    isSupportedBy,
    plan: ({ cdb }) => {
      const length = u32(cdb, 10);
      // Longer lists are not read: the number of descriptors would be refused all the same.
      if (length > headerLength + RANGES_LENGTH_MAX) return refuse('tooManySegmentDescriptors');
      return length === 0 || length >= headerLength ? ok(length) : refuse('parameterListLengthError');
    },
  };
}

export const TOKEN_COMMANDS: readonly Command[] = [
  {
    name: 'POPULATE TOKEN',
    ...out(POPULATE_TOKEN, POPULATE_HEADER_LENGTH),
    access: 'read',
    execute: populateToken,
  },
  {
    name: 'WRITE USING TOKEN',
    ...out(WRITE_USING_TOKEN, WRITE_HEADER_LENGTH),
    access: 'write',
    writesMedium: true,
    execute: writeUsingToken,
  },
  {
    name: 'RECEIVE ROD TOKEN INFORMATION',
    opcode: 0x84,
    serviceAction: 0x07,
    usage: [0x84, 0x07, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
    access: 'none',
    isSupportedBy,
    execute({ link, cdb }) {
      const operation = tokenOperation(link, u32(cdb, 2));
      if (operation === undefined) return fail(invalidCdbField(2));
      return goodWith(encodeTokenInformation(operation), u32(cdb, 10));
    },
  },
];
