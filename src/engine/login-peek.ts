/**
 * Reads the beginning of a connection just far enough to know which target it is for: TargetName in the first Login
 * Request (RFC 7143 §6.3, §13.4). It judges nothing. Whatever is no plain login goes to engine 0 as it came, which
 * answers in the protocol's words.
 *
 * A first request may be cut (C bit, RFC 7143 §6.1) before TargetName. Then the rest only comes when somebody answers
 * with an empty Login Response; the peek does, and the engine is told how many it need not answer again.
 *
 * Invariants
 *  1. The head is every byte pushed, in order, once.
 *  2. Nothing beyond `HEAD_BYTES_MAX` is held.
 */

import { assert } from '../base/assert.ts';
import { ahsLengthOf, BHS_LENGTH, dataLengthOf, opcodeOf, padded, RequestOpcode } from '../iscsi/pdu/bhs.ts';
import { decodeLoginRequest, encodeLoginResponse } from '../iscsi/pdu/login.ts';

/** A Login Request carries at most 8192 bytes of text (RFC 7143 §13.12); the limit leaves room for continuations. */
export const HEAD_BYTES_MAX = 64 * 1024;
const LOGIN_TEXT_BYTES_MAX = 8192;
/** The usual first Login Request fits. */
const MEMORY_BYTES_FIRST = 1024;
/** Empty responses given before the engine takes over: 2 KiB of text is enough to hold any TargetName. */
const ANSWERED_MAX = 8;
/** StatSN of the first Login Response on a connection, here and in the engine. */
const STAT_SN_FIRST = 0;

export type PeekStep =
  | { readonly kind: 'more' }
  /** Send these bytes, and go on reading. */
  | { readonly kind: 'answer'; readonly response: Uint8Array }
  /** `targetName` in lower case; undefined for discovery and for everything that names no target. */
  | {
      readonly kind: 'route';
      readonly targetName: string | undefined;
      readonly head: Uint8Array;
      readonly answered: number;
    };

export interface LoginPeek {
  push(bytes: Uint8Array): PeekStep;
}

const MORE: PeekStep = { kind: 'more' };

export function createLoginPeek(): LoginPeek {
  let memory = new Uint8Array(MEMORY_BYTES_FIRST);
  let head = memory.subarray(0, 0);
  /** Where the PDU that is being read begins. */
  let start = 0;
  let text = '';
  let answered = 0;

  const route = (targetName: string | undefined): PeekStep => ({
    kind: 'route',
    targetName,
    head,
    answered,
  });

  function push(bytes: Uint8Array): PeekStep {
    if (head.length + bytes.length > memory.length) memory = grown(memory, head.length + bytes.length);
    memory.set(bytes, head.length);
    head = memory.subarray(0, head.length + bytes.length);
    if (head.length > HEAD_BYTES_MAX) return route(undefined);
    const length = pduLength(head, start);
    if (length === 'notLogin') return route(undefined);
    if (length === 'unknown' || head.length - start < length) return MORE;
    return complete(length);
  }

  /** The PDU at `start` is here as a whole. */
  function complete(length: number): PeekStep {
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const data = head.subarray(start + BHS_LENGTH, start + BHS_LENGTH + dataLengthOf(view, start));
    const request = decodeLoginRequest(view, start, data);
    text += latin1(data);
    const named = valueOf(text, 'TargetName');
    const settled = named !== undefined || valueOf(text, 'SessionType') === 'Discovery';
    if (settled || !request.continued || answered === ANSWERED_MAX) return route(named?.toLowerCase());
    const response = new Uint8Array(BHS_LENGTH);
    encodeLoginResponse(
      new DataView(response.buffer),
      0,
      {
        transit: false,
        continued: false,
        currentStage: request.currentStage === 1 ? 1 : 0,
        nextStage: 0,
        isid: request.isid,
        tsih: request.tsih,
        initiatorTaskTag: request.initiatorTaskTag,
        statusClass: 0,
        statusDetail: 0,
        text: new Uint8Array(0),
      },
      { statSN: STAT_SN_FIRST + answered, expCmdSN: request.cmdSN, maxCmdSN: request.cmdSN },
    );
    start += length;
    answered += 1;
    assert(start <= head.length, 'peek: a PDU ends within what was read');
    return { kind: 'answer', response };
  }

  return { push };
}

/** Whole length of the PDU at `start`, `unknown` before its header is here, `notLogin` for what is none of ours. */
function pduLength(head: Uint8Array, start: number): number | 'unknown' | 'notLogin' {
  if (head.length === start) return 'unknown';
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (opcodeOf(view, start) !== RequestOpcode.login) return 'notLogin';
  if (head.length - start < BHS_LENGTH) return 'unknown';
  const dataLength = dataLengthOf(view, start);
  if (ahsLengthOf(view, start) !== 0 || dataLength > LOGIN_TEXT_BYTES_MAX) return 'notLogin';
  return BHS_LENGTH + padded(dataLength);
}

/** Doubled as often as needed, so that a peer that sends single bytes does not make us copy all of them each time. */
function grown(memory: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(memory.length * 2, length));
  larger.set(memory);
  return larger;
}

/** One character per byte: names are compared, not shown. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Value of the first complete `key=value` NUL (RFC 7143 §6.1); undefined while there is none. */
function valueOf(text: string, key: string): string | undefined {
  const pairs = text.split('\0');
  pairs.pop(); // not yet ended
  return pairs.find((pair) => pair.startsWith(`${key}=`))?.slice(key.length + 1);
}
