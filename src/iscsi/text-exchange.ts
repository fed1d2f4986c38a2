/**
 * Text requests and responses over several PDUs (RFC 7143 §11.10, §11.11). A decision: a request in, a response or a
 * refusal out; what the text says is decided elsewhere.
 *
 *   idle ── request C=1 or F=0 ──► collecting (TTT given out) ── F=1 ──► answer
 *   idle ── request F=1 ──► answer ── longer than one PDU ──► sending (TTT given out) ── empty requests ──► idle
 */

import { TEXT_LENGTH_MAX } from './limits.ts';
import { RESERVED_TAG } from './pdu/bhs.ts';
import type { TextRequest } from './pdu/text.ts';
import { joinSegments } from './segments.ts';

export type TextExchange =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'collecting';
      readonly targetTransferTag: number;
      readonly initiatorTaskTag: number;
      readonly parts: readonly Uint8Array[];
      readonly length: number;
    }
  | {
      readonly kind: 'sending';
      readonly targetTransferTag: number;
      readonly initiatorTaskTag: number;
      readonly rest: Uint8Array;
      /** The F bit of the request that is being answered. */
      readonly final: boolean;
    };

export interface TextAnswer {
  readonly final: boolean;
  readonly continued: boolean;
  readonly targetTransferTag: number;
  readonly text: Uint8Array;
}

export type TextStep =
  | { readonly kind: 'answer'; readonly next: TextExchange; readonly answer: TextAnswer }
  | { readonly kind: 'refuse'; readonly reason: 'invalidPduField' | 'protocolError' | 'outOfResources' };

export interface TextContext {
  /** A new tag if one is needed. */
  readonly targetTransferTag: number;
  /** What the initiator takes in one data segment. */
  readonly lengthMax: number;
  /** Undefined: the text is not acceptable. */
  answer(text: Uint8Array): Uint8Array | undefined;
}

const IDLE: TextExchange = { kind: 'idle' };
const NO_TEXT = new Uint8Array(0);

export function stepText(
  exchange: TextExchange,
  request: TextRequest,
  text: Uint8Array,
  context: TextContext,
): TextStep {
  // A request with C=1 goes on and cannot be final (§11.10.2).
  if (request.continued && request.final) return { kind: 'refuse', reason: 'protocolError' };
  const fresh = request.targetTransferTag === RESERVED_TAG;
  if (
    !fresh &&
    (exchange.kind === 'idle' ||
      exchange.targetTransferTag !== request.targetTransferTag ||
      exchange.initiatorTaskTag !== request.initiatorTaskTag)
  ) {
    return { kind: 'refuse', reason: 'invalidPduField' };
  }
  if (!fresh && exchange.kind === 'sending' && text.length === 0) {
    return send(request, exchange.rest, context, exchange.final);
  }
  // A new request ends whatever went on before (§11.10.4).
  const collected = fresh || exchange.kind !== 'collecting' ? { parts: [], length: 0 } : exchange;
  const length = collected.length + text.length;
  if (length > TEXT_LENGTH_MAX) return { kind: 'refuse', reason: 'outOfResources' };
  const parts = [...collected.parts, text];
  if (request.continued) return collect(request, parts, length, context);
  const answer = context.answer(joinSegments(parts));
  if (answer === undefined) return { kind: 'refuse', reason: 'protocolError' };
  return send(request, answer, context, request.final);
}

function collect(
  request: TextRequest,
  parts: readonly Uint8Array[],
  length: number,
  context: TextContext,
): TextStep {
  const { targetTransferTag } = context;
  return {
    kind: 'answer',
    next: {
      kind: 'collecting',
      targetTransferTag,
      initiatorTaskTag: request.initiatorTaskTag,
      parts,
      length,
    },
    answer: { final: false, continued: false, targetTransferTag, text: NO_TEXT },
  };
}

function send(request: TextRequest, text: Uint8Array, context: TextContext, final: boolean): TextStep {
  const { targetTransferTag, lengthMax } = context;
  const { initiatorTaskTag } = request;
  if (text.length > lengthMax) {
    return {
      kind: 'answer',
      next: { kind: 'sending', targetTransferTag, initiatorTaskTag, rest: text.subarray(lengthMax), final },
      answer: { final: false, continued: true, targetTransferTag, text: text.subarray(0, lengthMax) },
    };
  }
  if (final) {
    return {
      kind: 'answer',
      next: IDLE,
      answer: { final: true, continued: false, targetTransferTag: RESERVED_TAG, text },
    };
  }
  return {
    kind: 'answer',
    next: { kind: 'collecting', targetTransferTag, initiatorTaskTag, parts: [], length: 0 },
    answer: { final: false, continued: false, targetTransferTag, text },
  };
}
