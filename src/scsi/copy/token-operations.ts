/**
 * The token operations of one I_T_L nexus by LIST IDENTIFIER, and what RECEIVE ROD TOKEN INFORMATION (SPC-4) says
 * of them while they run and after. Results are held up to a number, and go with the nexus.
 */

import { setU16, setU32, setU64 } from '../fields.ts';
import type { UnitNexus } from '../nexus.ts';
import { Status } from '../../ports/scsi-target.ts';
import { encodeSense, type Fault } from '../sense.ts';
import { TOKEN_OPERATIONS_MAX, TOKEN_RESULTS_MAX } from './limits.ts';
import { TOKEN_LENGTH } from './token-format.ts';

/** COPY OPERATION STATUS. */
const OPERATION_STATUS = {
  completed: 0x01,
  failed: 0x02,
  inForeground: 0x11,
  inBackground: 0x12,
  terminated: 0x60,
} as const;

export interface TokenOperation {
  readonly serviceAction: number;
  status: keyof typeof OPERATION_STATUS;
  /** Blocks of the unit that got the command. */
  transferCount: number;
  operations: number;
  fault: Fault | undefined;
  token: Uint8Array | undefined;
}

const operationsOf = new WeakMap<UnitNexus, Map<number, TokenOperation>>();

export function tokenOperation(link: UnitNexus, listIdentifier: number): TokenOperation | undefined {
  return operationsOf.get(link)?.get(listIdentifier);
}

function isRunning({ status }: TokenOperation): boolean {
  return status === 'inForeground' || status === 'inBackground';
}

/** A new operation in place of a former one of that identifier, or why there can be none now. */
export function beginTokenOperation(
  link: UnitNexus,
  listIdentifier: number,
  serviceAction: number,
  immediate: boolean,
): TokenOperation | 'busy' | 'operationInProgress' {
  let all = operationsOf.get(link);
  if (all === undefined) {
    all = new Map();
    operationsOf.set(link, all);
  }
  const former = all.get(listIdentifier);
  if (former !== undefined && isRunning(former)) return 'operationInProgress';
  let running = 0;
  for (const other of all.values()) if (isRunning(other)) running += 1;
  if (running >= TOKEN_OPERATIONS_MAX) return 'busy';
  const operation: TokenOperation = {
    serviceAction,
    status: immediate ? 'inBackground' : 'inForeground',
    transferCount: 0,
    operations: 0,
    fault: undefined,
    token: undefined,
  };
  all.delete(listIdentifier);
  all.set(listIdentifier, operation);
  for (const [identifier, other] of all) {
    if (all.size <= TOKEN_RESULTS_MAX) break;
    if (!isRunning(other)) all.delete(identifier);
  }
  return operation;
}

export function endTokenOperation(
  operation: TokenOperation,
  fault: Fault | undefined,
  aborted: boolean,
): void {
  if (aborted) operation.status = 'terminated';
  else operation.status = fault === undefined ? 'completed' : 'failed';
  operation.fault = aborted ? undefined : fault;
}

/** A multiple of four: what follows stays aligned. */
const SENSE_FIELD_LENGTH = 20;
const TRANSFER_COUNT_IN_BLOCKS = 0xf1;
const NO_UPDATE_TIME_KNOWN = 0xffff_fffe;
const UPDATE_DELAY_MS = 100;

/**
 * 0 available data (4), 4 response to service action, 5 copy operation status, 6 operation counter (2), 8 estimated
 * status update delay in ms (4), 12 completion status, 13 length of the sense data field, 14 sense data length,
 * 15 transfer count units, 16 transfer count (8), 24 segments processed (2), 32 sense data, then ROD token descriptors
 * length (4) and for each token two reserved bytes and the token.
 */
export function encodeTokenInformation(operation: TokenOperation): Uint8Array {
  const sense = operation.fault && encodeSense(operation.fault, 'fixed');
  const senseLength = sense === undefined ? 0 : SENSE_FIELD_LENGTH;
  const tokenLength = operation.token === undefined ? 0 : 2 + TOKEN_LENGTH;
  const bytes = new Uint8Array(32 + senseLength + 4 + tokenLength);
  setU32(bytes, 0, bytes.length - 4);
  bytes[4] = operation.serviceAction;
  bytes[5] = OPERATION_STATUS[operation.status];
  setU16(bytes, 6, operation.operations & 0xffff);
  setU32(bytes, 8, isRunning(operation) ? UPDATE_DELAY_MS : NO_UPDATE_TIME_KNOWN);
  bytes[12] = operation.fault === undefined ? Status.GOOD : Status.CHECK_CONDITION;
  bytes[13] = senseLength;
  bytes[14] = sense?.length ?? 0;
  bytes[15] = TRANSFER_COUNT_IN_BLOCKS;
  setU64(bytes, 16, operation.transferCount);
  if (sense !== undefined) bytes.set(sense, 32);
  setU32(bytes, 32 + senseLength, tokenLength);
  if (operation.token !== undefined) bytes.set(operation.token, 32 + senseLength + 4 + 2);
  return bytes;
}
